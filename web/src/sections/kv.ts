// What types the cache may have: what each pair of types takes and what it was measured to lose on this model.
import { scaleLinear, scaleLog } from "d3-scale";
import { line } from "d3-shape";
import { type Box, logTicks, xAxis, yAxis } from "../chart/axes";
import { linePlot } from "../chart/lines";
import { curveLegend, gradeBadge, gradeLegend, gradeShape } from "../chart/marks";
import { drawn, h, s, section } from "../dom";
import { baseName, type KvPair, type KvPlan, type Page } from "../data";
import { countText, memoryText, natsText, percentText, significant } from "../format";
import type { Grade } from "../whatif/types";

const nameOf = (pair: KvPair): string => (pair.type_k === pair.type_v ? pair.type_k : `${pair.type_k}/${pair.type_v}`);
const gradeOf = (pair: KvPair): Grade => (pair.measured ? "measured" : "predicted");

/** A log scale has no zero: what is lost is at least this. */
const leastNats = 1e-6;

/** Every pair by what it takes and what it loses at its worst depth; the front joined, the limit across. */
function pairsChart(plan: KvPlan, width: number): SVGElement {
  const height = 420;
  const box: Box = { left: 62, right: width - 14, top: 40, bottom: height - 44 };
  const lossy = plan.pairs.filter((p) => p.kl_divergence > 0);
  const all = lossy.flatMap((p) => [p.kl_divergence, p.low, p.high]).filter((v) => v > leastNats).concat(plan.most_kl);
  const bytes = plan.pairs.map((p) => p.predicted_bytes);
  const unit = Math.max(...bytes) < 1.5 * 2 ** 30 ? 2 ** 20 : 2 ** 30;
  const x = scaleLinear([Math.min(...bytes) / unit, Math.max(...bytes) / unit], [box.left + 12, box.right - 12]).nice();
  const y = scaleLog([Math.min(...all) / 1.6, Math.max(...all) * 1.4], [box.bottom, box.top]).clamp(true);
  const place = (p: KvPair): [number, number] => [x(p.predicted_bytes / unit), y(Math.max(p.kl_divergence, leastNats))];
  const front = plan.pairs.filter((p) => p.on_front).sort((a, b) => a.predicted_bytes - b.predicted_bytes);
  const svg = s("svg", { width, height, role: "img", "aria-label": `Memory of ${plan.pairs.length} pairs of cache types against what they lose; the table below has the figures` });
  svg.append(
    yAxis(y, logTicks(y.domain()[0]!, y.domain()[1]!, true), box, "KL from an f16 cache, nats/token"),
    xAxis(x, x.ticks(width > 500 ? 7 : 4).map((at) => ({ at, label: String(at) })), box, `cache and buffers, ${unit === 2 ** 20 ? "MiB" : "GiB"}`),
    s("rect", { class: "beyond", x: box.left, y: box.top, width: box.right - box.left, height: Math.max(0, y(plan.most_kl) - box.top) }),
    s("line", { class: "limit", x1: box.left, x2: box.right, y1: y(plan.most_kl), y2: y(plan.most_kl) }),
    s("text", { class: "limit-text", x: box.right, y: y(plan.most_kl) - 5, "text-anchor": "end" }, `at most ${significant(plan.most_kl, 2)}`),
    s("path", { class: "front-line", d: line()(front.map(place)) ?? "" }),
  );
  for (const pair of lossy) {
    const [px, py] = place(pair);
    const dim = pair.on_front ? "" : " dim";
    svg.append(
      s("line", { class: `whisker mark${dim}`, x1: px, x2: px, y1: y(Math.max(pair.low, leastNats)), y2: y(Math.max(pair.high, leastNats)) }),
      s(
        "g",
        { class: `mark${dim}${nameOf(pair) === plan.chosen ? " chosen" : ""}`, transform: `translate(${px} ${py})` },
        s("title", {}, `${nameOf(pair)}: ${memoryText(pair.predicted_bytes)}, KL ${natsText(pair.kl_divergence)}, ${gradeOf(pair)}`),
        s("circle", { class: "ring", r: 9 }),
        gradeShape(gradeOf(pair)),
      ),
    );
  }
  let last = -Infinity;
  for (const pair of front) {
    const [px, py] = place(pair);
    if (pair.kl_divergence <= 0 || px - last < 60) continue;
    last = px;
    svg.append(s("text", { class: "strong", x: px + 10, y: py - 8, "aria-hidden": "true" }, nameOf(pair)));
  }
  return svg;
}

/** Whether a loss grows as the context fills: the pairs of the front that were measured. */
function depthChart(plan: KvPlan): HTMLElement | null {
  const most = 4;
  const front = plan.pairs.filter((p) => p.on_front && p.measured && p.kl_divergence > 0);
  const shown = [...front].sort((a, b) => Number(nameOf(b) === plan.chosen) - Number(nameOf(a) === plan.chosen)).slice(0, most);
  if (plan.depths.length < 2 || shown.length === 0) return null;
  const curves = shown.map((p) => ({ name: nameOf(p), points: plan.depths.map((d, i): [number, number] => [d, p.kl_by_depth[i] ?? 0]) }));
  return h(
    "figure",
    {},
    drawn((width) => linePlot({ curves, xTitle: "tokens of context before", yTitle: "KL, nats per token", label: "Loss by depth", xLog: false, yTicks: null, yFrom: 0, height: 420 }, width)),
    curveLegend(curves.map((c) => c.name)),
    h("figcaption", {}, "By depth: what is lost must not grow with the context. The chosen pair first, then others of the front."),
  );
}

function all(plan: KvPlan): HTMLElement {
  const titles = ["keys/values", "cache", "with buffers", "measured", "KL at the worst depth", "same likeliest", ...plan.depths.map((d) => `after ${countText(d)}`), "known by"];
  const rows = plan.pairs.map((pair) => {
    const kl = pair.kl_divergence > 0 ? `${natsText(pair.kl_divergence)} [${natsText(pair.low)}, ${natsText(pair.high)}]` : "0, by definition";
    const same = pair.top1_by_depth.length > 0 ? percentText(Math.min(...pair.top1_by_depth)) : "–";
    const cells = [memoryText(pair.kv_bytes), memoryText(pair.predicted_bytes), pair.measured_bytes === null ? "–" : memoryText(pair.measured_bytes), kl, same, ...pair.kl_by_depth.map(natsText)];
    const chosen = nameOf(pair) === plan.chosen;
    return h("tr", { class: chosen ? "chosen" : null }, h("th", { scope: "row" }, `${nameOf(pair)}${chosen ? " (chosen)" : pair.on_front ? " *" : ""}`), ...cells.map((cell) => h("td", { class: "num" }, cell)), h("td", {}, gradeBadge(gradeOf(pair))));
  });
  return h(
    "details",
    {},
    h("summary", {}, `All ${plan.pairs.length} pairs of types (* on the front)`),
    h("div", { class: "table-scroll", tabindex: "0", role: "region", "aria-label": "All pairs of cache types" }, h("table", {}, h("thead", {}, h("tr", {}, ...titles.map((t, i) => h("th", { scope: "col", class: i > 0 && i < titles.length - 1 ? "num" : null }, t)))), h("tbody", {}, ...rows))),
  );
}

function planned(plan: KvPlan): HTMLElement {
  const choice = plan.pairs.find((p) => nameOf(p) === plan.chosen);
  const plain = plan.pairs.find((p) => p.type_k === "f16" && p.type_v === "f16");
  const said = choice
    ? `Take ${nameOf(choice)}: ${memoryText(choice.predicted_bytes)}${plain ? ` in place of ${memoryText(plain.predicted_bytes)}` : ""}, and at no depth more than ${natsText(choice.high)} nats per token from what an f16 cache says.`
    : `No pair smaller than f16 stays within ${natsText(plan.most_kl)} nats per token.`;
  return h(
    "div",
    { class: "proof" },
    h("p", {}, said),
    h("p", { class: "muted small" }, `${baseName(plan.model)} with ${countText(plan.n_ctx)} tokens of context; ${countText(plan.n_judged)} tokens judged at each depth, in ${plan.n_texts === 1 ? "one stretch" : `${countText(plan.n_texts)} stretches`} of text. Allowed: ${natsText(plan.most_kl)} nats.`),
    gradeLegend(plan.pairs.map(gradeOf)),
    h(
      "div",
      { class: "columns two" },
      h("figure", {}, drawn((width) => pairsChart(plan, width)), h("figcaption", {}, "Lower is closer, left is smaller. The line is the front: no other pair is both. The mark is the worst depth with its 95 % interval; an open one is the sum of what its keys and its values lose alone.")),
      depthChart(plan),
    ),
    all(plan),
  );
}

export function kvSection(page: Page): HTMLElement | null {
  if (page.kvPlans.length === 0) return null;
  return section("kv", "The KV cache", "Types of cache by what they take and what they were measured to lose on the model that is named.", ...page.kvPlans.map(planned));
}
