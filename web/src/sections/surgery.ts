// What was cut from which layer and what that lost; and what the surgeon thought of it, where one was asked.
import { commandLine, drawn, h, s, section } from "../dom";
import { baseName, type Page, type Prune, type Surgeon } from "../data";
import { countText, diskText, natsText, percentText } from "../format";

/** A bar per layer: what stays, filled; what went, empty. */
function layerBars(run: Prune, width: number, part: "heads" | "channels"): SVGElement {
  const height = 150;
  const left = 40;
  const step = (width - left) / Math.max(1, run.layers.length);
  const label = part === "heads" ? "KV heads" : "feed-forward channels";
  const svg = s("svg", { width, height, role: "img", "aria-label": `${label} that stay, by layer` });
  svg.append(s("text", { class: "strong", x: 0, y: 12 }, `${label} that stay`), s("text", { x: left - 6, y: 32, "text-anchor": "end" }, "all"), s("text", { x: left - 6, y: height - 22, "text-anchor": "end" }, "none"));
  run.layers.forEach((layer, i) => {
    const [before, after] = part === "heads" ? [layer.kv_heads_before, layer.kv_heads] : [layer.ffn_channels_before, layer.ffn_channels];
    const full = height - 50;
    const kept = before > 0 ? (full * after) / before : 0;
    const x = left + i * step;
    const bar = Math.max(1.5, step - 2);
    svg.append(
      s("rect", { class: "bar light", x, y: 26, width: bar, height: full }, s("title", {}, `layer ${layer.layer}: ${countText(after)} of ${countText(before)}`)),
      s("rect", { class: "bar", x, y: 26 + full - kept, width: bar, height: kept }, s("title", {}, `layer ${layer.layer}: ${countText(after)} of ${countText(before)}`)),
    );
    if (i % Math.ceil(34 / step) === 0) svg.append(s("text", { x: x + bar / 2, y: height - 6, "text-anchor": "middle" }, String(layer.layer)));
  });
  return svg;
}

function whatWent(run: Prune): string {
  const { layers, kv_heads, ffn_channels, experts } = run.removed;
  if (experts > 0) return `${countText(experts)} experts`;
  return `${layers > 0 ? `${countText(layers)} whole layers, ` : ""}${countText(kv_heads)} KV heads and ${countText(ffn_channels)} feed-forward channels`;
}

/** Whether pruning paid, in the words of prune itself. */
function worth(run: Prune): HTMLElement | null {
  const { verdict } = run;
  if (!verdict) return null;
  return h(
    "div",
    { class: "panel" },
    h("h3", { class: "first" }, verdict.prune ? "Pruning pays here" : "Do not prune: round instead"),
    h("p", { class: "first" }, `${verdict.why.charAt(0).toUpperCase()}${verdict.why.slice(1)}.`),
    verdict.compress_instead ? commandLine(verdict.compress_instead) : null,
  );
}

function operation(run: Prune): HTMLElement {
  const kl = run.kl_divergence;
  return h(
    "div",
    { class: "proof" },
    h("p", {}, `${baseName(run.output.path)} (${diskText(run.output.size_bytes)}): ${countText(run.removed.parameters)} weights removed: ${whatWent(run)}.`),
    worth(run),
    run.removed.experts > 0 ? null : h("div", { class: "columns two" }, drawn((width) => layerBars(run, width, "heads")), drawn((width) => layerBars(run, width, "channels"))),
    h(
      "dl",
      { class: "readings" },
      ...([
        ["KL as predicted", kl.predicted > 0 ? natsText(kl.predicted) : "not predicted"],
        ["measured, as cut", natsText(kl.unrepaired)],
        ["measured, repaired", kl.repaired === null ? "not repaired" : natsText(kl.repaired)],
        ["the repair took away", kl.repaired === null || kl.unrepaired <= 0 ? "–" : percentText(1 - kl.repaired / kl.unrepaired, 0)],
        ["judged on", `${countText(kl.n_tokens)} tokens held out`],
      ] as const).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", { class: "big" }, value))),
    ),
    h("ul", { class: "small" }, ...run.methods.map((m) => h("li", {}, `${m.unit}: usually by ${m.name}; here by ${m.method}. Plain magnitude would have taken ${percentText(m.same_by_magnitude, 0)} of the same.`))),
    (run.trials ?? []).length > 1
      ? h("ul", { class: "small" }, ...(run.trials ?? []).map((t) => h("li", {}, `${t.chosen ? "chosen" : "tried"}: ${t.what}, KL ${natsText(t.kl_divergence)}`)))
      : null,
  );
}

const findings: Record<string, string> = { confirmed: "✓ confirmed", wrong: "✗ wrong", unsupported: "? no fact behind it" };

type Claim = Surgeon["opinions"][number]["claims"][number];

/** Small models repeat themselves: the same number for the same fact is shown once, with how often it was said. */
function distinct(claims: Claim[]): { claim: Claim; times: number }[] {
  const found = new Map<string, { claim: Claim; times: number }>();
  for (const claim of claims) {
    const key = JSON.stringify([claim.number, claim.fact, claim.finding]);
    found.set(key, { claim, times: (found.get(key)?.times ?? 0) + 1 });
  }
  return [...found.values()];
}

/** One answer, and what each number in it is worth. */
function answer(o: Surgeon["opinions"][number]): HTMLElement {
  return h(
    "div",
    { class: "answer" },
    h("h4", {}, o.title),
    h("p", {}, o.answer, o.complete ? "" : " … (the answer broke off)"),
    o.claims.length > 0
      ? h("ul", { class: "claims small" }, ...distinct(o.claims).map(({ claim: c, times }) => h("li", { class: c.finding }, h("strong", {}, c.number), ` ${c.fact ?? "in words"} `, times > 1 ? `${times} times ` : "", h("span", {}, findings[c.finding] ?? c.finding))))
      : h("p", { class: "small muted" }, "No number in it."),
  );
}

/** What was measured of the model that the surgeon was asked about: prune beside rounding, or the ways that compress tried. */
function measuredVerdict(run: Surgeon, page: Page): string {
  const compared = page.compressions.find((c) => c.verdict)?.verdict;
  const pruned = page.prunings.find((p) => p.verdict)?.verdict;
  if (run.verdict ?? compared) return run.verdict ?? compared ?? "";
  if (pruned) return `${pruned.prune ? "Prune" : "Do not prune"}: ${pruned.why} (${baseName(page.prunings.find((p) => p.verdict)!.source.path)}).`;
  return "Not measured: ech0 prune sets what it made beside rounding to as few bytes, and ech0 compress --allow-prune takes the closest of several ways.";
}

/** The measured verdict, and beside it what a model says of itself. */
function opinion(run: Surgeon, page: Page): HTMLElement {
  const { confirmed, wrong, unsupported } = run.claims;
  const rate = (name: string, n: number): HTMLElement => h("div", {}, h("dt", {}, name), h("dd", { class: "big" }, countText(n)));
  return h(
    "div",
    { class: "columns wide-right" },
    h(
      "div",
      { class: "panel stays" },
      h("h3", { class: "first" }, "The verdict, measured"),
      h("p", {}, measuredVerdict(run, page)),
      h("p", { class: "small muted" }, "This decides. What stands beside it is one model's words, of which nothing enters a plan."),
      h("dl", { class: "readings" }, rate("numbers confirmed", confirmed), rate("wrong", wrong), rate("without a fact", unsupported)),
    ),
    h("div", { class: "panel opinion" }, h("h3", { class: "first" }, `What ${baseName(run.analyst)} thinks of ${run.model ? baseName(run.model) : "itself"}`), h("div", { class: "answers" }, ...run.opinions.map(answer))),
  );
}

export function surgerySection(page: Page): HTMLElement | null {
  if (page.prunings.length === 0 && page.surgeons.length === 0) return null;
  return section("surgery", "Surgery", page.prunings.length > 0 ? "What was cut, what that lost, and how much of it the repair gave back." : "What a model says of itself, beside what was measured.", ...page.prunings.map(operation), ...page.surgeons.map((run) => opinion(run, page)));
}
