// docs/images: the dashboard at three widths, of the pages that the browser tests made.
import { existsSync, mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { chromium } from "@playwright/test";

const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const pages = at("../test-results/pages/");
const out = at("../../docs/images/");
const installed = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((path) => existsSync(path));

const shots = [
  { name: "dashboard-360", page: "32b", width: 360, height: 1500, theme: "light", from: "main" },
  { name: "dashboard-1280", page: "32b", width: 1280, height: 1260, theme: "light", from: "main" },
  { name: "dashboard-2560", page: "768", width: 2560, height: 1300, theme: "dark", from: "main" },
  { name: "anatomy-1280", page: "768", width: 1280, height: 860, theme: "light", from: "#anatomy" },
];

mkdirSync(out, { recursive: true });
const browser = await chromium.launch({ ...(installed ? { executablePath: installed } : {}), args: ["--no-sandbox"] });
for (const { name, page: file, width, height, theme, from } of shots) {
  if (!existsSync(`${pages}${file}.html`)) continue;
  const page = await browser.newPage({ viewport: { width, height }, colorScheme: theme, reducedMotion: "reduce" });
  await page.goto(`file://${pages}${file}.html`);
  await page.locator(from).evaluate((element) => element.scrollIntoView());
  await page.waitForTimeout(300);
  await page.screenshot({ path: `${out}${name}.png` });
  await page.close();
}
await browser.close();
