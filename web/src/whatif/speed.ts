// How fast a model will talk: the arithmetic of src/plan/roofline.cpp, line for line.
import type { CacheBasis, FileBasis, Interval, KernelTable, Machine, Speed } from "./types";

const widest = 0.25;
const narrowest = 0.08;
export const firstSpeedHalfWidth = 0.25;

export interface TokenWork {
  weight_bytes: Record<string, number>;
  n_weights: Record<string, number>;
  kv_bytes: number;
  attention_flops: number;
  n_nodes: number;
}

export function withCache(
  file: FileBasis,
  cache: CacheBasis,
  filled: number,
  kvBits: number,
  headsPerKv: number,
): TokenWork {
  const kv_bytes = Math.trunc(filled * cache.kv_bytes);
  return {
    weight_bytes: file.weight_bytes,
    n_weights: file.n_weights,
    kv_bytes,
    attention_flops: (2 * headsPerKv * 8 * kv_bytes) / kvBits,
    n_nodes: cache.n_nodes,
  };
}

const clamp = (x: number, low: number, high: number): number => Math.min(Math.max(x, low), high);
const sum = (values: number[]): number => values.reduce((a, b) => a + b, 0);
const unknown: Interval = { value: 0, low: 0, high: 0 };

function around(value: number, halfWidth: number): Interval {
  const half = clamp(halfWidth, narrowest, widest);
  return { value, low: value * (1 - half), high: value * (1 + half) };
}

function quantile(values: number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.trunc(share * (sorted.length - 1) + 0.5)] ?? 0;
}

const totalBytes = (work: TokenWork): number => sum(Object.values(work.weight_bytes)) + work.kv_bytes;

/** Of a machine whose kernels were timed. */
export function speedHere(
  kernels: KernelTable,
  machine: Machine,
  work: TokenWork,
  kvType: string,
  correction: number,
  halfWidth: number,
): Speed {
  let token_s = work.n_nodes * kernels.overhead_s_per_node;
  let prompt_s = 0;
  for (const [type, bytes] of Object.entries(work.weight_bytes))
    if (bytes > 0) token_s += bytes / (kernels.speeds[type]?.read_bytes_per_s ?? NaN);
  for (const [type, n] of Object.entries(work.n_weights))
    if (n > 0) prompt_s += (2 * n) / (kernels.speeds[type]?.flops_per_s ?? NaN);
  if (work.attention_flops > 0) {
    // Half of it is keys, half values; one type stands for both.
    const [k = "", v = k] = kvType.toUpperCase().split("/");
    const rate = (type: string): number => kernels.attention_flops_per_s[type] ?? NaN;
    const attention_s = work.attention_flops / 2 / rate(k) + work.attention_flops / 2 / rate(v);
    token_s += attention_s;
    prompt_s += attention_s / 2;
  }
  return {
    tokens_per_s: around(correction / token_s, halfWidth),
    prompt_tokens_per_s: around(correction / prompt_s, widest),
    bound_tokens_per_s: machine.read_bytes_per_s > 0 ? machine.read_bytes_per_s / totalBytes(work) : 0,
    grade: "predicted",
    source: `the engine's kernels timed here, ${kernels.n_threads} threads`,
  };
}

interface Reached {
  bits: number;
  efficiency: number;
  flops_per_s: number;
}

function reachedBy(machine: Machine): Reached[] {
  if (machine.read_bytes_per_s <= 0) return [];
  return machine.published
    .filter((p) => p.size_bytes > 0 && p.n_params > 0)
    .map((p) => ({
      bits: (8 * p.size_bytes) / p.n_params,
      efficiency: (p.tokens_per_s * p.size_bytes) / machine.read_bytes_per_s,
      flops_per_s: 2 * p.prompt_tokens_per_s * p.n_params,
    }));
}

function nearest(cases: Reached[], bits: number): Reached {
  const distance = (r: Reached): number => Math.abs(Math.log(r.bits / bits));
  return cases.reduce((best, r) => (distance(r) < distance(best) ? r : best));
}

function bitsOf(work: TokenWork, typeBits: Record<string, number>): number {
  const weights = sum(Object.values(work.n_weights));
  const bytes = sum(Object.entries(work.n_weights).map(([type, n]) => Math.trunc((n * (typeBits[type] ?? NaN)) / 8)));
  return weights > 0 ? (8 * bytes) / weights : 16;
}

function efficiencies(machines: Machine[], backend: string, bits: number): number[] {
  return machines
    .filter((m) => m.backend === backend)
    .map(reachedBy)
    .filter((cases) => cases.length > 0)
    .map((cases) => nearest(cases, bits).efficiency)
    .filter((efficiency) => efficiency > 0);
}

/** Of a machine that is described: by what was published for it, or else for others with its backend. */
export function speedDescribed(
  machine: Machine,
  others: Machine[],
  work: TokenWork,
  typeBits: Record<string, number>,
): Speed {
  const speed: Speed = {
    tokens_per_s: unknown,
    prompt_tokens_per_s: unknown,
    bound_tokens_per_s: 0,
    grade: "predicted",
    source: "the memory's speed is not known: --bandwidth says it",
  };
  if (machine.read_bytes_per_s <= 0) return speed;
  const bound = machine.read_bytes_per_s / totalBytes(work);
  speed.bound_tokens_per_s = bound;
  const bits = bitsOf(work, typeBits);
  const own = reachedBy(machine);
  if (own.length > 0) {
    const known = nearest(own, bits);
    const spread = own.map((r) => Math.abs(Math.log(r.efficiency / known.efficiency)));
    speed.tokens_per_s = around(bound * known.efficiency, 0.1 + Math.max(...spread));
    if (known.flops_per_s > 0)
      speed.prompt_tokens_per_s = around(known.flops_per_s / (2 * sum(Object.values(work.n_weights))), widest);
    speed.source = `published for this machine: ${machine.published[0]?.source ?? ""}`;
    return speed;
  }
  const elsewhere = efficiencies(others, machine.backend, bits);
  if (elsewhere.length === 0) {
    speed.source = `nothing is published for ${machine.backend} machines: only the bound is known`;
    return speed;
  }
  const efficiency = quantile(elsewhere, 0.5);
  speed.tokens_per_s = around(
    bound * efficiency,
    (quantile(elsewhere, 0.95) - quantile(elsewhere, 0.05)) / (2 * efficiency),
  );
  speed.source = `share of bandwidth that ${elsewhere.length} other ${machine.backend} machines reach`;
  return speed;
}
