// docs/images: the page at three widths, light and dark, of the pages that the browser tests made. WebP by Chromium
// itself: a tenth of a PNG.
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { chromium } from "@playwright/test";

const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const pages = at("../test-results/pages/");
const out = at("../../docs/images/");
const installed = [process.env.ECH0_CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((path) => path && existsSync(path));

const shots = [
  { name: "dashboard-360", page: "32b", width: 360, height: 1500, theme: "light", from: "body" },
  { name: "dashboard-1280", page: "32b", width: 1280, height: 1200, theme: "light", from: "body" },
  { name: "dashboard-2560", page: "768", width: 2560, height: 1440, theme: "dark", from: "body" },
  { name: "evidence-1280", page: "768", width: 1280, height: 1060, theme: "light", from: "#evidence .proof:last-of-type" },
  { name: "anatomy-1280", page: "768", width: 1280, height: 1040, theme: "dark", from: "#anatomy" },
  { name: "kv-1280", page: "demo", width: 1280, height: 880, theme: "light", from: "#kv" },
  { name: "guide-1280", page: "768", width: 1280, height: 960, theme: "light", from: "#guide .movement:nth-of-type(1)" },
  { name: "guide-head-1280", page: "768", width: 1280, height: 900, theme: "light", from: "#guide .movement:nth-of-type(3)" },
];

mkdirSync(out, { recursive: true });
const browser = await chromium.launch({ ...(installed ? { executablePath: installed } : {}), args: ["--no-sandbox"] });
for (const { name, page: file, width, height, theme, from } of shots) {
  if (!existsSync(`${pages}${file}.html`)) continue;
  const page = await browser.newPage({ viewport: { width, height }, colorScheme: theme, reducedMotion: "reduce" });
  await page.goto(`file://${pages}${file}.html`);
  await page.locator("html[data-ready]").waitFor({ state: "attached" });
  if ((await page.locator(from).count()) === 0) continue;
  await page.locator(from).first().evaluate((element) => element.scrollIntoView());
  await page.waitForTimeout(400);
  const devtools = await page.context().newCDPSession(page);
  const { data } = await devtools.send("Page.captureScreenshot", { format: "webp", quality: 84 });
  writeFileSync(`${out}${name}.webp`, Buffer.from(data, "base64"));
  await page.close();
}
await browser.close();
