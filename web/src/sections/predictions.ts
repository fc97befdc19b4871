// Predicted beside measured: how often the intervals held on this machine.
import { dotPlot } from "../chart/dotplot";
import { drawn, h, section } from "../dom";
import { baseName, measuredFilesOf, type Page, type Score } from "../data";
import { countText, natsText, percentText, significant } from "../format";

const kindWords: Record<string, string> = { tokens_per_s: "generation", prompt_tokens_per_s: "reading", memory_bytes: "memory", quality: "quality" };

/** The scores that were kept, and those of bench runs that the page was given. */
function scoresOf(page: Page): Score[] {
  const fromRuns = page.benches.flatMap((bench) =>
    bench.models.flatMap((model) =>
      (["tokens_per_s", "prompt_tokens_per_s", "memory_bytes"] as const).map((kind) => ({ kind, machine: bench.machine, model: model.path, detail: "", ...model[kind] })),
    ),
  );
  const same = (a: Score, b: Score): boolean => a.kind === b.kind && a.model === b.model && a.measured === b.measured;
  return [...page.scores, ...fromRuns.filter((run) => !page.scores.some((kept) => same(kept, run)))];
}

/** What fit expected files of these sizes to lose, beside what was measured of them. */
function qualitiesOf(page: Page): Score[] {
  return page.models.flatMap((model, i) => {
    const expected = (page.dashboard?.basis.models[i]?.files ?? []).filter((f) => f.grade === "predicted");
    return measuredFilesOf(page, model).flatMap((file) => {
      const preset = expected.find((f) => Math.abs(f.file_bytes / file.size_bytes - 1) < 0.001);
      if (!preset) return [];
      const { kl_divergence: predicted, low, high } = preset.quality;
      const measured = file.kl_divergence.mean;
      return [{ kind: "quality", machine: "", model: file.name, detail: preset.preset, predicted, low, high, measured, hit: measured >= low && measured <= high }];
    });
  });
}

/** Divergences span powers of ten: on a scale of their own, in nats. */
function qualityPlot(scores: Score[]): HTMLElement | null {
  if (scores.length === 0) return null;
  const dots = scores.map((score) => ({
    label: score.model,
    value: score.measured,
    low: score.low,
    high: score.high,
    text: `${natsText(score.measured)}, expected ${significant(score.predicted, 2)} (${significant(score.low, 2)} to ${significant(score.high, 2)})${score.hit ? "" : ", missed"}`,
    grade: "measured" as const,
    missed: !score.hit,
  }));
  return h(
    "figure",
    {},
    drawn((width) => dotPlot({ dots, title: "KL divergence from the original, nats per token", label: "Measured quality beside what was expected", log: true }, width)),
    h("figcaption", {}, "What fit expected of a file of that size, before a weight was touched (the bar), and what verify measured of it (the disc). A file that is closer than its size promised stands at the bar's left end or beyond it."),
  );
}

/** How many intervals held: of all, and kind by kind. */
function hitRates(scores: Score[]): HTMLElement {
  const rate = (name: string, of: Score[]): HTMLElement => {
    const n = of.filter((score) => score.hit).length;
    return h("div", {}, h("dt", {}, name), h("dd", { class: "big" }, `${n} of ${of.length}`), h("dd", { class: "small muted" }, percentText(n / of.length, 0)));
  };
  const kinds = [...new Set(scores.map((score) => score.kind))];
  return h("dl", { class: "readings" }, rate("intervals that held", scores), ...kinds.map((kind) => rate(kindWords[kind] ?? kind, scores.filter((score) => score.kind === kind))));
}

export function predictionsSection(page: Page): HTMLElement | null {
  const scores = scoresOf(page);
  const qualities = qualitiesOf(page);
  if (scores.length + qualities.length === 0) return null;
  const latest = scores.slice(-18);
  const dots = latest.map((score) => {
    const ratio = score.measured / ((score.low + score.high) / 2);
    const middle = (score.low + score.high) / 2;
    return {
      label: `${baseName(score.model)}: ${kindWords[score.kind] ?? score.kind}`,
      value: ratio,
      low: score.low / middle,
      high: score.high / middle,
      text: `${((ratio - 1) * 100).toFixed(1)} %${score.hit ? "" : ", missed"}`,
      grade: "measured" as const,
      missed: !score.hit,
    };
  });
  return section(
    "predictions",
    "Predicted and measured",
    "What ech0 said before, beside what running it said. An interval is meant to hold nine times of ten.",
    hitRates([...scores, ...qualities]),
    qualityPlot(qualities),
    dots.length === 0 ? null : h(
      "figure",
      {},
      drawn((width) => dotPlot({ dots, title: "measured, as a multiple of what was predicted", label: "Measured over predicted", log: false, reference: { at: 1, text: "as predicted" } }, width)),
      h("figcaption", {}, `The bar is the interval that was printed before; the disc is what running it said, and a cross a miss.${scores.length > latest.length ? ` The latest ${latest.length} of ${countText(scores.length)}.` : ""}`),
    ),
  );
}
