// Where there are no weights to round: what each usual type would make of this model, file by file.
import { scaleLinear, scaleLog } from "d3-scale";
import { line } from "d3-shape";
import { type Box, logTicks, xAxis, yAxis } from "../chart/axes";
import { gradeBadge, gradeShape } from "../chart/marks";
import { drawn, freshId, h, s } from "../dom";
import { diskText, significant } from "../format";
import type { FileBasis, ModelBasis } from "../whatif/types";

const halfPrecision = 12; // bits; above them the loss is not known, and no choice

function chart(model: ModelBasis, files: FileBasis[], chosen: FileBasis, pick: (at: number) => void, width: number): SVGElement {
  const height = 300;
  const box: Box = { left: 58, right: width - 10, top: 34, bottom: height - 44 };
  const quality = model.mix_quality;
  const curve = (bits: number): number => Math.exp(quality.ln_kl_at_4_bits + quality.ln_kl_per_bit * (bits - 4));
  const bits = files.map((f) => f.bits_per_weight);
  const x = scaleLinear([Math.floor(Math.min(...bits)), Math.ceil(Math.max(...bits))], [box.left, box.right]);
  const all = files.flatMap((f) => [f.quality.kl_divergence, f.quality.low, f.quality.high]).filter((v) => v > 0);
  const y = scaleLog([Math.min(...all), Math.max(...all)], [box.bottom, box.top]).clamp(true);
  const svg = s("svg", { width, height, role: "img", "aria-label": `Loss by bits of ${files.length} usual types; ${chosen.preset} is chosen` });
  svg.append(
    yAxis(y, logTicks(y.domain()[0]!, y.domain()[1]!, width > 420), box, "KL, nats per token"),
    xAxis(x, x.ticks(width > 420 ? 8 : 4).map((at) => ({ at, label: String(at) })), box, "bits of a weight"),
    s("path", { class: "line s1", d: line()([x.domain()[0]!, x.domain()[1]!].map((b) => [x(b), y(curve(b))] as [number, number])) ?? "" }),
  );
  files.forEach((file, i) => {
    const { kl_divergence, low, high } = file.quality;
    const at = x(file.bits_per_weight);
    const mark = s(
      "g",
      { class: `mark${file === chosen ? " chosen" : ""}`, transform: `translate(${at} ${y(kl_divergence)})` },
      s("title", {}, `${file.preset}: ${significant(kl_divergence, 3)} nats`),
      s("circle", { class: "hit", r: 9 }),
      s("circle", { class: "ring", r: 9 }),
      gradeShape(file.grade, 4),
    );
    mark.addEventListener("click", () => pick(i));
    if (high > low) svg.append(s("line", { class: "whisker mark", x1: at, x2: at, y1: y(Math.max(low, y.domain()[0]!)), y2: y(high) }));
    svg.append(mark);
  });
  return svg;
}

export function presetFigure(model: ModelBasis): HTMLElement {
  const files = model.files.filter((f) => f.bits_per_weight < halfPrecision && f.quality.kl_divergence > 0);
  const id = freshId("preset");
  const usual = files.findIndex((f) => f.preset === "Q4_K_M");
  const slider = h("input", { type: "range", id, min: 0, max: Math.max(0, files.length - 1), step: 1, value: Math.max(0, usual) });
  const output = h("output", { for: id });
  const readings = h("dl", { class: "readings", "aria-live": "polite" });
  let chosen = files[Math.max(0, usual)]!;
  const picture = drawn((width) => chart(model, files, chosen, pick, width));
  const update = (): void => {
    chosen = files[Number(slider.value)] ?? chosen;
    const kl = chosen.quality;
    output.textContent = `${chosen.preset}, ${chosen.bits_per_weight.toFixed(2)} bits`;
    slider.setAttribute("aria-valuetext", output.textContent);
    const interval = kl.high > kl.low ? `${significant(kl.low, 2)} to ${significant(kl.high, 2)} ` : "";
    readings.replaceChildren(
      h("div", {}, h("dt", {}, "the file"), h("dd", { class: "big" }, diskText(chosen.file_bytes))),
      h("div", {}, h("dt", {}, "it loses, nats per token"), h("dd", { class: "big" }, significant(kl.kl_divergence, 3)), h("dd", { class: "small muted" }, interval, gradeBadge(chosen.grade))),
    );
    picture.redraw();
  };
  const pick = (at: number): void => {
    slider.value = String(at);
    update();
  };
  slider.addEventListener("input", update);
  update();
  return h(
    "figure",
    { class: "panel" },
    h("div", { class: "control" }, h("label", { for: id }, "Type of the file", output), slider),
    readings,
    picture,
    h("figcaption", {}, `Sizes are exact: the engine's own arithmetic over this model's shapes. The dashed line is what a mix of types is expected to lose: ${model.mix_quality.source}. With a model file in place of a blueprint, this figure rounds one of its own blocks.`),
  );
}
