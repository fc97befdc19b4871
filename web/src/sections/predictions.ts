// Predicted beside measured: how often the intervals held on this machine.
import { dotPlot } from "../chart/dotplot";
import { drawn, h, section } from "../dom";
import { baseName, type Page, type Score } from "../data";

const kindWords: Record<string, string> = { tokens_per_s: "generation", prompt_tokens_per_s: "reading", memory_bytes: "memory" };

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

function hitRate(scores: Score[]): string {
  const kinds = [...new Set(scores.map((score) => score.kind))];
  return kinds
    .map((kind) => {
      const of = scores.filter((score) => score.kind === kind);
      return `${kindWords[kind] ?? kind} ${of.filter((score) => score.hit).length} of ${of.length}`;
    })
    .join(", ");
}

export function predictionsSection(page: Page): HTMLElement | null {
  const scores = scoresOf(page);
  if (scores.length === 0) return null;
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
    };
  });
  return section(
    "predictions",
    "Predicted and measured",
    `Intervals that held here: ${hitRate(scores)}.`,
    h(
      "figure",
      {},
      drawn((width) => dotPlot({ dots, title: "measured, as a multiple of what was predicted", label: "Measured over predicted", log: false, reference: { at: 1, text: "as predicted" } }, width)),
      h("figcaption", {}, "The bar is the interval that was printed before; the disc is what running it said."),
    ),
  );
}
