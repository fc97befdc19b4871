// Rounding a block of weights, as in the guide's figure: one scale for 32 weights, evenly spaced levels.

const blockSize = 32;
const scaleBits = 16;

export interface Rounded {
  values: number[];
  /** mean square of the error over the mean square of the weights */
  relativeError: number;
  bitsPerWeight: number;
  levels: number[];
}

/** Levels of one block: symmetric about zero, the largest one reaching the largest weight. */
function roundBlock(weights: number[], bits: number, scale: number): number[] {
  if (bits === 1) return weights.map((w) => (w < 0 ? -scale : scale));
  const most = 2 ** (bits - 1) - 1;
  return weights.map((w) => (scale === 0 ? 0 : Math.max(-most - 1, Math.min(most, Math.round(w / scale))) * scale));
}

const squaredError = (a: number[], b: number[]): number => a.reduce((sum, x, i) => sum + (x - b[i]!) ** 2, 0);

function plainScale(weights: number[], bits: number): number {
  const largest = Math.max(...weights.map(Math.abs));
  if (bits === 1) return weights.reduce((sum, w) => sum + Math.abs(w), 0) / weights.length; // best for signs alone
  return largest / (2 ** (bits - 1) - 1 || 1);
}

/** The scale that leaves least squared error, of those between half and all of the plain one. */
function searchedScale(weights: number[], bits: number): number {
  const plain = plainScale(weights, bits);
  let best = plain;
  let least = squaredError(weights, roundBlock(weights, bits, plain));
  for (let step = 50; step < 100; step++) {
    const scale = (plain * step) / 100;
    const error = squaredError(weights, roundBlock(weights, bits, scale));
    if (error < least) [least, best] = [error, scale];
  }
  return best;
}

export function roundWeights(weights: number[], bits: number, search: boolean): Rounded {
  const values: number[] = [];
  let levels: number[] = [];
  for (let at = 0; at < weights.length; at += blockSize) {
    const block = weights.slice(at, at + blockSize);
    const scale = search ? searchedScale(block, bits) : plainScale(block, bits);
    values.push(...roundBlock(block, bits, scale));
    if (at === 0) {
      const most = 2 ** (bits - 1) - 1;
      levels = bits === 1 ? [-scale, scale] : Array.from({ length: 2 ** bits }, (_, i) => (i - most - 1) * scale);
    }
  }
  const power = weights.reduce((sum, w) => sum + w * w, 0);
  return {
    values,
    relativeError: power > 0 ? squaredError(weights, values) / power : 0,
    bitsPerWeight: bits + scaleBits / blockSize,
    levels,
  };
}
