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

const sameFile = (a: Option, b: Option): boolean => a.model === b.model && a.preset === b.preset;

/** Faster, or as fast and smaller; names decide between equals, so that the order of the options never does. */
function faster(a: Option, b: Option): boolean {
  const [aSpeed, bSpeed] = [a.speed.tokens_per_s.value, b.speed.tokens_per_s.value];
  if (aSpeed !== bSpeed) return aSpeed > bSpeed;
  if (a.memory.total_bytes !== b.memory.total_bytes) return a.memory.total_bytes < b.memory.total_bytes;
  return a.name < b.name;
}

export function markFront(options: Option[]): void {
  for (const option of options)
    option.on_front =
      option.fits && !options.some((other) => other.fits && other !== option && beats(other, option));
}

function fastest(options: Option[], wanted: (o: Option) => boolean): number | null {
  let found: number | null = null;
  options.forEach((option, i) => {
    if (wanted(option) && (found === null || faster(option, options[found]!))) found = i;
  });
  return found;
}

/** The fastest of those whose loss can't be told from the least there is, each file with the cache that was asked for first. */
function closest(options: Option[], wanted: (o: Option) => boolean): number | null {
  const firstCache = (o: Option): boolean =>
    wanted(o) && !options.some((other) => sameFile(o, other) && other.kv_rank < o.kv_rank && wanted(other));
  const least = Math.min(...options.filter(firstCache).map((o) => o.loss));
  return fastest(options, (o) => o.loss <= least + sameLoss && firstCache(o));
}

export function choose(options: Option[], prefer: Prefer, minTokensPerS: number): number | null {
  const usable = (o: Option): boolean => o.fits && o.speed.tokens_per_s.value >= minTokensPerS;
  const fastEnough = (o: Option): boolean => usable(o) && o.speed.tokens_per_s.value >= readingTokensPerS;
  const close = (o: Option): boolean => usable(o) && o.quality.kl_divergence <= closeKl;
  let found: number | null = null;
  if (prefer === "speed") found = fastest(options, close);
  if (prefer === "balanced") found = closest(options, fastEnough) ?? fastest(options, close);
  found ??= closest(options, usable);
  if (found === null) return null;
  // The same file with the cache that was asked for first, where that does as well.
  const readsAlong = fastEnough(options[found]!);
  for (let i = 0; i < options.length; i++) {
    const o = options[i]!;
    const chosen: Option = options[found]!;
    if (sameFile(o, chosen) && o.kv_rank < chosen.kv_rank && usable(o) && fastEnough(o) === readsAlong) found = i;
  }
  return found;
}
