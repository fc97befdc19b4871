// Second movement: what remembering costs.
import { linePlot } from "../chart/lines";
import { gradeBadge } from "../chart/marks";
import { drawn, freshId, h } from "../dom";
import { type Inspect, isKvPlanOf, type Page } from "../data";
import { countText, memoryText, percentText, significant } from "../format";
import type { State } from "../state";
import type { CacheBasis, Grade } from "../whatif/types";

const sumOver = (values: number | number[], layers: number): number => (Array.isArray(values) ? values.reduce((a, b) => a + b, 0) : values * layers);

const shareText = (share: number): string => percentText(share, share < 0.1 ? 1 : 0);

interface Loss {
  nats: number;
  grade: Grade;
  n_ctx: number;
}

/** What a cache of this type was measured to lose on this model: by the plan that was kept for this context, or a run that the
 *  page was given. */
function lossOf(page: Page, model: Inspect, cache: CacheBasis | undefined, type: string): Loss | null {
  if (cache?.loss) return { nats: cache.loss.kl_divergence, grade: "measured", n_ctx: cache.n_ctx };
  const plan = page.kvPlans.find((run) => isKvPlanOf(run, model));
  const pair = plan?.pairs.find((p) => (p.type_k === p.type_v ? p.type_k : `${p.type_k}/${p.type_v}`) === type);
  return plan && pair ? { nats: pair.kl_divergence, grade: pair.measured ? "measured" : "predicted", n_ctx: plan.n_ctx } : null;
}

function lossText(loss: Loss | null): HTMLElement | null {
  return loss && h("dd", { class: "small muted" }, loss.nats > 0 ? `loses ${significant(loss.nats, 2)} nats in ${countText(loss.n_ctx)} tokens ` : "loses nothing ", gradeBadge(loss.grade));
}

export function cacheMovement(page: Page, state: State): HTMLElement {
  const model = page.models[0]!;
  const basis = state.dashboard.basis.models[0]!;
  const kvHeads = sumOver(model.n_head_kv, model.n_layer);
  const heads = sumOver(model.n_head, model.n_layer);
  const types = [...new Set(basis.caches.map((c) => c.kv_type))];
  const contexts = [...new Set(basis.caches.map((c) => c.n_ctx))].sort((a, b) => a - b);
  const cacheOf = (type: string, n: number): CacheBasis | undefined => basis.caches.find((c) => c.kv_type === type && c.n_ctx === n);
  const bytesOf = (type: string, n: number): number => cacheOf(type, n)?.kv_bytes ?? 0;
  const isMeasured = basis.caches.some((c) => c.loss) || page.kvPlans.some((run) => isKvPlanOf(run, model));
  const id = freshId("context");
  const slider = h("input", { type: "range", id, min: 0, max: contexts.length - 1, step: 1, value: Math.max(0, contexts.indexOf(state.initial.n_ctx)) });
  const output = h("output", { for: id });
  const readings = h("dl", { class: "readings", "aria-live": "polite" });
  const update = (): void => {
    const n = contexts[Number(slider.value)] ?? contexts[0]!;
    output.textContent = `${countText(n)} tokens`;
    slider.setAttribute("aria-valuetext", output.textContent);
    readings.replaceChildren(
      ...types.map((type) => h("div", {}, h("dt", {}, `${type} cache`), h("dd", { class: "big" }, memoryText(bytesOf(type, n))), h("dd", { class: "small muted" }, `${shareText(bytesOf(type, n) / model.tensor_bytes)} of the weights`), lossText(lossOf(page, model, cacheOf(type, n), type)))),
    );
  };
  slider.addEventListener("input", update);
  update();
  const curves = types.map((type) => ({ name: type, points: contexts.map((n): [number, number] => [n, bytesOf(type, n) / 2 ** 30]) }));
  const perToken = model.kv_bytes_per_token;
  return h(
    "div",
    { class: "movement" },
    h(
      "div",
      { class: "prose" },
      h("h3", {}, h("span", { class: "ordinal" }, "Second movement"), "The KV cache: what remembering costs"),
      h("p", {}, "To write the next token the model looks back at all tokens before it. It keeps two vectors for each of them in each layer, a key to be found by and a value to be read, so as not to compute them again."),
      h("p", {}, `Here that is 2 × ${countText(kvHeads)} heads (over ${model.n_layer} layers) × ${model.n_embd_head_k} numbers × 2 bytes = ${countText(perToken)} bytes for every token. ${heads > kvHeads ? `Its ${countText(heads)} query heads share those ${countText(kvHeads)} KV heads, ${significant(heads / kvHeads, 2)} to one, which makes the cache that much smaller than it would be otherwise.` : "Every query head has a KV head of its own."}`),
      h("p", {}, "Weights are read once for every token however long the talk is; the cache grows with the talk, and it too is read for every token. So a long context costs memory and speed at once. Storing it in 8 or 4 bits gives most of that back; values take rounding well, keys less so, because a few of their channels are large in every token and a shift in a key moves attention itself."),
      h("p", {}, `What that loses must be measured on the model at hand: ech0 counts no loss for a cache that it has not measured, and says so.${isMeasured ? " Here it was measured, by ech0 kv plan." : " ech0 kv plan measures it, and this page shows it when it is given the run."}`),
    ),
    h(
      "figure",
      { class: "panel" },
      h("div", { class: "control" }, h("label", { for: id }, "Context", output), slider),
      readings,
      contexts.length > 1
        ? drawn((width) => linePlot({ curves, xTitle: "tokens of context", yTitle: "GiB", label: "Cache size by context and type", xLog: false, yTicks: null, yFrom: 0, height: 240 }, width))
        : null,
      h("figcaption", {}, `Sizes by the engine's own accounting, with its paddings and sliding windows. Solid ${types[0] ?? ""}${types[1] ? `, dashed ${types[1]}` : ""}${types[2] ? `, dotted ${types[2]}` : ""}.`),
    ),
  );
}
