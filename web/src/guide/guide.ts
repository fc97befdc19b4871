// Compression in three movements, told with this model's own numbers.
import { h, linked, section } from "../dom";
import type { Page } from "../data";
import type { State } from "../state";
import { cacheMovement } from "./cache";
import { pruning } from "./pruning";
import { quantization } from "./quantization";

const sources: [string, string][] = [
  ["Frantar and others, GPTQ: rounding that hands its error on", "https://arxiv.org/abs/2210.17323"],
  ["Lin and others, AWQ: scales that protect what activations make important", "https://arxiv.org/abs/2306.00978"],
  ["Kawrakow, the k-quants of llama.cpp", "https://github.com/ggml-org/llama.cpp/pull/1684"],
  ["Ashkboos and others, QuaRot: rotations that take outliers away", "https://arxiv.org/abs/2404.00456"],
  ["Ainslie and others, GQA: query heads that share a KV head", "https://arxiv.org/abs/2305.13245"],
  ["Liu and others, KIVI: keys by channel, values by token", "https://arxiv.org/abs/2402.02750"],
  ["Hooper and others, KVQuant: keys before their rotation", "https://arxiv.org/abs/2401.18079"],
  ["Xiao and others, attention sinks", "https://arxiv.org/abs/2309.17453"],
  ["Ma and others, LLM-Pruner: parts that must go together", "https://arxiv.org/abs/2305.11627"],
  ["An and others, FLAP: what fluctuates little can be replaced by its mean", "https://arxiv.org/abs/2312.11983"],
  ["Men and others, ShortGPT: layers that change little", "https://arxiv.org/abs/2403.03853"],
  ["Williams, Waterman and Patterson, the roofline", "https://doi.org/10.1145/1498765.1498785"],
];

export function guideSection(page: Page, state: State): HTMLElement | null {
  if (page.models.length === 0) return null;
  const guide = section(
    "guide",
    "Guide",
    "Compression in three movements, with this model's own numbers.",
    quantization(page, state),
    cacheMovement(page, state),
    pruning(page, state),
    h("h3", {}, "Sources"),
    h("ol", { class: "sources" }, ...sources.map(([what, where]) => h("li", {}, `${what}: `, linked(where)))),
  );
  guide.classList.add("guide");
  return guide;
}
