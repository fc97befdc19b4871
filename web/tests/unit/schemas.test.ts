// The formats of docs/json.md as an independent validator reads them, over runs that real commands wrote.
import { readFileSync, readdirSync } from "node:fs";
import Ajv2020 from "ajv/dist/2020";
import { expect, test } from "vitest";

const root = new URL("../../../", import.meta.url);
const json = (path: string): Record<string, any> => JSON.parse(readFileSync(new URL(path, root), "utf8"));
const validatorOf = (schema: string) => new Ajv2020({ strict: false, allErrors: true }).compile(json(`docs/schemas/${schema.replace("/", "-")}.json`));

test("every schema of docs/schemas is valid JSON Schema", () => {
  const names = readdirSync(new URL("docs/schemas", root));
  expect(names.length).toBeGreaterThan(10);
  for (const name of names) expect(() => new Ajv2020({ strict: false }).compile(json(`docs/schemas/${name}`)), name).not.toThrow();
});

for (const name of readdirSync(new URL("web/tests/runs", root))) {
  const run = json(`web/tests/runs/${name}`);
  test(`${name} is as its schema says, and is not when a key is missing or of another type`, () => {
    const validate = validatorOf(run.schema);
    validate(run);
    expect(validate.errors ?? []).toEqual([]);
    const first = Object.keys(run).find((key) => typeof run[key] === "object" && key !== "comparable")!;
    expect(validate({ ...run, [first]: 7 })).toBe(false);
    const { [first]: _, ...without } = run;
    expect(validate(without)).toBe(false);
  });
}

test("what the program prints now is as docs/schemas says", () => {
  // Written by the browser tests, which come first.
  for (const name of ["fit", "doctor", "inspect"]) {
    const run = json(`web/test-results/pages/${name}.json`);
    const validate = validatorOf(run.schema);
    validate(run);
    expect(validate.errors ?? [], name).toEqual([]);
  }
});
