// What the page may be given: an ech0.dashboard/1, or any one run that a command wrote with --json (docs/json.md).
import type { Basis, Conditions, Grade, Machine, Option } from "./whatif/types";

export interface Tensor {
  name: string;
  type: string;
  shape: number[];
  size_bytes: number;
}

export interface Inspect {
  schema: "ech0.inspect/1";
  asked: string;
  name: string;
  architecture: string;
  n_layer: number;
  n_embd: number;
  n_ff: number | number[];
  n_head: number | number[];
  n_head_kv: number | number[];
  n_embd_head_k: number;
  n_embd_head_v: number;
  n_expert: number;
  n_expert_used: number;
  n_vocab: number;
  n_ctx_train: number;
  n_params: number;
  size_bytes: number;
  tensor_bytes: number;
  bits_per_weight: number;
  type: string;
  kv_bytes_per_token: number;
  tied_embeddings: boolean;
  licence: string;
  components: { component: string; type: string; n_tensors: number; n_params: number; size_bytes: number }[];
  tensors: Tensor[];
}

/** As a fit/1 has it: what `Option` keeps under `speed` stands beside the rest. */
export type FitOption = Omit<Option, "kv_rank" | "speed"> &
  Pick<Option["speed"], "tokens_per_s" | "prompt_tokens_per_s" | "bound_tokens_per_s"> & {
    speed_grade: Grade;
    speed_source: string;
  };

export interface FitRun {
  schema: "ech0.fit/1";
  machine: Machine;
  n_ctx: number;
  options: FitOption[];
  recommendation: { name: string; why: string; command: string } | null;
  why: string;
  comparison: string;
  refused: { name: string; why: string }[];
}

export interface Measured {
  path: string;
  sha256: string;
  size_bytes: number;
  bits_per_weight: number;
  perplexity: number;
  perplexity_low: number;
  perplexity_high: number;
  tokens_per_s: number | null;
  prompt_tokens_per_s: number | null;
  peak_memory_bytes: number | null;
  retrieval: { depth: number; n_trials: number; n_hits: number; n_preferred: number }[] | null;
}

export interface Candidate extends Measured {
  kl_divergence: { mean: number; low: number; high: number; median: number; p99: number };
  kl_quantiles?: number[];
  kl_by_position?: number[];
  top1_agreement: number;
  top1_agreement_low: number;
  top1_agreement_high: number;
  greedy_agreement: number | null;
  greedy_agreement_low: number | null;
  greedy_agreement_high: number | null;
}

export interface Verify {
  schema: "ech0.verify/1";
  original: Measured;
  text: { path: string; sha256: string; n_tokens: number; n_chunks: number; n_ctx: number };
  calibration_text: { path: string; overlap: number };
  candidates: Candidate[];
  paired: { a: number; b: number; kl_difference: { mean: number; low: number; high: number } }[];
  engine: string;
  machine: string;
  command: string;
  seconds: number;
  comparable: string[];
}

export interface Compress {
  schema: "ech0.compress/1";
  source: { path: string; sha256: string };
  output: { path: string; size_bytes: number; sha256: string; bits_per_weight: number };
  budget_bytes: number;
  selection_kl_divergence: number;
  predicted_kl_divergence: number;
  tensors: { name: string; type: string; size_bytes: number; error: number; predicted_kl_divergence: number }[];
  tried: { lever: string; kept: boolean; kl_divergence: number }[];
  verdict?: string | null;
  evidence?: Verify;
  seconds: number;
  peak_memory_bytes: number;
}

/** What taking a part of one layer alone would cost: measured at one step, in proportion to the error at the others. */
export interface CutPart {
  layer: number;
  kind: "kv_heads" | "ffn_channels";
  parameters: number;
  n_measured: number;
  steps: { gone: number; error: number; kl_divergence: number }[];
}

export interface Prune {
  schema: "ech0.prune/1";
  source: { path: string; sha256: string };
  output: { path: string; size_bytes: number; sha256: string };
  removed: { parameters: number; parameters_before: number; layers: number; kv_heads: number; ffn_channels: number; experts: number };
  methods: { unit: string; name: string; method: string; removed: number; same_by_magnitude: number }[];
  costs?: { n_tokens: number; parts: CutPart[]; layers: { layer: number; kl_divergence: number }[] };
  trials?: { what: string; kl_divergence: number; chosen: boolean }[];
  layers: {
    layer: number;
    kv_heads_before: number;
    kv_heads: number;
    ffn_channels_before: number;
    ffn_channels: number;
  }[];
  kl_divergence: { predicted: number; unrepaired: number; repaired: number | null; n_tokens: number };
  /** beside all weights rounded to as few bytes; null where no type makes the file so small, absent from older runs */
  verdict?: { prune: boolean; compress_instead: string | null; why: string; type: string; size_bytes: number; kl_divergence: number } | null;
  seconds: number;
}

export interface Compared {
  measured: number;
  predicted: number;
  low: number;
  high: number;
  hit: boolean;
}

export interface Bench {
  schema: "ech0.bench/1";
  machine: string;
  models: {
    path: string;
    tokens_per_s: Compared;
    prompt_tokens_per_s: Compared;
    memory_bytes: Compared;
    first_token_s: number;
  }[];
  fastest: string;
}

export interface Score {
  kind: string;
  machine: string;
  model: string;
  detail: string;
  predicted: number;
  low: number;
  high: number;
  measured: number;
  hit: boolean;
}

export interface Specimen {
  tensor: string;
  type: string;
  row: number;
  first_column: number;
  weights: number[];
}

export interface Run {
  schema: string;
  [key: string]: unknown;
}

/** ech0.surgeon/1 */
export interface Surgeon {
  model: string;
  analyst: string;
  opinions: { title: string; answer: string; complete: boolean; claims: { fact: string | null; number: string; finding: string }[] }[];
  claims: { confirmed: number; wrong: number; unsupported: number };
  verdict: string | null;
}

export interface KvPair {
  type_k: string;
  type_v: string;
  kv_bytes: number;
  predicted_bytes: number;
  measured_bytes: number | null;
  kl_divergence: number;
  low: number;
  high: number;
  kl_by_depth: number[];
  top1_by_depth: number[];
  measured: boolean;
  on_front: boolean;
}

export interface KvPlan {
  model: string;
  n_ctx: number;
  n_texts: number;
  depths: number[];
  n_judged: number;
  most_kl: number;
  pairs: KvPair[];
  chosen: string | null;
}

export interface Dashboard {
  schema: "ech0.dashboard/1";
  version: string;
  engine: string;
  command: string;
  conditions: Conditions;
  here: Machine;
  basis: Basis;
  fit: FitRun;
  models: Inspect[];
  specimens: Specimen[];
  scores: Score[];
  runs: Run[];
}

/** All that the page can show, wherever it came from. */
export interface Page {
  dashboard: Dashboard | null;
  fit: FitRun | null;
  machine: Machine | null;
  models: Inspect[];
  verifies: Verify[];
  compressions: Compress[];
  prunings: Prune[];
  benches: Bench[];
  scores: Score[];
  specimens: Specimen[];
  surgeons: Surgeon[];
  kvPlans: KvPlan[];
  log: Run[];
}

/** What is wrong with what the page was given, for a person to read. */
export class BadReport extends Error {}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

type Kind = "string" | "number" | "array" | "object";
const needed: Record<string, Record<string, Kind>> = {
  "ech0.dashboard/1": { basis: "object", conditions: "object", fit: "object", models: "array", runs: "array", here: "object" },
  "ech0.fit/1": { machine: "object", options: "array", n_ctx: "number", refused: "array" },
  "ech0.inspect/1": { tensors: "array", n_layer: "number", n_params: "number", architecture: "string" },
  "ech0.doctor/1": { model_budget_bytes: "number", title: "string" },
  "ech0.verify/1": { original: "object", candidates: "array", text: "object" },
  "ech0.compress/1": { tensors: "array", output: "object", source: "object" },
  "ech0.prune/1": { layers: "array", removed: "object", kl_divergence: "object" },
  "ech0.surgeon/1": { opinions: "array", claims: "object", analyst: "string" },
  "ech0.kv.plan/1": { pairs: "array", depths: "array", n_ctx: "number", most_kl: "number" },
  "ech0.bench/1": { models: "array", machine: "string" },
  "ech0.optimize/1": { inspect: "object", compress: "object", verify: "object" },
  "ech0.demo/1": { optimize: "object", answers: "object" },
};

const kindOf = (value: unknown): string =>
  Array.isArray(value) ? "array" : value === null ? "null" : typeof value;

function check(run: unknown, where: string): asserts run is Run {
  if (!isObject(run)) throw new BadReport(`${where} is ${kindOf(run)}, wanted an object`);
  if (typeof run.schema !== "string") throw new BadReport(`${where} has no "schema" that says what it is`);
  if (!run.schema.startsWith("ech0.")) throw new BadReport(`${where} has the schema "${run.schema}", which is none of ech0's`);
  for (const [key, kind] of Object.entries(needed[run.schema] ?? {}))
    if (kindOf(run[key]) !== kind)
      throw new BadReport(`${where} (${run.schema}): "${key}" is ${kindOf(run[key])}, wanted ${kind}`);
}

function addRun(page: Page, run: unknown, where: string): void {
  check(run, where);
  switch (run.schema) {
    case "ech0.inspect/1": page.models.push(run as unknown as Inspect); break;
    case "ech0.fit/1": page.fit ??= run as unknown as FitRun; page.machine ??= page.fit.machine; break;
    case "ech0.doctor/1":
      page.machine ??= run as unknown as Machine;
      break;
    case "ech0.verify/1": page.verifies.push(run as unknown as Verify); break;
    case "ech0.bench/1": page.benches.push(run as unknown as Bench); break;
    case "ech0.prune/1": page.prunings.push(run as unknown as Prune); break;
    case "ech0.compress/1": {
      const compress = run as unknown as Compress;
      page.compressions.push(compress);
      if (compress.evidence) addRun(page, compress.evidence, `${where}, its evidence`);
      break;
    }
    case "ech0.optimize/1":
      for (const part of ["inspect", "compress", "verify"]) addRun(page, run[part], `${where}, its ${part}`);
      break;
    case "ech0.demo/1": addRun(page, run.optimize, `${where}, its optimize`); break;
    case "ech0.surgeon/1": page.surgeons.push(run as unknown as Surgeon); break;
    case "ech0.kv.plan/1": page.kvPlans.push(run as unknown as KvPlan); break;
  }
}

/** @throws BadReport */
export function readPage(text: string): Page {
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch (error) {
    throw new BadReport(`what it was given is no JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  const page: Page = {
    dashboard: null,
    fit: null,
    machine: null,
    models: [],
    verifies: [],
    compressions: [],
    prunings: [],
    benches: [],
    scores: [],
    specimens: [],
    surgeons: [],
    kvPlans: [],
    log: [],
  };
  if (data === "ech0-data-goes-here") throw new BadReport("it holds no report: ech0 report and ech0 dashboard fill it");
  check(data, "the report");
  if (data.schema !== "ech0.dashboard/1") {
    addRun(page, data, "the report");
    page.log.push(data);
    return page;
  }
  const dashboard = data as unknown as Dashboard;
  page.dashboard = dashboard;
  page.models.push(...dashboard.models);
  page.scores = dashboard.scores ?? [];
  page.specimens = dashboard.specimens ?? [];
  dashboard.runs.forEach((run, i) => {
    addRun(page, run, `run ${i + 1}`);
    page.log.push(run);
  });
  page.fit = dashboard.fit;
  page.machine = dashboard.conditions.machine;
  return page;
}

// A page may be given runs of other models too, which say nothing about the one that it is about. Runs name their model by
// its file, and an anatomy has no hash: the name, and what else both know, must be the same.
const namedAs = (path: string, model: Inspect): boolean => baseName(path) === baseName(model.asked);

export const isProofOf = (run: Verify, model: Inspect): boolean => namedAs(run.original.path, model) && run.original.size_bytes === model.size_bytes;
export const isPruningOf = (run: Prune, model: Inspect): boolean => namedAs(run.source.path, model) && run.removed.parameters_before === model.n_params;
export const isKvPlanOf = (run: KvPlan, model: Inspect): boolean => namedAs(run.model, model);

/** A file whose distance from the page's model was measured. */
export interface MeasuredFile {
  name: string;
  size_bytes: number;
  kl_divergence: { mean: number; low: number; high: number };
}

/** Those that verify measured, and compress as its proof: each once, by its hash. */
export function measuredFilesOf(page: Page, model: Inspect): MeasuredFile[] {
  const found = new Map<string, MeasuredFile>();
  for (const run of page.verifies.filter((v) => isProofOf(v, model)))
    for (const c of run.candidates) found.set(c.sha256, { name: baseName(c.path), size_bytes: c.size_bytes, kl_divergence: c.kl_divergence });
  return [...found.values()];
}

/** An option of a fit/1 in the shape that the page's own decisions have. */
export function optionsOf(fit: FitRun): Option[] {
  const kvTypes = [...new Set(fit.options.map((o) => o.kv_type))];
  return fit.options.map(({ tokens_per_s, prompt_tokens_per_s, bound_tokens_per_s, speed_grade, speed_source, ...o }) => ({
    ...o,
    kv_rank: kvTypes.indexOf(o.kv_type),
    kv_loss: o.kv_loss ?? null, // runs of older versions have none
    speed: { tokens_per_s, prompt_tokens_per_s, bound_tokens_per_s, grade: speed_grade, source: speed_source },
  }));
}

export const baseName = (path: string): string => path.replace(/^.*[/\\]/, "");
