// What types the cache may have: what each pair of types takes and what it was measured to lose on this model.
import { dotPlot } from "../chart/dotplot";
import { drawn, h, section } from "../dom";
import { baseName, type KvPair, type KvPlan, type Page } from "../data";
import { countText, memoryText, natsText } from "../format";

const nameOf = (pair: KvPair): string => (pair.type_k === pair.type_v ? pair.type_k : `${pair.type_k}/${pair.type_v}`);

/** A log scale has no zero: what is lost is at least this. */
const leastNats = 1e-6;

function front(plan: KvPlan): HTMLElement {
  const dots = plan.pairs
    .filter((pair) => pair.on_front)
    .sort((a, b) => b.predicted_bytes - a.predicted_bytes)
    .map((pair) => {
      const value = Math.max(pair.kl_divergence, leastNats);
      const best = Math.max(Math.min(...pair.kl_by_depth), leastNats);
      return {
        label: `${nameOf(pair)}, ${memoryText(pair.predicted_bytes)}`,
        value,
        low: Math.min(best, value),
        high: value,
        text: `${natsText(pair.kl_divergence)}${nameOf(pair) === plan.chosen ? ", chosen" : ""}`,
        grade: pair.measured ? ("measured" as const) : ("predicted" as const),
      };
    });
  return h(
    "figure",
    {},
    drawn((width) => dotPlot({ dots, title: "KL divergence from an f16 cache, nats per token", label: "The front of cache types", log: true, reference: { at: plan.most_kl, text: `at most ${natsText(plan.most_kl)}` } }, width)),
    h("figcaption", {}, "The front: no other pair is both smaller and closer. The mark is the worst depth, the bar reaches to the best."),
  );
}

function all(plan: KvPlan): HTMLElement {
  const titles = ["keys/values", "cache", "with buffers", "measured", "KL divergence", ...plan.depths.map((d) => `after ${countText(d)}`)];
  return h(
    "div",
    { class: "table-scroll", tabindex: "0", role: "region", "aria-label": "All pairs of cache types" },
    h(
      "table",
      {},
      h("thead", {}, h("tr", {}, ...titles.map((t, i) => h("th", { scope: "col", class: i > 0 ? "num" : null }, t)))),
      h(
        "tbody",
        {},
        ...plan.pairs.map((pair) => {
          const cells = [memoryText(pair.kv_bytes), memoryText(pair.predicted_bytes), pair.measured_bytes === null ? "–" : memoryText(pair.measured_bytes), natsText(pair.kl_divergence), ...pair.kl_by_depth.map(natsText)];
          return h("tr", {}, h("th", { scope: "row" }, nameOf(pair) === plan.chosen ? `${nameOf(pair)} (chosen)` : nameOf(pair)), ...cells.map((cell) => h("td", { class: "num" }, cell)));
        }),
      ),
    ),
  );
}

function planned(plan: KvPlan): HTMLElement {
  const choice = plan.chosen === null ? "No pair smaller than f16 is good enough." : `Chosen: ${plan.chosen}.`;
  return h("div", {}, h("p", {}, `${baseName(plan.model)} with ${countText(plan.n_ctx)} tokens of context. ${choice} What may be lost: ${natsText(plan.most_kl)} nats per token at any depth; ${countText(plan.n_judged)} tokens judged at each, in ${countText(plan.n_texts)} texts.`), front(plan), all(plan));
}

export function kvSection(page: Page): HTMLElement | null {
  if (page.kvPlans.length === 0) return null;
  return section("kv", "The KV cache", "Types of cache by what they take and what they were measured to lose on this model.", ...page.kvPlans.map(planned));
}
