// What was cut from which layer and what that lost; and what the surgeon thought of it, where one was asked.
import { drawn, h, s, section } from "../dom";
import { baseName, type Page, type Prune, type Run } from "../data";
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

function operation(run: Prune): HTMLElement {
  const kl = run.kl_divergence;
  return h(
    "div",
    {},
    h("p", {}, `${baseName(run.output.path)} (${diskText(run.output.size_bytes)}): ${countText(run.removed.parameters)} weights removed: ${run.removed.layers ? `${countText(run.removed.layers)} whole layers, ` : ""}${countText(run.removed.kv_heads)} KV heads and ${countText(run.removed.ffn_channels)} feed-forward channels.`),
    h("div", { class: "columns two" }, drawn((width) => layerBars(run, width, "heads")), drawn((width) => layerBars(run, width, "channels"))),
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
    (run.trials ?? []).length > 1
      ? h("ul", { class: "small" }, ...(run.trials ?? []).map((t) => h("li", {}, `${t.chosen ? "chosen" : "tried"}: ${t.what}, KL ${natsText(t.kl_divergence)}`)))
      : null,
  );
}

/** Sentences of a surgeon/1, wherever it keeps them, each with what checking it said. */
function opinion(run: Run): HTMLElement {
  const list = [run.statements, run.claims, run.opinions, run.findings].find(Array.isArray) as Record<string, unknown>[] | undefined;
  const text = [run.verdict, run.summary, run.answer, run.text].find((v) => typeof v === "string") as string | undefined;
  const items = (list ?? []).flatMap((entry) => {
    const words = [entry.text, entry.statement, entry.claim, entry.what].find((v) => typeof v === "string");
    const holds = [entry.holds, entry.true, entry.supported].find((v) => typeof v === "boolean") as boolean | undefined;
    return typeof words === "string" ? [h("li", {}, words, holds === undefined ? "" : h("span", { class: holds ? "muted" : "why-not" }, holds ? " (measured: holds)" : " (measured: does not hold)"))] : [];
  });
  return h("div", { class: "panel" }, h("h3", { class: "first" }, "What the model says of itself"), text ? h("p", {}, text) : null, items.length > 0 ? h("ul", {}, ...items) : null, !text && items.length === 0 ? h("p", { class: "muted" }, "The run log has it whole.") : null);
}

export function surgerySection(page: Page): HTMLElement | null {
  if (page.prunings.length === 0 && page.surgeons.length === 0) return null;
  return section("surgery", "Surgery", "What was cut, what that lost, and how much of it the repair gave back.", ...page.prunings.map(operation), ...page.surgeons.map(opinion));
}
