// The pages under test, made by the real program: `ech0 dashboard` over models that are here, and over shapes without
// weights; `ech0 report` over runs that were kept (tests/runs).
import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Page } from "@playwright/test";

const here = fileURLToPath(new URL(".", import.meta.url));
export const folder = join(here, "../../test-results/pages");
export const runs = join(here, "../runs");
const program = process.env.ECH0_PROGRAM ?? join(here, "../../../build/ech0");
const modelFolders = [process.env.ECH0_TEST_MODELS ?? "", join(process.env.ECH0_CACHE ?? join(homedir(), ".cache/ech0"), "models")];

export const urlOf = (name: string): string => `file://${join(folder, `${name}.html`)}`;
export const has = (name: string): boolean => existsSync(join(folder, `${name}.html`));

/** Go there, and wait until the last section is drawn. */
export async function open(page: Page, name: string): Promise<void> {
  await page.goto(urlOf(name));
  await page.locator("html[data-ready]").waitFor({ state: "attached" });
}

/** @param arguments_ of ech0; a 1 is an honest no, and makes a page too */
function ech0(arguments_: string[]): string {
  try {
    return execFileSync(program, arguments_, { encoding: "utf8", cwd: folder, maxBuffer: 1 << 28 });
  } catch (error) {
    if ((error as { status?: number }).status === 1) return (error as { stdout: string }).stdout;
    throw error;
  }
}

const dashboard = (name: string, ...rest: string[]): string => ech0(["dashboard", ...rest, "-o", `${name}.html`]);

/** The page with other data: what the program itself would refuse to write. */
export function pageWith(name: string, data: string): void {
  const page = readFileSync(join(here, "../../page.html"), "utf8");
  writeFileSync(join(folder, `${name}.html`), page.replace('"ech0-data-goes-here"', () => data));
}

export const inert = (value: unknown): string =>
  JSON.stringify(value).replaceAll("<", "\\u003c").replaceAll(">", "\\u003e").replaceAll("&", "\\u0026");

export const dataOf = (name: string): Record<string, any> => {
  const page = readFileSync(join(folder, `${name}.html`), "utf8");
  return JSON.parse(/id="ech0-data">(.*?)<\/script>/s.exec(page)![1]!);
};

const hostile = `<img src=x onerror="window.hacked=1"></script><script>window.hacked=1</script> & "quotes" 'n' \u202e reversed`;

/** The same data with every name of a model, file or machine replaced by something that wants to be markup. */
function withHostileNames(data: unknown): unknown {
  if (Array.isArray(data)) return data.map(withHostileNames);
  if (typeof data !== "object" || data === null) return data;
  const names = new Set(["path", "title", "source", "asked", "tensor", "lever", "detail", "command", "why"]);
  return Object.fromEntries(
    Object.entries(data).map(([key, value]) => [key, names.has(key) && typeof value === "string" ? `${hostile} ${value}` : withHostileNames(value)]),
  );
}

/** A model of 2,000 tensors, of blueprint shapes repeated. */
function manyTensors(data: Record<string, any>): unknown {
  const one = data.models[0];
  const layers = Array.from({ length: 167 }, (_, layer) =>
    one.tensors.filter((t: { name: string }) => t.name.startsWith("blk.0.")).map((t: { name: string }) => ({ ...t, name: t.name.replace("blk.0.", `blk.${layer}.`) })),
  );
  return { ...data, models: [{ ...one, tensors: [...one.tensors.filter((t: { name: string }) => !t.name.startsWith("blk.")), ...layers.flat()] }] };
}

export default function makePages(): void {
  mkdirSync(folder, { recursive: true });
  for (const run of readdirSync(runs)) copyFileSync(join(runs, run), join(folder, run));
  const withRuns = (...names: string[]): string[] => names.flatMap((run) => ["--with", run]);
  const kept = withRuns(...readdirSync(runs).filter((run) => run !== "kv-plan-768.json")); // one plan is enough for a page
  const own: Record<string, string[]> = {
    "768": withRuns("bench.json", ...readdirSync(runs).filter((run) => run.endsWith("-768.json"))),
    demo: withRuns("kv-plan-demo.json"),
  };
  dashboard("32b", "qwen2.5:32b", "qwen2.5:14b", "--machine", "m4-24gb");
  dashboard("moe", "qwen3:30b-a3b", "--machine", "m4-24gb", ...kept);
  dashboard("none", "qwen2.5:32b", "--machine", "m4-24gb", "--memory", "4GiB");
  const files = { demo: "smollm2-135m-instruct-q4_1.gguf", f16: "smollm2-135m-f16.gguf", "768": "smollm2-768-qwen2.gguf" };
  for (const [name, file] of Object.entries(files)) {
    const found = modelFolders.map((models) => join(models, file)).find((path) => existsSync(path));
    if (!found) continue;
    if (!existsSync(join(folder, file))) symlinkSync(found, join(folder, file)); // by its name alone, wherever it lies
    dashboard(name, file, ...(own[name] ?? []));
  }
  for (const run of readdirSync(runs)) ech0(["report", run, "--format", "html", "-o", `report-${run.replace(".json", "")}.html`]);
  for (const [name, arguments_] of Object.entries({ fit: ["fit", "qwen2.5:32b", "--machine", "m4-24gb"], doctor: ["doctor"], inspect: ["inspect", "qwen2.5:14b"] })) {
    writeFileSync(join(folder, `${name}.json`), ech0([...arguments_, "--json"]));
    ech0(["report", `${name}.json`, "--format", "html", "-o", `report-${name}.html`]);
  }
  pageWith("hostile", inert(withHostileNames(dataOf("moe"))));
  pageWith("many", inert(manyTensors(dataOf("32b"))));
}
