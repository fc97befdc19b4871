// The page decides as the program does: tests/data/what_if.json was written by it (tests/fit/what_if_test.cpp).
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { decide } from "../../src/whatif/decide";
import type { Basis, Conditions, Option } from "../../src/whatif/types";

interface Vectors {
  bases: Basis[];
  cases: { basis: number; conditions: Conditions; expected: Record<string, unknown> }[];
}
const file = new URL("../../../tests/data/what_if.json", import.meta.url);
const vectors = JSON.parse(readFileSync(file, "utf8")) as Vectors;

const resultOf = (o: Option): Record<string, unknown> => ({
  name: o.name,
  file_bytes: o.file_bytes,
  bits_per_weight: o.bits_per_weight,
  memory: o.memory,
  fits: o.fits,
  tokens_per_s: o.speed.tokens_per_s,
  prompt_tokens_per_s: o.speed.prompt_tokens_per_s,
  bound_tokens_per_s: o.speed.bound_tokens_per_s,
  speed_source: o.speed.source,
  loss: o.loss,
  on_front: o.on_front,
  command: o.command,
  kl_divergence: o.quality.kl_divergence,
  ...(o.kv_loss ? { kv_loss: o.kv_loss } : {}),
});

/** Equal, numbers to the last few bits. */
function expectEqual(path: string, found: unknown, wanted: unknown): void {
  if (typeof wanted === "number") {
    expect(Math.abs((found as number) - wanted), path).toBeLessThanOrEqual(1e-12 * Math.max(1e-9, Math.abs(wanted)));
  } else if (typeof wanted === "object" && wanted !== null) {
    expect(Object.keys(found as object).sort(), path).toEqual(Object.keys(wanted).sort());
    for (const [key, value] of Object.entries(wanted))
      expectEqual(`${path}/${key}`, (found as Record<string, unknown>)[key], value);
  } else {
    expect(found, path).toBe(wanted);
  }
}

describe("the same decision as the program's", () => {
  vectors.cases.forEach((one, i) => {
    const { machine, n_ctx, prefer } = one.conditions;
    test(`case ${i}: ${machine.name}, ${n_ctx} tokens, ${prefer}`, () => {
      const basis = vectors.bases[one.basis]!;
      const found = decide(basis, one.conditions);
      const chosen = found.recommended === null ? null : found.options[found.recommended]!;
      expectEqual(
        "",
        {
          recommendation: chosen && { name: chosen.name, why: found.why, command: chosen.command },
          why: found.why,
          refused: found.refused,
          options: found.options.map(resultOf),
        },
        one.expected,
      );
    });
  });
});
