// Third movement: taking parts away, and what the same bytes would buy instead.
import { drawn, freshId, h } from "../dom";
import { dotPlot } from "../chart/dotplot";
import { baseName, type Inspect, isPruningOf, type Page } from "../data";
import { countText, diskText, natsText, paramsText, percentText, significant } from "../format";
import type { State } from "../state";
import { cutFigure } from "./cuts";

const elements = (shape: number[]): number => shape.reduce((a, b) => a * b, 1);
const first = (v: number | number[]): number => (Array.isArray(v) ? (v[0] ?? 0) : v);

/** A kind of part that can go: how many each layer has, and the weights of one of them in all layers together. */
interface Unit {
  each: number;
  weights: number;
}

/** From the shapes: KV groups (a KV head with its queries), and feed-forward channels, or the experts of a mixture. */
function unitsOf(model: Inspect): { groups: Unit; inner: Unit; isMixture: boolean } {
  const sum = (pattern: RegExp): number => model.tensors.filter((t) => pattern.test(t.name)).reduce((n, t) => n + elements(t.shape), 0);
  const unit = (weights: number, each: number): Unit => ({ each, weights: each > 0 ? weights / each : 0 });
  const isMixture = model.n_expert > 0;
  return {
    groups: unit(sum(/^blk\.\d+\.attn_(q|k|v|qkv|output)\.weight$/), first(model.n_head_kv)),
    inner: isMixture ? unit(sum(/^blk\.\d+\.ffn_(gate|up|down|gate_up)_exps\.weight$/), model.n_expert) : unit(sum(/^blk\.\d+\.ffn_(gate|up|down)\.weight$/), first(model.n_ff)),
    isMixture,
  };
}

/** Parts taken from every layer, and what rounding all weights to as many bytes would lose in their place. */
function budgetFigure(page: Page, state: State): HTMLElement {
  const model = page.models[0]!;
  const { groups, inner, isMixture } = unitsOf(model);
  const [headId, innerId] = [freshId("heads"), freshId("inner")];
  const heads = h("input", { type: "range", id: headId, min: 0, max: Math.max(0, groups.each - 1), step: 1, value: 0 });
  const away = h("input", { type: "range", id: innerId, min: 0, max: 90, step: 5, value: 20 });
  const [headOut, innerOut] = [h("output", { for: headId }), h("output", { for: innerId })];
  const readings = h("dl", { class: "readings", "aria-live": "polite" });
  const line = state.dashboard.basis.models[0]!.mix_quality;
  const update = (): void => {
    const share = Number(away.value) / 100;
    headOut.textContent = `${heads.value} of ${groups.each}`;
    innerOut.textContent = `${countText(share * inner.each)} of ${countText(inner.each)}`;
    const removed = Number(heads.value) * groups.weights + Math.round(share * inner.each) * inner.weights;
    const bytes = 2 * (model.n_params - removed);
    const bits = (8 * bytes) / model.n_params;
    const kl = Math.exp(line.ln_kl_at_4_bits + line.ln_kl_per_bit * (Math.min(8, bits) - 4));
    readings.replaceChildren(
      ...([
        ["weights removed", `${paramsText(removed)} (${percentText(removed / model.n_params)})`],
        ["left in half precision", diskText(bytes)],
        ["all weights at equal bytes", `${bits.toFixed(1)} bits each`],
        ["that would lose, predicted", `${bits >= 8 ? "at most " : ""}${significant(kl, 2)} nats`],
      ] as const).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", { class: "big" }, value))),
    );
  };
  heads.addEventListener("input", update);
  away.addEventListener("input", update);
  update();
  const dots = page.prunings.filter((run) => isPruningOf(run, model)).flatMap((run) => {
    const kl = run.kl_divergence;
    const name = baseName(run.output.path);
    const dot = (label: string, value: number) => ({ label, value, low: value, high: value, text: `${natsText(value)} nats`, grade: "measured" as const });
    return [dot(`${name}, as cut`, kl.unrepaired), ...(kl.repaired === null ? [] : [dot(`${name}, repaired`, kl.repaired)])];
  });
  return h(
    "figure",
    { class: "panel" },
    groups.each > 1 ? h("div", { class: "control" }, h("label", { for: headId }, "KV groups away, in each layer", headOut), heads) : null,
    h("div", { class: "control" }, h("label", { for: innerId }, `${isMixture ? "Experts" : "Feed-forward channels"} away, in each layer`, innerOut), away),
    readings,
    dots.length > 0 ? drawn((width) => dotPlot({ dots, title: "KL divergence, nats per token", label: "Measured KL divergence after cutting", log: true }, width)) : null,
    h("figcaption", {}, `Weights counted from this model's shapes; the loss of rounding from the curve of the first movement.${dots.length > 0 ? " Below, what cutting really did, measured before and after the repair." : ""}`),
  );
}

export function pruning(page: Page, state: State): HTMLElement {
  const model = page.models[0]!;
  const { groups, inner, isMixture } = unitsOf(model);
  const measured = page.prunings.find((run) => isPruningOf(run, model) && (run.costs?.parts.length ?? 0) > 0);
  const parts = isMixture ? `the experts (${countText(inner.each)} in each layer)` : `the feed-forward channels (${countText(inner.each)} in each layer)`;
  return h(
    "div",
    { class: "movement" },
    h(
      "div",
      { class: "prose" },
      h("h3", {}, h("span", { class: "ordinal" }, "Third movement"), "Pruning and sharing: fewer weights"),
      h("p", {}, `Rounding makes every weight smaller; pruning takes some away whole. The parts that can go without changing the rest are the KV heads with the queries that read them (${groups.each} in each layer here, ${paramsText(groups.weights / Math.max(1, model.n_layer))} weights each) and ${parts}, and after them whole layers.`),
      h("p", {}, "Which part is idle can't be read from the weights: a large weight on an input that is always zero does nothing. It is measured, by what comes out without it. What stays can then be refitted in closed form, by least squares, so that it does the work of what left as well as it can."),
      measured
        ? h("p", {}, "The first figure drops a head, some channels or a layer, and tells what the model loses by it, as it was measured. Go through the layers: some parts cost nothing, others a hundred times as much as their neighbours.")
        : h("p", {}, "What dropping a head really does to this model is for a measurement to say: ech0 prune makes one, layer by layer, and this page shows it when it is given the run."),
      h("p", {}, "The honest question is what the same bytes would buy otherwise. The figure takes parts from every layer, counts what is left in half precision, and sets beside it all the weights, rounded to the same bytes. Rounding usually wins, because 16 bits hold far more than a weight needs; pruning pays where parts really are dead, or where rounding has already reached its end."),
    ),
    h("div", { class: "figures" }, measured ? cutFigure(measured) : null, budgetFigure(page, state)),
  );
}
