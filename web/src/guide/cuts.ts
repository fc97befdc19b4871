// Take a part away from one layer and see what the model loses: what a prune run measured, layer by layer.
import { scaleLinear, scaleLog } from "d3-scale";
import { type Box, logTicks, xAxis, yAxis } from "../chart/axes";
import { gradeBadge, gradeShape } from "../chart/marks";
import { drawn, freshId, h, s } from "../dom";
import { baseName, type CutPart, type Prune } from "../data";
import { countText, paramsText, significant } from "../format";
import type { Grade } from "../whatif/types";

type Kind = CutPart["kind"] | "layer";
const words: Record<Kind, string> = { kv_heads: "KV heads, with the queries that read them", ffn_channels: "feed-forward channels", layer: "the whole layer" };

/** What one layer loses with so much of it gone. */
interface Cut {
  layer: number;
  kl: number;
  grade: Grade;
  gone: number;
  parameters: number;
}

/** A logarithmic axis has no zero: a dead part stands here. */
const leastNats = 1e-6;

/** Of every layer that has so many steps; a step is a head, or a few hundred channels. */
function cutsOf(run: Prune, kind: Kind, step: number): Cut[] {
  const costs = run.costs;
  if (!costs) return [];
  if (kind === "layer") {
    const before = new Map(run.layers.map((l) => [l.layer, l]));
    const each = (part: CutPart["kind"], layer: number): number => costs.parts.find((p) => p.kind === part && p.layer === layer)?.parameters ?? 0;
    return costs.layers.map(({ layer, kl_divergence }) => {
      const l = before.get(layer);
      const parameters = l ? l.kv_heads_before * each("kv_heads", layer) + l.ffn_channels_before * each("ffn_channels", layer) : 0;
      return { layer, kl: kl_divergence, grade: "measured", gone: 1, parameters };
    });
  }
  return costs.parts.flatMap((part) => {
    const at = part.steps[step - 1];
    if (part.kind !== kind || !at) return [];
    return [{ layer: part.layer, kl: at.kl_divergence, grade: part.n_measured === step ? ("measured" as const) : ("predicted" as const), gone: at.gone, parameters: at.gone * part.parameters }];
  });
}

function layerChart(cuts: Cut[], chosen: number, all: [number, number], pick: (layer: number) => void, width: number): SVGElement {
  const height = 250;
  const box: Box = { left: 58, right: width - 10, top: 34, bottom: height - 44 };
  const layers = cuts.map((c) => c.layer);
  const x = scaleLinear([Math.min(...layers) - 0.5, Math.max(...layers) + 0.5], [box.left, box.right]);
  const y = scaleLog([all[0] / 3, all[1] * 1.5], [box.bottom, box.top]).clamp(true);
  const svg = s("svg", { width, height, role: "img", "aria-label": `What the model loses, by the layer that it is taken from: ${cuts.map((c) => `layer ${c.layer} ${significant(c.kl, 2)}`).join(", ")} nats` });
  svg.append(
    yAxis(y, logTicks(y.domain()[0]!, y.domain()[1]!, false), box, "KL, nats per token"),
    xAxis(x, x.ticks(Math.min(layers.length, width > 420 ? 10 : 6)).filter(Number.isInteger).map((at) => ({ at, label: String(at) })), box, "layer"),
  );
  for (const cut of cuts) {
    const at: [number, number] = [x(cut.layer), y(Math.max(y.domain()[0]!, cut.kl))];
    const mark = s(
      "g",
      { class: `mark${cut.layer === chosen ? " chosen" : ""}`, transform: `translate(${at[0]} ${at[1]})` },
      s("title", {}, `layer ${cut.layer}: ${significant(cut.kl, 3)} nats, ${cut.grade}`),
      s("circle", { class: "hit", r: 10 }),
      s("circle", { class: "ring", r: 8.5 }),
      gradeShape(cut.grade, 4),
    );
    mark.addEventListener("click", () => pick(cut.layer));
    svg.append(s("line", { class: cut.layer === chosen ? "stem chosen" : "stem", x1: at[0], x2: at[0], y1: box.bottom, y2: at[1] }), mark);
  }
  return svg;
}

function range(name: string): { element: HTMLElement; input: HTMLInputElement; output: HTMLOutputElement } {
  const id = freshId("cut");
  const output = h("output", { for: id });
  const input = h("input", { type: "range", id, min: 0, max: 1, step: 1, value: 0 });
  return { element: h("div", { class: "control" }, h("label", { for: id }, name, output), input), input, output };
}

/** @param run  with costs */
export function cutFigure(run: Prune): HTMLElement {
  const costs = run.costs!;
  const kinds = (["kv_heads", "ffn_channels", "layer"] as const).filter((k) => (k === "layer" ? costs.layers.length > 0 : costs.parts.some((p) => p.kind === k)));
  const kind = h("select", { id: freshId("cut") }, ...kinds.map((k) => h("option", { value: k }, words[k])));
  const [many, layer] = [range("How many"), range("Of layer")];
  const readings = h("dl", { class: "readings", "aria-live": "polite" });
  let cuts: Cut[] = [];
  let chosen = 0;
  let span: [number, number] = [leastNats, 1];
  const pick = (which: number): void => {
    layer.input.value = String(Math.max(0, cuts.findIndex((c) => c.layer === which)));
    update();
  };
  const chart = drawn((width) => layerChart(cuts, chosen, span, pick, width));
  const update = (): void => {
    const what = kind.value as Kind;
    cuts = cutsOf(run, what, Number(many.input.value));
    layer.input.max = String(cuts.length - 1);
    const cut = cuts[Number(layer.input.value)] ?? cuts[0]!;
    chosen = cut.layer;
    const before = run.layers.find((l) => l.layer === cut.layer);
    const of = before ? (what === "kv_heads" ? before.kv_heads_before : before.ffn_channels_before) : 0;
    many.output.textContent = of > 0 ? `${countText(cut.gone)} of ${countText(of)}` : countText(cut.gone);
    layer.output.textContent = String(cut.layer);
    for (const one of [many, layer]) one.input.setAttribute("aria-valuetext", one.output.textContent);
    many.element.hidden = what === "layer";
    const figures: [string, string, Grade | null][] = [
      ["the model loses", cut.kl < leastNats ? "nothing" : `${significant(cut.kl, 3)} nats`, cut.grade],
      ["weights that go", cut.parameters > 0 ? paramsText(cut.parameters) : "not known", null],
      ["layers where it costs less", `${countText(cuts.filter((c) => c.kl < cut.kl).length)} of ${cuts.length}`, null],
    ];
    readings.replaceChildren(...figures.map(([name, value, grade]) => h("div", {}, h("dt", {}, name), h("dd", { class: "big" }, value), grade ? h("dd", {}, gradeBadge(grade)) : "")));
    chart.redraw();
  };
  const reset = (): void => {
    const what = kind.value as Kind;
    const steps = Math.max(1, ...costs.parts.filter((p) => p.kind === what).map((p) => p.steps.length));
    many.input.min = "1";
    many.input.max = String(steps);
    const byStep = Array.from({ length: what === "layer" ? 1 : steps }, (_, i) => cutsOf(run, what, i + 1));
    // Where parts are dead the first of them cost nothing: begin where the layers differ.
    many.input.value = String(Math.max(0, byStep.findIndex((cutsThere) => cutsThere.some((c) => c.kl > leastNats))) + 1);
    const felt = byStep.flat().map((c) => c.kl).filter((kl) => kl > leastNats);
    span = felt.length > 0 ? [Math.min(...felt), Math.max(...felt)] : [leastNats, 10 * leastNats];
    update();
  };
  kind.addEventListener("change", reset);
  many.input.addEventListener("input", update);
  layer.input.addEventListener("input", update);
  reset();
  return h(
    "figure",
    { class: "panel" },
    h("div", { class: "control" }, h("label", { for: kind.id }, "Take away"), kind),
    many.element,
    layer.element,
    readings,
    chart,
    h(
      "figcaption",
      {},
      `${baseName(run.source.path)}, by ech0 prune: a disc is a removal that was really made in that layer alone and run through the whole model, on ${countText(costs.n_tokens)} tokens held out; ` +
        "an open circle follows from it by the error of the layer's output. What stays in the layer makes up for what went as well as it can. The cheapest go first; marks on the axis lose nothing. Choose a layer by its mark or by the slider.",
    ),
  );
}
