// First movement: fewer bits per weight. The figure rounds a real block of this model.
import { scaleLinear } from "d3-scale";
import { linePlot } from "../chart/lines";
import { drawn, freshId, h, s } from "../dom";
import type { Page, Specimen } from "../data";
import { diskText, paramsText, percentText, significant } from "../format";
import type { State } from "../state";
import { type Rounded, roundWeights } from "./block";
import { presetFigure } from "./presets";

const shownWeights = 32;

function stems(specimen: Specimen, rounded: Rounded, width: number): SVGElement {
  const height = 240;
  const weights = specimen.weights.slice(0, shownWeights);
  const most = Math.max(...weights.map(Math.abs)) * 1.12 || 1;
  const x = scaleLinear([-0.5, weights.length - 0.5], [8, width - 8]);
  const y = scaleLinear([-most, most], [height - 8, 8]);
  const svg = s("svg", { width, height, role: "img", "aria-label": `${weights.length} weights of ${specimen.tensor} and the levels they are rounded to` });
  if (rounded.levels.length <= 33)
    for (const level of rounded.levels) if (Math.abs(level) <= most) svg.append(s("line", { class: "level-line", x1: 8, x2: width - 8, y1: y(level), y2: y(level) }));
  weights.forEach((weight, i) => {
    const to = rounded.values[i] ?? 0;
    svg.append(
      s("line", { class: "stem", x1: x(i), x2: x(i), y1: y(0), y2: y(weight) }),
      s("line", { class: "error-bar", x1: x(i), x2: x(i), y1: y(weight), y2: y(to) }),
      s("circle", { class: "stem-dot", cx: x(i), cy: y(weight), r: 2.4 }),
      s("circle", { class: "rounded-dot", cx: x(i), cy: y(to), r: 4 }),
    );
  });
  return svg;
}

function errorCurve(specimen: Specimen, width: number): SVGElement {
  const curve = (search: boolean): [number, number][] =>
    [1, 2, 3, 4, 5, 6, 7, 8].map((bits) => [bits, Math.log10(Math.max(1e-7, roundWeights(specimen.weights, bits, search).relativeError))]);
  const yTicks = [0, -1, -2, -3, -4, -5].map((at) => ({ at, label: at === 0 ? "100 %" : `${Number((100 * 10 ** at).toPrecision(1))} %` }));
  return linePlot(
    { curves: [{ name: "plain", points: curve(false) }, { name: "searched", points: curve(true) }], xTitle: "bits of a weight", yTitle: "squared error, share", label: "Error of the block by bits, plain and with a searched scale", xLog: false, yTicks, height: 240 },
    width,
  );
}

function figure(specimen: Specimen): HTMLElement {
  const id = freshId("bits");
  const bits = h("input", { type: "range", id, min: 1, max: 8, step: 1, value: 3 });
  const search = h("input", { type: "checkbox", checked: true });
  const output = h("output", { for: id });
  const readings = h("dl", { class: "readings", "aria-live": "polite" });
  let rounded = roundWeights(specimen.weights, 3, true);
  const picture = drawn((width) => stems(specimen, rounded, width));
  const update = (): void => {
    const n = Number(bits.value);
    rounded = roundWeights(specimen.weights, n, search.checked);
    output.textContent = `${n} bit${n > 1 ? "s" : ""}, ${2 ** n} levels`;
    readings.replaceChildren(
      ...([
        ["error, share of the weights' power", percentText(rounded.relativeError, rounded.relativeError < 0.001 ? 4 : 2)],
        ["signal to noise", `${significant(-10 * Math.log10(Math.max(1e-12, rounded.relativeError)), 3)} dB`],
        ["bits with the scale", rounded.bitsPerWeight.toFixed(1)],
      ] as const).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", { class: "big" }, value))),
    );
    picture.redraw();
  };
  bits.addEventListener("input", update);
  search.addEventListener("change", update);
  update();
  return h(
    "figure",
    { class: "panel" },
    h("div", { class: "control" }, h("label", { for: id }, "Bits of a weight", output), bits),
    h("div", { class: "choices" }, h("label", {}, search, "search the scale that errs least")),
    picture,
    readings,
    drawn((width) => errorCurve(specimen, width)),
    h(
      "figcaption",
      {},
      h("code", {}, specimen.tensor),
      `, row ${specimen.row}, weights ${specimen.first_column} to ${specimen.first_column + specimen.weights.length - 1} (${specimen.type} in the file; the first ${shownWeights} drawn). ` +
        "Discs: the weights. Rings: what they are rounded to. Red: the error. Below, the error by bits: solid with the largest weight as the scale's end, dashed with the searched scale.",
    ),
  );
}

export function quantization(page: Page, state: State): HTMLElement {
  const model = page.models[0]!;
  const specimen = page.specimens[0];
  const basis = state.dashboard.basis.models[0]!;
  const half = (model.n_params * 2) / 1e9;
  const line = basis.mix_quality;
  const at = (bits: number): string => significant(Math.exp(line.ln_kl_at_4_bits + line.ln_kl_per_bit * (bits - 4)), 2);
  const perBit = significant(Math.exp(-line.ln_kl_per_bit), 2);
  return h(
    "div",
    { class: "movement" },
    h(
      "div",
      { class: "prose" },
      h("h3", {}, h("span", { class: "ordinal" }, "First movement"), "Quantization: fewer bits for each weight"),
      h("p", {}, `${model.name || model.asked} has ${paramsText(model.n_params)} weights. In half precision each takes 16 bits, ${significant(half, 3)} GB in all; ${model.bits_per_weight < 15 ? `the file at hand holds them in ${model.bits_per_weight.toFixed(2)} bits each, ${diskText(model.size_bytes)}` : "and that is what is to become smaller"}.`),
      h("p", {}, `A weight need not be exact, because thousands of them are added up, and their errors mostly cancel. So a block of 32 neighbours shares one scale, and each weight keeps only the number of the nearest level. Every bit more halves the distance between levels and divides the error's power by four: six decibels a bit${specimen ? ", which is what the lower curve of the figure shows where it is straight" : ""}.`),
      h("p", {}, "What matters in the end is not the weights' error but what the model then says. That is measured as the Kullback-Leibler divergence: how many nats the new model's prediction of the next token loses against the original's, on average. 0.01 is hard to notice, 0.1 can be noticed, 1 is another model."),
      h("p", {}, `For this model the curve through published figures expects ${at(6)} nats at 6 bits, ${at(5)} at 5, ${at(4)} at 4 and ${at(3)} at 3: each bit less costs about ${perBit} times as much (${line.source}; nine of ten models lie between ${significant(line.low_factor, 2)} and ${significant(line.high_factor, 2)} times that).`),
      h("p", {}, `Three things beat plain rounding: a scale that is searched${specimen ? " (try the box)" : ""}, rounding that hands each weight's error on to those that are not yet rounded, and giving the bits to the tensors that the output hangs on. ech0 compress does all three and measures the result.`),
    ),
    specimen ? figure(specimen) : presetFigure(basis),
  );
}
