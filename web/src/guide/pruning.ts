// Third movement: taking parts away, and what the same bytes would buy instead.
import { drawn, freshId, h } from "../dom";
import { dotPlot } from "../chart/dotplot";
import type { Inspect, Page } from "../data";
import { baseName } from "../data";
import { countText, diskText, natsText, paramsText, percentText } from "../format";
import type { State } from "../state";

const elements = (shape: number[]): number => shape.reduce((a, b) => a * b, 1);
const first = (v: number | number[]): number => (Array.isArray(v) ? (v[0] ?? 0) : v);

/** Weights of one KV group (a KV head with its queries) and of one feed-forward channel, over all layers, from the shapes. */
function unitSizes(model: Inspect): { group: number; groups: number; channel: number; channels: number } {
  const sum = (pattern: RegExp): number => model.tensors.filter((t) => pattern.test(t.name)).reduce((n, t) => n + elements(t.shape), 0);
  const attention = sum(/^blk\.\d+\.attn_(q|k|v|qkv|output)\.weight$/);
  const forward = sum(/^blk\.\d+\.ffn_(gate|up|down)\.weight$/);
  const groups = first(model.n_head_kv);
  const channels = first(model.n_ff);
  return { group: groups > 0 ? attention / groups : 0, groups, channel: channels > 0 ? forward / channels : 0, channels };
}

export function pruning(page: Page, state: State): HTMLElement {
  const model = page.models[0]!;
  const basis = state.dashboard.basis.models[0]!;
  const unit = unitSizes(model);
  const [headId, channelId] = [freshId("heads"), freshId("channels")];
  const heads = h("input", { type: "range", id: headId, min: 0, max: Math.max(0, unit.groups - 1), step: 1, value: 0 });
  const channels = h("input", { type: "range", id: channelId, min: 0, max: 90, step: 5, value: 20 });
  const [headOut, channelOut] = [h("output", { for: headId }), h("output", { for: channelId })];
  const readings = h("dl", { class: "readings", "aria-live": "polite" });
  const line = basis.mix_quality;
  const update = (): void => {
    const goneHeads = Number(heads.value);
    const goneShare = Number(channels.value) / 100;
    headOut.textContent = `${goneHeads} of ${unit.groups}`;
    channelOut.textContent = percentText(goneShare, 0);
    const removed = goneHeads * unit.group + goneShare * unit.channels * unit.channel;
    const share = removed / model.n_params;
    const bytes = 2 * (model.n_params - removed);
    const bits = (8 * bytes) / model.n_params;
    const kl = Math.exp(line.ln_kl_at_4_bits + line.ln_kl_per_bit * (Math.min(8, bits) - 4));
    const words = bits >= 8 ? `at most ${natsText(kl)}` : natsText(kl);
    readings.replaceChildren(
      ...([
        ["weights removed", `${paramsText(removed)} (${percentText(share)})`],
        ["left in half precision", diskText(bytes)],
        ["all weights at equal bytes", `${bits.toFixed(1)} bits each`],
        ["and that would lose, predicted", `${words} nats`],
      ] as const).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", { class: "big" }, value))),
    );
  };
  heads.addEventListener("input", update);
  channels.addEventListener("input", update);
  update();
  const dots = page.prunings.flatMap((run) => {
    const kl = run.kl_divergence;
    const name = baseName(run.output.path);
    const dot = (label: string, value: number) => ({ label, value, low: value, high: value, text: `${natsText(value)} nats`, grade: "measured" as const });
    return [dot(`${name}, as cut`, kl.unrepaired), ...(kl.repaired === null ? [] : [dot(`${name}, repaired`, kl.repaired)])];
  });
  return h(
    "div",
    { class: "movement" },
    h(
      "div",
      { class: "prose" },
      h("h3", {}, h("span", { class: "ordinal" }, "Third movement"), "Pruning and sharing: fewer weights"),
      h("p", {}, `Rounding makes every weight smaller; pruning takes some away whole. The parts that can go without changing the rest are the KV heads with the queries that read them (${unit.groups} in each layer here, ${paramsText(unit.group / Math.max(1, model.n_layer))} weights each) and the feed-forward channels (${countText(unit.channels)} in each layer), and after them whole layers.`),
      h("p", {}, "Which part is idle can't be read from the weights: a large weight on an input that is always zero does nothing. It is measured, by what comes out without it. What stays can then be refitted in closed form, by least squares, so that it does the work of what left as well as it can."),
      h("p", {}, "The honest question is what the same bytes would buy otherwise. The figure takes heads and channels away, counts what is left in half precision, and sets beside it all the weights, rounded to the same bytes. Rounding usually wins, because 16 bits hold far more than a weight needs; pruning pays where parts really are dead, or where rounding has already reached its end."),
      page.prunings.length > 0 ? h("p", {}, "Below, what cutting this model really did, measured, before and after the repair.") : h("p", {}, "What dropping a head really does to this model is for a measurement to say: ech0 prune makes one, and this page shows it when it is given the run."),
    ),
    h(
      "figure",
      { class: "panel" },
      h("div", { class: "control" }, h("label", { for: headId }, "KV groups away, in each layer", headOut), heads),
      h("div", { class: "control" }, h("label", { for: channelId }, "Feed-forward channels away", channelOut), channels),
      readings,
      dots.length > 0 ? drawn((width) => dotPlot({ dots, title: "KL divergence, nats per token", label: "Measured KL divergence after cutting", log: true }, width)) : null,
      h("figcaption", {}, "Weights counted from this model's shapes; the loss of rounding from the curve of the first movement."),
    ),
  );
}
