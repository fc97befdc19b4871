// The figures of docs/dashboard.md: how fast the page is there, how long it blocks, whether it moves, and how it answers.
//
//   node scripts/measure.mjs [REPEATS]      over the pages that the browser tests made; medians, as a Markdown table
//
// Chromium's own records (Paint Timing, Largest Contentful Paint, Layout Instability, Long Tasks), as Lighthouse takes them;
// "4x" has the processor slowed four times by the DevTools protocol, as Lighthouse does to stand for a phone.
import { existsSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { chromium } from "@playwright/test";

const pages = fileURLToPath(new URL("../test-results/pages/", import.meta.url));
const installed = [process.env.ECH0_CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((path) => path && existsSync(path));
const repeats = Number(process.argv[2] ?? 7);
const middle = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

/** In the page, before anything else runs. */
function record() {
  const seen = { lcp: 0, cls: 0, tasks: [] };
  window.seen = seen;
  const watch = (type, take) => new PerformanceObserver((list) => list.getEntries().forEach(take)).observe({ type, buffered: true });
  watch("largest-contentful-paint", (entry) => (seen.lcp = entry.startTime));
  watch("layout-shift", (entry) => (seen.cls += entry.hadRecentInput ? 0 : entry.value));
  watch("longtask", (entry) => seen.tasks.push(entry.duration));
}

/** Time from a control's event until the frame after it is there. */
async function answer(page, selector, values, event) {
  return page.evaluate(
    async ([selector, values, event]) => {
      const control = [...document.querySelectorAll(selector)].at(selector.includes("select") ? 1 : 0);
      if (!control) return NaN;
      const times = [];
      for (const value of values) {
        control.value = value;
        const began = performance.now();
        control.dispatchEvent(new Event(event, { bubbles: true }));
        await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
        times.push(performance.now() - began);
      }
      return times.sort((a, b) => a - b)[Math.floor(times.length / 2)];
    },
    [selector, values, event],
  );
}

async function measure(browser, name, slowed) {
  const page = await browser.newPage({ viewport: slowed > 1 ? { width: 412, height: 823 } : { width: 1350, height: 940 } });
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("Emulation.setCPUThrottlingRate", { rate: slowed });
  await page.addInitScript(record);
  await page.goto(`file://${pages}${name}.html`);
  await page.waitForTimeout(800);
  const seen = await page.evaluate(() => ({ ...window.seen, fcp: performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? NaN }));
  const slider = await answer(page, '.controls-panel input[type="range"]', [6000, 8000, 12000, 16000, 20000], "input");
  const map = await answer(page, "#anatomy select", ["share", "bits", "share", "bits"], "change");
  await page.close();
  return { fcp: seen.fcp, lcp: seen.lcp, cls: seen.cls, blocked: seen.tasks.reduce((sum, ms) => sum + Math.max(0, ms - 50), 0), slider, map };
}

const browser = await chromium.launch({ ...(installed ? { executablePath: installed } : {}), args: ["--no-sandbox"] });
console.log(`Chromium ${browser.version()}, medians of ${repeats}\n`);
console.log("| page | size | tensors | processor | first paint | largest paint | blocked | shift | a slider | the map |\n|---|---|---|---|---|---|---|---|---|---|");
for (const name of ["32b", "768", "many"]) {
  const file = `${pages}${name}.html`;
  if (!existsSync(file)) continue;
  const page = await browser.newPage();
  await page.goto(`file://${file}`);
  await page.locator("html[data-ready]").waitFor({ state: "attached" });
  const tensors = await page.locator(".anatomy .cell[data-i]").count();
  await page.close();
  for (const slowed of [1, 4]) {
    const runs = [];
    for (let i = 0; i < repeats; i++) runs.push(await measure(browser, name, slowed));
    const of = (key) => middle(runs.map((run) => run[key]));
    const ms = (key) => `${of(key).toFixed(0)} ms`;
    console.log(`| ${name} | ${(statSync(file).size / 1e6).toFixed(2)} MB | ${tensors} | ${slowed}x | ${ms("fcp")} | ${ms("lcp")} | ${ms("blocked")} | ${of("cls").toFixed(3)} | ${ms("slider")} | ${ms("map")} |`);
  }
}
await browser.close();
