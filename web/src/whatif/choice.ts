// Which option to take: the rules of src/fit/choice.cpp.
import type { Option, Prefer } from "./types";

const sameLoss = 0.005;
const readingTokensPerS = 300 / 60 / 0.75;
const closeKl = 0.1;

/** What a rounded cache costs is not in `loss`: a smaller cache is no better, and never beats a plain one. */
function beats(a: Option, b: Option): boolean {
  if (a.kv_rank > b.kv_rank) return false;
  const noWorse = (x: number, y: number): boolean => x <= y * (1 + 1e-9);
  const [aSpeed, bSpeed] = [a.speed.tokens_per_s.value, b.speed.tokens_per_s.value];
  const [aBytes, bBytes] = [a.memory.total_bytes, b.memory.total_bytes];
  const nowhereWorse = a.loss <= b.loss + 1e-9 && noWorse(bSpeed, aSpeed) && noWorse(aBytes, bBytes);
  return nowhereWorse && (a.loss < b.loss - 1e-6 || aSpeed > bSpeed * 1.001 || aBytes < bBytes * 0.999);
}

function better(a: Option, b: Option): boolean {
  if (a.model === b.model && a.preset === b.preset) return a.kv_rank < b.kv_rank;
  if (Math.abs(a.loss - b.loss) > sameLoss) return a.loss < b.loss;
  const [aSpeed, bSpeed] = [a.speed.tokens_per_s.value, b.speed.tokens_per_s.value];
  if (aSpeed !== bSpeed) return aSpeed > bSpeed;
  return a.memory.total_bytes < b.memory.total_bytes;
}

export function markFront(options: Option[]): void {
  for (const option of options)
    option.on_front =
      option.fits && !options.some((other) => other.fits && other !== option && beats(other, option));
}

function best(
  options: Option[],
  wanted: (o: Option) => boolean,
  isBetter: (a: Option, b: Option) => boolean,
): number | null {
  let found: number | null = null;
  options.forEach((option, i) => {
    if (wanted(option) && (found === null || isBetter(option, options[found]!))) found = i;
  });
  return found;
}

export function choose(options: Option[], prefer: Prefer, minTokensPerS: number): number | null {
  const usable = (o: Option): boolean => o.fits && o.speed.tokens_per_s.value >= minTokensPerS;
  const fastEnough = (o: Option): boolean => usable(o) && o.speed.tokens_per_s.value >= readingTokensPerS;
  const close = (o: Option): boolean => usable(o) && o.quality.kl_divergence <= closeKl;
  const faster = (a: Option, b: Option): boolean => a.speed.tokens_per_s.value > b.speed.tokens_per_s.value;
  let found: number | null = null;
  if (prefer === "speed") found = best(options, close, faster);
  if (prefer === "balanced") found = best(options, fastEnough, better) ?? best(options, close, faster);
  found ??= best(options, usable, better);
  if (found === null) return null;
  // The same file with the cache that was asked for first, where that does as well.
  const readsAlong = fastEnough(options[found]!);
  for (let i = 0; i < options.length; i++) {
    const o = options[i]!;
    const chosen: Option = options[found]!;
    if (
      o.model === chosen.model &&
      o.preset === chosen.preset &&
      o.kv_rank < chosen.kv_rank &&
      usable(o) &&
      fastEnough(o) === readsAlong
    )
      found = i;
  }
  return found;
}
