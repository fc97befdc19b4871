// What a person does with the dashboard: every control, sort, copy, keys, theme, print.
import { type Page, expect, test } from "@playwright/test";
import { dataOf, has, urlOf } from "./pages";

const verdict = (page: Page) => page.locator("#verdict h1");

/** Move a slider as a person would, and let the page follow. */
async function slide(page: Page, name: string, value: number): Promise<void> {
  await page.getByRole("slider", { name }).first().evaluate((input: HTMLInputElement, to) => {
    input.value = String(to);
    input.dispatchEvent(new Event("input", { bubbles: true }));
  }, value);
}

test.describe("the 32B and the 14B on a 24 GB Mac", () => {
  test.beforeEach(async ({ page }) => {
    await page.goto(urlOf("32b"));
  });

  test("the verdict is that of the program, with the command to copy", async ({ page }) => {
    const { fit } = dataOf("32b");
    await expect(page.locator("#verdict")).toContainText(fit.why);
    await expect(page.locator("#verdict .command code")).toHaveText(fit.recommendation.command);
    await page.locator("#verdict").getByRole("button", { name: "Copy" }).click();
    await expect(page.locator("#verdict").getByRole("button", { name: "Copied" })).toBeVisible();
    expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(fit.recommendation.command);
  });

  test("less memory chooses something smaller, and too little says no", async ({ page }) => {
    const before = await verdict(page).textContent();
    await slide(page, "Memory for the model", 6 * 1024);
    await expect(verdict(page)).not.toHaveText(before!);
    await expect(verdict(page)).toContainText("of the 6.00 GiB");
    await slide(page, "Memory for the model", 1024);
    await expect(verdict(page)).toContainText("No: even qwen2.5:14b");
    await page.getByRole("button", { name: "As asked for" }).click();
    await expect(verdict(page)).toHaveText(before!);
  });

  test("a longer context takes more, and the sentence says which", async ({ page }) => {
    await slide(page, "Context", 6);
    await expect(verdict(page)).toContainText("32,768 tokens of context");
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
    await expect(verdict(page)).toContainText("q8_0 cache");
    await page.getByRole("checkbox", { name: "q8_0" }).click();
    await expect(page.getByRole("checkbox", { name: "q8_0" })).toBeChecked();
    await page.getByRole("checkbox", { name: "q4_0" }).check();
    await expect(page.getByRole("checkbox", { name: "q4_0" })).toBeChecked();
  });

  test("another machine has other memory, speed and sources", async ({ page }) => {
    await page.getByRole("combobox", { name: "Machine" }).selectOption("rtx-4090-24gb");
    await expect(verdict(page)).toContainText("RTX 4090");
    await expect(page.locator("#details")).toContainText("runs on");
    await page.getByRole("combobox", { name: "Machine" }).selectOption("this");
    await expect(verdict(page)).toContainText("this machine");
  });

  test("every column sorts, both ways, by its figure", async ({ page }) => {
    const column: Record<string, number> = { file: 1, bits: 2, memory: 3 };
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
    await expect(page.locator("#anatomy")).toContainText("share of the bytes: from");
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
    expect(await theme()).toBe("dark");
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
    const pdf = await page.pdf({ format: "A4" });
    expect(pdf.length).toBeGreaterThan(20_000);
    const pages = pdf.toString("latin1").match(/\/Type \/Page\b/g)?.length ?? 0;
    expect(pages).toBeGreaterThan(2);
    expect(pages).toBeLessThan(40);
  });
});

test("where nothing fits the page says no, and what would change that", async ({ page }) => {
  await page.goto(urlOf("none"));
  await expect(verdict(page)).toContainText("No: even qwen2.5:32b IQ1_S");
  await slide(page, "Memory for the model", 16 * 1024);
  await expect(verdict(page)).toContainText("Take qwen2.5:32b");
});

test("evidence, surgery and predictions of runs that were given are shown beside the decision", async ({ page }) => {
  await page.goto(urlOf("moe"));
  await expect(page.locator("#evidence")).toContainText("3,060 tokens scored");
  await expect(page.locator("#evidence .figure svg")).toHaveCount(3 * 2); // of verify and of compress: a dot plot, two curves
  await expect(page.locator("#surgery")).toContainText("the repair took away");
  await expect(page.locator("#predictions")).toContainText("Intervals that held here");
  await page.locator("#log summary").first().click();
  await expect(page.locator("#log pre").first()).toContainText('"schema"');
});

for (const name of ["demo", "f16", "768"])
  test(`a real model (${name}): its own block is rounded, with less error for more bits`, async ({ page }) => {
    test.skip(!has(name), "this model is not on this machine: scripts/test_models.sh makes it");
    await page.goto(urlOf(name));
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
