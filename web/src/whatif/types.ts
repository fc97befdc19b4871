// What a decision is computed from: the `basis` and `conditions` of an ech0.dashboard/1 (docs/json.md). The same
// names as in src/fit/basis.h and include/ech0/machine.h.

export type Grade = "measured" | "published" | "predicted" | "given";
export type Prefer = "quality" | "balanced" | "speed";

export interface Quality {
  kl_divergence: number;
  low: number;
  high: number;
  perplexity?: number;
  perplexity_original?: number;
}

export interface FileBasis {
  preset: string;
  file_bytes: number;
  bits_per_weight: number;
  tensor_bytes: number;
  rearranged_output_bytes: number;
  rearranged_largest_bytes: number;
  runtime_bytes: number;
  weight_bytes: Record<string, number>;
  n_weights: Record<string, number>;
  quality: Quality;
  grade: Grade;
  source: string;
}

export interface CacheBasis {
  kv_type: string;
  n_ctx: number;
  kv_bytes: number;
  compute_bytes: number;
  output_bytes: number;
  n_nodes: number;
  /** what a kept kv plan measured; none in pages of older versions */
  loss?: Estimate | null;
}

/** KL divergence from an f16 cache, nats per token. */
export interface Estimate {
  kl_divergence: number;
  low: number;
  high: number;
}

export interface ModelBasis {
  name: string;
  asked: string;
  family: string;
  stem: string;
  source: string;
  is_remote: boolean;
  n_params: number;
  n_ctx_train: number;
  heads_per_kv_head: number;
  level: number;
  mix_quality: {
    ln_kl_at_4_bits: number;
    ln_kl_per_bit: number;
    low_factor: number;
    high_factor: number;
    source: string;
  };
  speed_as_it_is: { factor: number; half_width: number };
  files: FileBasis[];
  caches: CacheBasis[];
}

export interface KernelTable {
  n_threads: number;
  speeds: Record<string, { read_bytes_per_s: number; flops_per_s: number }>;
  attention_flops_per_s: Record<string, number>;
  overhead_s_per_node: number;
}

export interface PublishedSpeed {
  model: string;
  type: string;
  size_bytes: number;
  n_params: number;
  prompt_tokens_per_s: number;
  tokens_per_s: number;
  source: string;
}

export interface Machine {
  name: string;
  title: string;
  is_this: boolean;
  backend: string;
  memory_total_bytes: number;
  memory_available_bytes: number;
  model_budget_bytes: number;
  budget_source: string;
  budget_grade: Grade;
  read_bytes_per_s: number;
  read_source: string;
  read_grade: Grade;
  flops_per_s: number;
  cores: number;
  isa: string[];
  published: PublishedSpeed[];
}

export interface Basis {
  models: ModelBasis[];
  type_bits: Record<string, number>;
  comparison: string;
  kernels: KernelTable | null;
  described: Machine[];
}

export interface Conditions {
  machine: Machine;
  n_ctx: number;
  kv_types: string[];
  prefer: Prefer;
  min_tokens_per_s: number;
}

export interface Interval {
  value: number;
  low: number;
  high: number;
}

export interface Memory {
  weights_bytes: number;
  kv_bytes: number;
  compute_bytes: number;
  runtime_bytes: number;
  loading_bytes: number;
  total_bytes: number;
}

export interface Speed {
  tokens_per_s: Interval;
  prompt_tokens_per_s: Interval;
  bound_tokens_per_s: number;
  grade: Grade;
  source: string;
}

export interface Option {
  name: string;
  model: string;
  preset: string;
  kv_type: string;
  kv_rank: number;
  n_params: number;
  file_bytes: number;
  bits_per_weight: number;
  memory: Memory;
  fits: boolean;
  speed: Speed;
  quality: Quality;
  grade: Grade;
  source: string;
  /** what the cache costs, and how that is known: of the file itself, or of one that is made of it */
  kv_loss: (Estimate & { grade: Grade }) | null;
  loss: number;
  on_front: boolean;
  command: string;
}

export interface Decision {
  machine: Machine;
  n_ctx: number;
  options: Option[];
  recommended: number | null;
  why: string;
  refused: { name: string; why: string }[];
}
