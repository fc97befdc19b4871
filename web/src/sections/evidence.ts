// What was measured: how far each candidate is from its original, on which text, and which numbers may be compared.
import { dotPlot } from "../chart/dotplot";
import { type Curve, linePlot } from "../chart/lines";
import { curveLegend } from "../chart/marks";
import { drawn, h, section } from "../dom";
import { baseName, type Candidate, type Measured, type Page, type Verify } from "../data";
import { countText, diskText, durationText, memoryText, natsText, percentText } from "../format";

const cell = (text: string, numeric = true): HTMLElement => h("td", { class: numeric ? "num" : null }, text);

function row(file: Measured, candidate: Candidate | null): HTMLElement {
  const kl = candidate?.kl_divergence;
  return h(
    "tr",
    {},
    cell(`${baseName(file.path)}${candidate ? "" : " (original)"}`, false),
    cell(diskText(file.size_bytes)),
    cell(file.bits_per_weight.toFixed(2)),
    cell(kl ? `${natsText(kl.mean)} [${natsText(kl.low)}, ${natsText(kl.high)}]` : ""),
    cell(kl ? natsText(kl.median) : ""),
    cell(kl ? natsText(kl.p99) : ""),
    cell(candidate ? percentText(candidate.top1_agreement) : ""),
    cell(candidate && candidate.greedy_agreement !== null ? percentText(candidate.greedy_agreement) : ""),
    cell(`${file.perplexity.toFixed(3)}`),
    cell(file.tokens_per_s === null ? "" : file.tokens_per_s.toFixed(1)),
    cell(file.peak_memory_bytes === null ? "" : memoryText(file.peak_memory_bytes)),
  );
}

function evidenceTable(run: Verify): HTMLElement {
  const titles = ["file", "size", "bits", "KL, nats/token [95 %]", "median", "99 %", "same top token", "same text", "perplexity", "tokens/s", "peak memory"];
  return h(
    "div",
    { class: "table-scroll", tabindex: "0", role: "region", "aria-label": "What was measured, a table that scrolls" },
    h(
      "table",
      {},
      h("thead", {}, h("tr", {}, ...titles.map((t, i) => h("th", { scope: "col", class: i > 0 ? "num" : null }, t)))),
      h("tbody", {}, row(run.original, null), ...run.candidates.map((c) => row(c, c))),
    ),
  );
}

/** Share of tokens whose KL is below x. */
function distributionCurves(run: Verify): Curve[] {
  return run.candidates.flatMap((c) => {
    const quantiles = c.kl_quantiles ?? [];
    const points = quantiles.map((kl, percent): [number, number] => [Math.max(kl, 1e-5), percent / 100]);
    return points.length > 0 ? [{ name: baseName(c.path), points }] : [];
  });
}

function positionCurves(run: Verify): Curve[] {
  const first = Math.floor(run.text.n_ctx / 2); // verify scores the second half of a chunk
  return run.candidates.flatMap((c) => {
    const means = c.kl_by_position ?? [];
    const width = (run.text.n_ctx - first) / Math.max(1, means.length);
    return means.length > 0 ? [{ name: baseName(c.path), points: means.map((kl, i): [number, number] => [first + (i + 0.5) * width, kl]) }] : [];
  });
}

function distributions(run: Verify): HTMLElement | null {
  const spread = distributionCurves(run);
  const along = positionCurves(run);
  if (spread.length === 0) return null;
  const yTicks = [0, 0.25, 0.5, 0.75, 1].map((at) => ({ at, label: `${100 * at} %` }));
  return h(
    "div",
    {},
    curveLegend(spread.map((c) => c.name)),
    h(
      "div",
      { class: "columns two" },
      h(
        "figure",
        {},
        drawn((width) => linePlot({ curves: spread, xTitle: "KL of a token, nats (logarithmic)", yTitle: "share of tokens below", label: "Distribution of the KL divergence over tokens", xLog: true, yTicks, height: 300 }, width)),
        h("figcaption", {}, "How the loss is spread: most tokens hardly notice, a few notice much. The mean is made by those few."),
      ),
      h(
        "figure",
        {},
        drawn((width) => linePlot({ curves: along, xTitle: "position in the context, tokens", yTitle: "mean KL, nats", label: "Mean KL divergence by position", xLog: false, yTicks: null, yFrom: 0, height: 300 }, width)),
        h("figcaption", {}, "Whether it grows while the context fills: a curve that rises says that errors add up."),
      ),
    ),
  );
}

function pairs(run: Verify): HTMLElement | null {
  if (run.paired.length === 0) return null;
  return h(
    "ul",
    {},
    ...run.paired.map((pair) => {
      const [a, b] = [run.candidates[pair.a], run.candidates[pair.b]];
      const d = pair.kl_difference;
      const verdict = d.low > 0 ? `${baseName(b?.path ?? "")} is closer` : d.high < 0 ? `${baseName(a?.path ?? "")} is closer` : "no difference shown";
      return h("li", {}, `${baseName(a?.path ?? "")} minus ${baseName(b?.path ?? "")}: ${natsText(d.mean)} [${natsText(d.low)}, ${natsText(d.high)}] nats, token by token: ${verdict}`);
    }),
  );
}

function retrieval(run: Verify): HTMLElement | null {
  const depths = run.original.retrieval;
  if (!depths || depths.length === 0) return null;
  const files: Measured[] = [run.original, ...run.candidates];
  return h(
    "div",
    {},
    h("h3", {}, "Facts found again"),
    h(
      "div",
      { class: "table-scroll", tabindex: "0", role: "region", "aria-label": "Retrieval by depth" },
      h(
        "table",
        {},
        h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "file"), ...depths.map((d) => h("th", { scope: "col", class: "num" }, `at ${Math.round(100 * d.depth)} %`)))),
        h("tbody", {}, ...files.map((file) => h("tr", {}, cell(baseName(file.path), false), ...(file.retrieval ?? []).map((r) => cell(`${r.n_hits}/${r.n_trials}`))))),
      ),
    ),
  );
}

function proof(run: Verify): HTMLElement {
  const dots = run.candidates.map((c) => ({
    label: `${baseName(c.path)}, ${diskText(c.size_bytes)}`,
    value: c.kl_divergence.mean,
    low: c.kl_divergence.low,
    high: c.kl_divergence.high,
    text: `${natsText(c.kl_divergence.mean)} [${natsText(c.kl_divergence.low)}, ${natsText(c.kl_divergence.high)}]`,
    grade: "measured" as const,
  }));
  return h(
    "div",
    { class: "proof" },
    h("h3", { class: "first" }, run.candidates.map((c) => baseName(c.path)).join(", ")),
    h("p", { class: "muted" }, `Beside ${baseName(run.original.path)}, on ${run.text.path === "embedded" ? "ech0's own evaluation text" : run.text.path}: ${countText(run.text.n_tokens)} tokens scored in ${run.text.n_chunks} chunks of ${run.text.n_ctx}, by ${run.engine}, in ${durationText(run.seconds)}.`),
    drawn((width) => dotPlot({ dots, title: "KL divergence from the original, nats per token, 95 %", label: "KL divergence", log: true }, width)),
    distributions(run),
    evidenceTable(run),
    pairs(run),
    retrieval(run),
    h("details", {}, h("summary", {}, "What may be compared"), h("ul", {}, ...run.comparable.map((sentence) => h("li", {}, sentence)))),
  );
}

export function evidenceSection(page: Page): HTMLElement | null {
  if (page.verifies.length === 0) return null;
  return section("evidence", "Evidence", "Measured beside the original, on text that the statistics never saw.", ...page.verifies.map(proof));
}
