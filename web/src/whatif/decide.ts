// The decision for a machine, a context and wishes: src/fit/fit.cpp, `decide`. What needs the engine was gathered
// before (the basis); this is arithmetic, and tests/data/what_if.json holds both sides to the same results.
import { memoryText, significant } from "../format";
import { choose, markFront } from "./choice";
import { firstSpeedHalfWidth, speedDescribed, speedHere, withCache } from "./speed";
import type { Basis, CacheBasis, Conditions, Decision, FileBasis, Machine, Memory, ModelBasis, Option, Speed } from "./types";

const filled = 0.5; // speed is told for a context that is half full

function memoryOf(file: FileBasis, cache: CacheBasis, inRam: boolean): Memory {
  const compute_bytes = cache.compute_bytes + cache.output_bytes;
  const memory: Memory = {
    weights_bytes: file.tensor_bytes,
    kv_bytes: cache.kv_bytes,
    compute_bytes,
    runtime_bytes: 0,
    loading_bytes: 0,
    total_bytes: 0,
  };
  if (inRam) {
    memory.weights_bytes += file.rearranged_output_bytes;
    memory.loading_bytes = Math.max(0, file.rearranged_largest_bytes - cache.kv_bytes - compute_bytes);
    memory.runtime_bytes = file.runtime_bytes;
  }
  memory.total_bytes =
    memory.weights_bytes + memory.kv_bytes + memory.compute_bytes + memory.runtime_bytes + memory.loading_bytes;
  return memory;
}

/** The file that fills the memory to the byte. */
function mixOf(model: ModelBasis, cache: CacheBasis, machine: Machine): FileBasis | null {
  const least = model.files[0];
  const most = model.files[model.files.length - 1];
  if (!least || !most) return null;
  const rest = memoryOf(least, cache, machine.backend === "CPU");
  const room = machine.model_budget_bytes - (rest.total_bytes - rest.weights_bytes);
  const enough = Math.trunc((8.5 / 8) * model.n_params);
  const tensor_bytes = Math.min(room, enough);
  if (tensor_bytes < least.tensor_bytes || tensor_bytes >= most.tensor_bytes) return null;
  const above = model.files.findIndex((f) => f.tensor_bytes > tensor_bytes);
  const base = model.files[above - 1]!;
  const bits = (8 * tensor_bytes) / model.n_params;
  const line = model.mix_quality;
  const kl_divergence = Math.exp(line.ln_kl_at_4_bits + line.ln_kl_per_bit * (Math.min(bits, 8) - 4));
  const scaled = Object.entries(base.weight_bytes).map(
    ([type, n]) => [type, Math.trunc((n * tensor_bytes) / base.tensor_bytes)] as const,
  );
  return {
    ...base,
    preset: "mix",
    tensor_bytes,
    file_bytes: least.file_bytes - least.tensor_bytes + tensor_bytes,
    bits_per_weight: bits,
    weight_bytes: Object.fromEntries(scaled),
    quality: { kl_divergence, low: kl_divergence * line.low_factor, high: kl_divergence * line.high_factor },
    grade: "predicted",
    source: line.source,
  };
}

function speedOf(basis: Basis, model: ModelBasis, file: FileBasis, cache: CacheBasis, machine: Machine): Speed {
  const kvBits = basis.type_bits[cache.kv_type] ?? NaN;
  const work = withCache(file, cache, filled, kvBits, model.heads_per_kv_head);
  if (!machine.is_this || !basis.kernels) return speedDescribed(machine, basis.described, work, basis.type_bits);
  const known = file.preset === "as it is";
  return speedHere(
    basis.kernels,
    machine,
    work,
    cache.kv_type,
    known ? model.speed_as_it_is.factor : 1,
    known ? model.speed_as_it_is.half_width : firstSpeedHalfWidth,
  );
}

/** A word as a shell reads it back. */
export function shellWord(word: string): string {
  return /^[A-Za-z0-9_./:=+,@%-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

function commandOf(model: ModelBasis, file: FileBasis): string {
  if (file.preset === "as it is") return `ech0 ${model.is_remote ? "models pull" : "chat"} ${shellWord(model.asked)}`;
  const out = shellWord(`${model.stem}-${file.preset}.gguf`);
  return `ech0 compress ${shellWord(model.source)} --size ${file.file_bytes} -o ${out}`;
}

function optionOf(
  basis: Basis,
  model: ModelBasis,
  file: FileBasis,
  cache: CacheBasis,
  machine: Machine,
  kvRank: number,
): Option {
  const memory = memoryOf(file, cache, machine.backend === "CPU");
  return {
    name: `${model.name} ${file.preset}, ${cache.kv_type} cache`,
    model: model.name,
    preset: file.preset,
    kv_type: cache.kv_type,
    kv_rank: kvRank,
    n_params: model.n_params,
    file_bytes: file.file_bytes,
    bits_per_weight: file.bits_per_weight,
    memory,
    fits: memory.total_bytes <= machine.model_budget_bytes,
    speed: speedOf(basis, model, file, cache, machine),
    quality: file.quality,
    grade: file.grade,
    source: file.source,
    kv_loss: cache.loss ? { ...cache.loss, grade: file.preset === "as it is" ? "measured" : "predicted" } : null,
    loss: file.quality.kl_divergence + (cache.loss?.kl_divergence ?? 0) + model.level,
    on_front: false,
    command: commandOf(model, file),
  };
}

function tooLarge(option: Option, machine: Machine): string {
  const m = option.memory;
  const program = m.runtime_bytes > 0 ? ` + ${memoryText(m.runtime_bytes)} program` : "";
  return (
    `needs ${memoryText(m.total_bytes)} (${memoryText(m.weights_bytes)} weights + ${memoryText(m.kv_bytes)} cache + ` +
    `${memoryText(m.compute_bytes)} buffers${program}) of ${memoryText(machine.model_budget_bytes)}`
  );
}

/** The best option of each other model, for the sentence that compares. */
export function insteadOf(options: Option[], chosen: Option): string {
  let other: Option | null = null;
  for (const o of options) if (o.model !== chosen.model && o.fits && (!other || o.loss < other.loss)) other = o;
  if (!other) return "";
  const ratio = Math.exp(other.loss - chosen.loss);
  return ratio >= 1
    ? `${other.name} would be ${(100 * (ratio - 1)).toFixed(1)} % more perplexed`
    : `${other.name} would be ${(100 * (1 - ratio)).toFixed(1)} % less perplexed, and ` +
        `${other.speed.tokens_per_s.value.toFixed(1)} tokens/s`;
}

function whyChosen(options: Option[], o: Option, conditions: Conditions): string {
  const speed = o.speed.tokens_per_s;
  let why =
    `with ${conditions.n_ctx} tokens of context it takes ${memoryText(o.memory.total_bytes)} of ` +
    memoryText(conditions.machine.model_budget_bytes);
  if (speed.value > 0)
    why +=
      `, talks at ${significant(speed.value, 3)} tokens/s (${significant(speed.low, 3)} to ` +
      `${significant(speed.high, 3)})`;
  why +=
    o.quality.kl_divergence > 0
      ? `, and is ${significant(o.quality.kl_divergence, 2)} nats from its original (${o.grade})`
      : ", and is the original";
  const other = insteadOf(options, o);
  return other ? `${why}; ${other}` : why;
}

function whyNone(options: Option[], conditions: Conditions): string {
  const least = options.reduce((a, b) => (b.memory.total_bytes < a.memory.total_bytes ? b : a));
  if (!least.fits) return `even ${least.name} ${tooLarge(least, conditions.machine)}`;
  return `nothing that fits reaches ${conditions.min_tokens_per_s.toFixed(1)} tokens/s`;
}

export function decide(basis: Basis, conditions: Conditions): Decision {
  const { machine } = conditions;
  const options: Option[] = [];
  for (const model of basis.models) {
    conditions.kv_types.forEach((kvType, kvRank) => {
      const cache = model.caches.find((c) => c.kv_type === kvType && c.n_ctx === conditions.n_ctx);
      if (!cache) return; // a context beyond this model's training: the page leaves the model out
      const mix = mixOf(model, cache, machine);
      for (const file of mix ? [...model.files, mix] : model.files)
        options.push(optionOf(basis, model, file, cache, machine, kvRank));
    });
  }
  if (options.length === 0)
    return { machine, n_ctx: conditions.n_ctx, options, recommended: null, why: "no model has such a context", refused: [] };
  markFront(options);
  const refused = options.flatMap((o) =>
    !o.fits
      ? [{ name: o.name, why: tooLarge(o, machine) }]
      : o.speed.tokens_per_s.value < conditions.min_tokens_per_s
        ? [
            {
              name: o.name,
              why: `${o.speed.tokens_per_s.value.toFixed(1)} tokens/s, wanted ${conditions.min_tokens_per_s.toFixed(1)}`,
            },
          ]
        : [],
  );
  const recommended = choose(options, conditions.prefer, conditions.min_tokens_per_s);
  const why =
    recommended === null ? whyNone(options, conditions) : whyChosen(options, options[recommended]!, conditions);
  return { machine, n_ctx: conditions.n_ctx, options, recommended, why, refused };
}
