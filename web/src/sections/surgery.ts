// What was cut from which layer and what that lost; and what the surgeon thought of it, where one was asked.
import { drawn, h, s, section } from "../dom";
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

function operation(run: Prune): HTMLElement {
  const kl = run.kl_divergence;
  return h(
    "div",
    {},
    h("p", {}, `${baseName(run.output.path)} (${diskText(run.output.size_bytes)}): ${countText(run.removed.parameters)} weights removed: ${whatWent(run)}.`),
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

/** The five answers of a surgeon/1, and what each number in them is worth; the measured verdict above them. */
function opinion(run: Surgeon): HTMLElement {
  const answers = run.opinions.flatMap((o) => [
    h("h4", {}, o.title),
    h("p", {}, o.answer, o.complete ? "" : " … (the answer broke off)"),
    h("ul", { class: "small" }, ...o.claims.map((c) => h("li", {}, `${c.number} ${c.fact ?? "(in words)"}: `, h("span", { class: c.finding === "confirmed" ? "muted" : "why-not" }, c.finding)))),
  ]);
  return h(
    "div",
    { class: "panel" },
    h("h3", { class: "first" }, `What ${baseName(run.analyst)} thinks of it`),
    h("p", {}, "Measured verdict: ", run.verdict ?? "not measured"),
    h("p", { class: "muted" }, `A model's words; nothing of them enters a plan. Numbers in them: ${run.claims.confirmed} confirmed, ${run.claims.wrong} wrong, ${run.claims.unsupported} without a fact behind them.`),
    ...answers,
  );
}

export function surgerySection(page: Page): HTMLElement | null {
  if (page.prunings.length === 0 && page.surgeons.length === 0) return null;
  return section("surgery", "Surgery", "What was cut, what that lost, and how much of it the repair gave back.", ...page.prunings.map(operation), ...page.surgeons.map(opinion));
}
