import { existsSync } from "node:fs";
import { defineConfig } from "@playwright/test";

// The system's Chromium where there is one, else the one that `npx playwright install chromium` fetches.
const chromium = [process.env.ECH0_CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(
  (path) => path && existsSync(path),
);

export default defineConfig({
  testDir: "tests/browser",
  globalSetup: "./tests/browser/pages.ts",
  outputDir: "test-results",
  timeout: 180_000,
  workers: 2,
  reporter: "list",
  use: {
    viewport: { width: 1280, height: 900 },
    permissions: ["clipboard-read", "clipboard-write"],
    launchOptions: { ...(chromium ? { executablePath: chromium } : {}), args: ["--no-sandbox"] },
  },
});
