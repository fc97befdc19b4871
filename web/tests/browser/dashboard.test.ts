// What a person does with the dashboard: every control, sort, copy, keys, theme, print.
import { type Page, expect, test } from "@playwright/test";
import { significant } from "../../src/format";
import { dataOf, has, open } from "./pages";

const verdict = (page: Page) => page.locator("#verdict h1");

const lossText = (kl: number): string => (kl < 1e-6 ? "nothing" : `${significant(kl, 3)} nats`);

/** Move a slider as a person would, and let the page follow. */
async function slide(page: Page, name: string, value: number): Promise<void> {
  await page.getByRole("slider", { name }).first().evaluate((input: HTMLInputElement, to) => {
    input.value = String(to);
    input.dispatchEvent(new Event("input", { bubbles: true }));
  }, value);
}

test.describe("the 32B and the 14B on a 24 GB Mac", () => {
  test.beforeEach(async ({ page }) => {
    await open(page, "32b");
  });

  test("the verdict is that of the program, with the command to copy", async ({ page }) => {
    const { fit } = dataOf("32b");
    const chosen = fit.options.find((o: { name: string }) => o.name === fit.recommendation.name);
    await expect(verdict(page)).toContainText(`Take ${chosen.model} as ${chosen.preset}: it fits with`);
    await expect(verdict(page)).toContainText("and is hard to tell from its original.");
    const figures = page.locator("#verdict .verdict-figures dd.big");
    await expect(figures).toHaveText(["12.16 GiB", `${chosen.tokens_per_s.value.toPrecision(3)} tokens/s`, "0.0045", "4,096 tokens"]);
    const other = fit.why.split("; ")[1]; // the larger model, that would be closer and slower
    await expect(page.locator("#verdict")).toContainText(`Instead: ${other}.`);
    await expect(page.locator("#verdict .command code")).toHaveText(fit.recommendation.command);
    await page.locator("#verdict").getByRole("button", { name: "Copy" }).click();
    await expect(page.locator("#verdict").getByRole("button", { name: "Copied" })).toBeVisible();
    expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(fit.recommendation.command);
  });

  test("less memory chooses something smaller, and too little says no", async ({ page }) => {
    const before = await verdict(page).textContent();
    await slide(page, "Memory for the model", 6 * 1024);
    await expect(verdict(page)).not.toHaveText(before!);
    await expect(page.locator("#verdict")).toContainText("of 6.00 GiB");
    await slide(page, "Memory for the model", 1024);
    await expect(verdict(page)).toContainText("No: even qwen2.5:14b");
    await page.getByRole("button", { name: "As asked for" }).click();
    await expect(verdict(page)).toHaveText(before!);
  });

  test("a longer context takes more, and the sentence says which", async ({ page }) => {
    await slide(page, "Context", 6);
    await expect(page.locator("#verdict .verdict-figures")).toContainText("32,768 tokens");
    await expect(page.getByRole("slider", { name: "Context" }).first()).toHaveAttribute("aria-valuetext", "32,768 tokens");
  });

  test("a minimum speed refuses what is slower", async ({ page }) => {
    await slide(page, "Minimum speed", 20);
    await expect(verdict(page)).toContainText("qwen2.5:14b");
    await slide(page, "Minimum speed", 60);
    await expect(verdict(page)).toContainText("nothing that fits reaches 60.0 tokens/s");
  });

  test("preferring quality takes the large model, speed the fast one", async ({ page }) => {
    await page.getByRole("radio", { name: "quality" }).check();
    await expect(verdict(page)).toContainText("qwen2.5:32b");
    await page.getByRole("radio", { name: "speed" }).check();
    await expect(verdict(page)).toContainText("qwen2.5:14b");
  });

  test("cache types come and go, and one always stays", async ({ page }) => {
    await page.getByRole("checkbox", { name: "f16" }).uncheck();
    await expect(page.locator("#verdict .verdict-figures")).toContainText("q8_0 cache");
    await page.getByRole("checkbox", { name: "q8_0" }).click();
    await expect(page.getByRole("checkbox", { name: "q8_0" })).toBeChecked();
    await page.getByRole("checkbox", { name: "q4_0" }).check();
    await expect(page.getByRole("checkbox", { name: "q4_0" })).toBeChecked();
  });

  test("another machine has other memory, speed and sources", async ({ page }) => {
    await page.getByRole("combobox", { name: "Machine" }).selectOption("rtx-4090-24gb");
    await expect(page.locator("#verdict .eyebrow")).toContainText("RTX 4090");
    await expect(page.locator("#details")).toContainText("runs on");
    await page.getByRole("combobox", { name: "Machine" }).selectOption("this");
    await expect(page.locator("#verdict .eyebrow")).toContainText("this machine");
  });

  test("every column sorts, both ways, by its figure", async ({ page }) => {
    const column: Record<string, number> = { file: 1, bits: 2, memory: 3, "tokens/s": 4, "KL from the original": 5 };
    for (const [name, index] of Object.entries(column)) {
      for (const direction of ["ascending", "descending"]) {
        const heading = page.locator("#details th").filter({ has: page.getByRole("button", { name }) });
        while ((await heading.getAttribute("aria-sort")) !== direction) await heading.getByRole("button").click();
        const figures = (await page.locator(`#details tbody tr td:nth-child(${index + 1})`).allTextContents()).map(
          (text) => Number.parseFloat(text) * (text.includes("MiB") ? 1 / 1024 : 1),
        );
        const sorted = [...figures].sort((a, b) => (direction === "ascending" ? a - b : b - a));
        expect(figures, `${name} ${direction}`).toEqual(sorted);
      }
    }
    await page.getByRole("button", { name: "tokens/s" }).click();
    await page.getByRole("button", { name: "KL from the original" }).click();
    await expect(page.locator("#details th[aria-sort]")).toHaveCount(1);
  });

  test("all options can be listed, and one chosen by keyboard is told in detail", async ({ page }) => {
    await page.getByRole("button", { name: /^All \d+$/ }).click();
    await expect(page.locator("#details tbody tr")).toHaveCount(dataOf("32b").fit.options.length);
    const option = page.getByRole("button", { name: "qwen2.5:32b Q4_K_M, f16 cache" });
    await option.focus();
    await page.keyboard.press("Enter");
    await expect(page.locator("#detail-title")).toHaveText("qwen2.5:32b Q4_K_M, f16 cache");
    await expect(page.locator("#details")).toContainText("too much");
    await expect(option).toBeFocused();
    await expect(option).toHaveAttribute("aria-pressed", "true");
  });

  test("a mark in the chart can be chosen", async ({ page }) => {
    const mark = page.locator('#options .mark[data-option="qwen2.5:32b Q3_K_M, f16 cache"]').first();
    await mark.locator(".hit").click({ force: true });
    await expect(page.locator("#detail-title")).toHaveText("qwen2.5:32b Q3_K_M, f16 cache");
  });

  test("the anatomy is walked with arrow keys, and shaded by what is asked", async ({ page }) => {
    const map = page.locator("svg.anatomy");
    await map.focus();
    await expect(page.locator("#anatomy .panel code")).toHaveText("token_embd.weight");
    await page.keyboard.press("ArrowDown");
    await expect(page.locator("#anatomy .panel code")).toContainText("blk.0.");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("ArrowRight");
    await expect(page.locator("#anatomy .panel code")).toContainText("blk.1.");
    await page.getByRole("combobox", { name: "Shade by" }).selectOption("share");
    await expect(page.locator("#anatomy .legend")).toContainText("share of the bytes:");
    await page.getByRole("combobox", { name: "File" }).selectOption("1");
    await expect(map).toHaveAttribute("aria-label", /14B/);
  });

  test("the tab order begins with the way past the head and goes through everything once", async ({ page }) => {
    const seen: string[] = [];
    for (let i = 0; i < 150; i++) {
      await page.keyboard.press("Tab");
      const name = await page.evaluate(() => {
        const element = document.activeElement!;
        const box = element.getBoundingClientRect();
        return element === document.body ? "" : `${element.tagName} ${element.id} ${element.textContent?.slice(0, 40)} ${box.width > 0 && box.height > 0}`;
      });
      if (name === "") break;
      seen.push(name);
    }
    expect(seen[0]).toContain("Skip to the content");
    expect(seen.every((name) => name.endsWith("true"))).toBe(true);
    expect(seen.length).toBeGreaterThan(30);
    expect(seen.length).toBeLessThan(150);
    const order = ["slider", "SELECT machine", "svg"].map((part) => seen.findIndex((name) => name.includes(part)));
    expect(order[1]).toBeLessThan(order[0]!);
  });

  test("the theme is the system's until it is changed, and the change is kept", async ({ page }) => {
    const theme = () => page.evaluate(() => document.documentElement.dataset.theme);
    expect(await theme()).toBe("light");
    await page.emulateMedia({ colorScheme: "dark" });
    await expect.poll(theme).toBe("dark"); // the system tells the page with the next frame
    await page.getByRole("button", { name: "Switch to light colours" }).click();
    expect(await theme()).toBe("light");
    await page.reload();
    expect(await theme()).toBe("light");
  });

  test("it prints without its controls, on white, whole", async ({ page }) => {
    await page.emulateMedia({ media: "print", colorScheme: "dark" });
    await expect(page.locator(".masthead")).toBeHidden();
    await expect(page.locator(".controls-panel")).toBeHidden();
    await expect(verdict(page)).toBeVisible();
    expect(await page.evaluate(() => getComputedStyle(document.body).backgroundColor)).toBe("rgb(255, 255, 255)");
    // Nothing of the dark theme stays: the command and the chosen row are dark on light.
    const lightness = (selector: string, property: "color" | "backgroundColor") =>
      page.locator(selector).first().evaluate((element, name) => {
        const canvas = document.createElement("canvas").getContext("2d")!;
        canvas.fillStyle = getComputedStyle(element)[name];
        canvas.fillRect(0, 0, 1, 1);
        return canvas.getImageData(0, 0, 1, 1).data.slice(0, 3).reduce((sum, c) => sum + c, 0) / 3;
      }, property);
    for (const selector of ["#verdict .command", "#details tr.chosen td"]) {
      expect(await lightness(selector, "backgroundColor"), selector).toBeGreaterThan(200);
      expect(await lightness(selector, "color"), selector).toBeLessThan(90);
    }
    const pdf = await page.pdf({ format: "A4" });
    expect(pdf.length).toBeGreaterThan(20_000);
    const pages = pdf.toString("latin1").match(/\/Type \/Page\b/g)?.length ?? 0;
    expect(pages).toBeGreaterThan(2);
    expect(pages).toBeLessThan(40);
  });
});

test("on paper figures take the sheet's width, the map of tensors one sheet, and what is closed is left out", async ({ page }) => {
  await open(page, "32b");
  await page.emulateMedia({ media: "print" });
  await page.setViewportSize({ width: 690, height: 1000 }); // between the margins of A4
  await page.evaluate(() => window.dispatchEvent(new Event("beforeprint"))); // as the browser does before it lays out
  const boxes = await page.locator(".movement svg[role='img']").evaluateAll((all) => all.map((svg) => svg.getBoundingClientRect().width));
  expect(boxes.length).toBeGreaterThan(1);
  for (const width of boxes) expect(width).toBeGreaterThan(600);
  const map = (await page.locator("svg.anatomy").boundingBox())!;
  expect(map.height).toBeLessThan(820); // 215 mm
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(690);
  await expect(page.locator("details").first()).toBeHidden();
  await page.evaluate(() => window.dispatchEvent(new Event("afterprint")));
});

test("where nothing fits the page says no, and what would change that", async ({ page }) => {
  await open(page, "none");
  await expect(verdict(page)).toContainText("No: even qwen2.5:32b IQ1_S");
  await expect(page.locator("#detail-title")).toHaveText("qwen2.5:32b IQ1_S, q8_0 cache"); // what comes nearest
  await expect(page.locator("#details")).toContainText("3.49 GiB too much");
  await expect(page.locator("#options")).toContainText("None fits.");
  expect(await page.locator("#options .mark[data-option]").count()).toBeGreaterThan(10);
  await slide(page, "Memory for the model", 16 * 1024);
  await expect(verdict(page)).toContainText("Take qwen2.5:32b");
});

test("evidence, surgery and predictions of runs that were given are shown beside the decision", async ({ page }) => {
  await open(page, "moe");
  await expect(page.locator("#evidence")).toContainText("3,060 tokens scored");
  await expect(page.locator("#evidence .figure svg")).toHaveCount(3 * 2); // of verify and of compress: a dot plot, two curves
  await expect(page.locator("#surgery")).toContainText("the repair took away");
  await expect(page.locator("#predictions")).toContainText("intervals that held");
  await page.locator("#log summary").first().click();
  await expect(page.locator("#log pre").first()).toContainText('"schema"');
});

for (const name of ["demo", "f16", "768"])
  test(`a real model (${name}): its own block is rounded, with less error for more bits`, async ({ page }) => {
    test.skip(!has(name), "this model is not on this machine: scripts/test_models.sh makes it");
    await open(page, name);
    const error = async (): Promise<number> => Number.parseFloat((await page.locator("#guide .readings dd").first().textContent())!);
    const errors: number[] = [];
    for (const bits of [2, 3, 4, 6, 8]) {
      await slide(page, "Bits of a weight", bits);
      errors.push(await error());
    }
    expect([...errors].sort((a, b) => b - a)).toEqual(errors);
    await slide(page, "Bits of a weight", 3);
    const searched = await error();
    await page.getByRole("checkbox", { name: "search the scale" }).uncheck();
    expect(await error()).toBeGreaterThanOrEqual(searched);
    await slide(page, "KV groups away", 1);
    await expect(page.locator("#guide")).toContainText("weights removed");
    await page.locator("#guide").getByRole("slider", { name: "Context" }).press("ArrowLeft");
    await expect(page.locator("#guide")).toContainText("q8_0 cache");
  });

test.describe("a prune run with what each cut would cost", () => {
  test.beforeEach(async ({ page }) => {
    test.skip(!has("768"), "this model is not on this machine: scripts/test_models.sh makes it");
    await open(page, "768");
  });
  const costs = () => dataOf("768").runs.find((run: { schema: string }) => run.schema === "ech0.prune/1").costs;
  const part = (kind: string, layer: number) => costs().parts.find((p: { kind: string; layer: number }) => p.kind === kind && p.layer === layer);

  test("a head is dropped, and what the model loses is what was measured of that head", async ({ page }) => {
    const figure = page.locator("#guide figure", { hasText: "Take away" });
    await expect(figure.locator("label", { hasText: "How many" })).toContainText("2 of 4"); // one of them is dead in every layer
    await slide(page, "How many", 1);
    await slide(page, "Of layer", 7);
    const seven = part("kv_heads", 7);
    await expect(figure.locator(".readings dd.big").first()).toHaveText(lossText(seven.steps[0].kl_divergence));
    await expect(figure.locator(".readings .badge").first()).toHaveText(seven.n_measured === 1 ? "measured" : "predicted");
    await slide(page, "How many", 2);
    await expect(figure.locator(".readings dd.big").first()).toHaveText(lossText(seven.steps[1].kl_divergence));
    await expect(figure.locator("label", { hasText: "How many" })).toContainText(`${seven.steps[1].gone} of 4`);
  });

  test("channels and whole layers can be dropped too, and a layer is chosen by its mark", async ({ page }) => {
    const figure = page.locator("#guide figure", { hasText: "Take away" });
    await figure.getByRole("combobox", { name: "Take away" }).selectOption("ffn_channels");
    await expect(figure.locator("label", { hasText: "How many" })).toContainText("of 1,536");
    await figure.getByRole("combobox", { name: "Take away" }).selectOption("layer");
    await expect(figure.getByRole("slider", { name: "How many" })).toBeHidden();
    const third = costs().layers[2];
    await figure.locator(".mark .hit").nth(2).click({ force: true });
    await expect(figure.locator("label", { hasText: "Of layer" })).toContainText(String(third.layer));
    await expect(figure.locator(".readings dd.big").first()).toHaveText(lossText(third.kl_divergence));
    await expect(figure.locator(".readings .badge").first()).toHaveText("measured");
  });
});

test("runs of another model are shown under its name, and the guide tells nothing of them", async ({ page }) => {
  await open(page, "moe");
  await expect(page.locator("#surgery")).toContainText("pruned-20.gguf");
  await expect(page.locator("#kv")).toContainText("smollm2-135m-instruct-q4_1.gguf");
  await expect(page.locator("#guide figure", { hasText: "Take away" })).toHaveCount(0);
  await expect(page.locator("#guide")).not.toContainText("pruned-20.gguf");
  await expect(page.locator("#guide figure", { hasText: "f16 cache" })).not.toContainText("loses");
  await expect(page.locator("#options .mark.proven")).toHaveCount(0);
  test.skip(!has("demo"), "this model is not on this machine: scripts/test_models.sh makes it");
  await open(page, "demo");
  const plan = dataOf("demo").runs[0];
  const pair = plan.pairs.find((p: { type_k: string; type_v: string }) => p.type_k === "q8_0" && p.type_v === "q8_0");
  await expect(page.locator("#guide")).toContainText(`loses ${significant(pair.kl_divergence, 2)} nats`);
});

test("files that were measured stand in the chart beside what was expected, and count among the predictions", async ({ page }) => {
  test.skip(!has("768"), "this model is not on this machine: scripts/test_models.sh makes it");
  await open(page, "768");
  const { runs, basis } = dataOf("768");
  const proofs = runs.flatMap((r: Record<string, any>) => (r.schema === "ech0.verify/1" ? [r] : r.schema === "ech0.compress/1" ? [r.evidence] : []));
  const files = new Map<string, Record<string, any>>(proofs.flatMap((p: Record<string, any>) => p.candidates.map((c: Record<string, any>) => [c.sha256, c])));
  expect(files.size).toBeGreaterThan(1);
  const marks = page.locator("#options .mark.proven");
  await expect(marks).toHaveCount(files.size);
  for (const file of files.values()) await expect(page.locator("#options .proven title", { hasText: file.path.replace(/^.*\//, "") })).toHaveCount(1);
  // Of the files whose size is a preset's, the interval that was predicted for it held or did not.
  const held = [...files.values()].flatMap((file) => {
    const preset = basis.models[0].files.find((f: Record<string, any>) => f.grade === "predicted" && Math.abs(f.file_bytes / file.size_bytes - 1) < 0.001);
    const kl = file.kl_divergence.mean;
    return preset ? [kl >= preset.quality.low && kl <= preset.quality.high] : [];
  });
  const rate = page.locator("#predictions .readings div", { hasText: "quality" });
  await expect(rate.locator(".big")).toHaveText(`${held.filter(Boolean).length} of ${held.length}`);
});

test("prune's verdict is told with the command that does better, and stands beside the opinion", async ({ page }) => {
  await open(page, "moe");
  const run = dataOf("moe").runs.find((r: { schema: string }) => r.schema === "ech0.prune/1");
  expect(run.verdict.prune).toBe(false);
  await expect(page.locator("#surgery")).toContainText("Do not prune: round instead");
  await expect(page.locator("#surgery .command code").first()).toHaveText(run.verdict.compress_instead);
  await expect(page.locator("#surgery .stays")).toContainText(run.verdict.why);
});

test("memory that is a small part of the limit is drawn once more, enlarged", async ({ page }) => {
  await open(page, "32b");
  await expect(page.locator("#details .memory .cone")).toHaveCount(0);
  await slide(page, "Memory for the model", 24 * 1024);
  await page.getByRole("button", { name: /^All \d+$/ }).click();
  await page.getByRole("button", { name: "qwen2.5:14b IQ1_S, f16 cache" }).click();
  await expect(page.locator("#details .memory .cone")).toHaveCount(1);
});

test("the types of a file add up to all of it", async ({ page }) => {
  await open(page, "moe");
  const shares = await page.locator("#anatomy .type-bars .small").allTextContents();
  expect(shares.length).toBeGreaterThan(2);
  expect(shares.reduce((sum, text) => sum + Number.parseFloat(text), 0)).toBeCloseTo(100, 0);
});

test("of a mixture experts go, counted from the shapes", async ({ page }) => {
  await open(page, "moe");
  const figure = page.locator("#guide figure", { hasText: "Experts away" });
  await slide(page, "Experts away", 50);
  const model = dataOf("moe").models[0];
  const inside = model.tensors.filter((t: { name: string }) => /_exps\.weight$/.test(t.name)).reduce((n: number, t: { shape: number[] }) => n + t.shape.reduce((a, b) => a * b, 1), 0);
  await expect(figure.locator(".readings dd.big").first()).toHaveText(`${Number((inside / 2 / 1e9).toPrecision(3))} billion (${((50 * inside) / model.n_params).toFixed(1)} %)`);
});

test("a blueprint has no weights to round, but sizes and losses of every usual type", async ({ page }) => {
  await open(page, "32b");
  const files = dataOf("32b").basis.models[0].files.filter((f: { bits_per_weight: number }) => f.bits_per_weight < 12);
  await slide(page, "Type of the file", 0);
  const figure = page.locator("#guide figure", { hasText: "Type of the file" });
  await expect(figure.locator("output")).toContainText(files[0].preset);
  await expect(figure.locator(".readings dd.big").first()).toHaveText(`${(files[0].file_bytes / 1e9).toFixed(2)} GB`);
  await figure.locator(".mark .hit").last().click({ force: true });
  await expect(figure.locator("output")).toContainText(files[files.length - 1].preset);
});

test("what compress decided is shown over the model it was made of, and over no other", async ({ page }) => {
  await open(page, "moe"); // with a run of another model
  await expect(page.locator("#anatomy .facts")).not.toContainText("151,936");
  await expect(page.locator("#anatomy .facts")).toContainText("4.50");
  test.skip(!has("768"), "this model is not on this machine: scripts/test_models.sh makes it");
  await open(page, "768");
  await expect(page.locator("#anatomy .facts")).toContainText("768 × 49,152");
  for (const measure of ["error", "kl", "share", "bits"]) {
    await page.getByRole("combobox", { name: "Shade by" }).selectOption(measure);
    await expect(page.locator("#anatomy .legend .scale")).toBeVisible();
  }
});

test("a model's opinion stands beside the measured verdict, each number with its finding", async ({ page }) => {
  await open(page, "moe");
  const run = dataOf("moe").runs.find((r: { schema: string }) => r.schema === "ech0.surgeon/1");
  await expect(page.locator("#surgery")).toContainText("The verdict, measured");
  const distinct = (claims: unknown[]): number => new Set(claims.map((claim) => JSON.stringify(claim))).size;
  await expect(page.locator("#surgery .claims li")).toHaveCount(run.opinions.reduce((n: number, o: { claims: unknown[] }) => n + distinct(o.claims), 0));
});

test("every copy button copies what stands beside it", async ({ page }) => {
  await open(page, "moe");
  for (const command of await page.locator(".command").all()) {
    await command.getByRole("button", { name: "Copy" }).click();
    await expect(command.getByRole("button", { name: "Copied" })).toBeVisible();
    expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(await command.locator("code").textContent());
  }
  const details = page.locator("#log details").first();
  await details.locator("summary").click();
  await details.getByRole("button", { name: "Copy" }).click();
  expect(JSON.parse(await page.evaluate(() => navigator.clipboard.readText()))).toEqual(dataOf("moe").runs[0]);
});

test("a kv plan shows its choice, the front and every pair of cache types with how it is known", async ({ page }) => {
  await open(page, "moe");
  const plan = dataOf("moe").runs.find((r: { schema: string }) => r.schema === "ech0.kv.plan/1");
  const nameOf = (p: { type_k: string; type_v: string }) => (p.type_k === p.type_v ? p.type_k : `${p.type_k}/${p.type_v}`);
  const chosen = plan.pairs.find((p: { type_k: string; type_v: string }) => nameOf(p) === plan.chosen);
  const kv = page.locator("#kv");
  await expect(kv).toContainText(`Take ${plan.chosen}: ${(chosen.predicted_bytes / 2 ** 20).toFixed(1)} MiB in place of`);
  await expect(kv).toContainText(`at no depth more than ${chosen.high.toFixed(6)} nats`);
  await kv.locator("summary").click();
  const rows = kv.locator("tbody tr");
  await expect(rows).toHaveCount(plan.pairs.length);
  await expect(rows.locator(".badge", { hasText: "predicted" })).toHaveCount(plan.pairs.filter((p: { measured: boolean }) => !p.measured).length);
  await expect(kv.locator("tr.chosen th")).toHaveText(`${plan.chosen} (chosen)`);
});
