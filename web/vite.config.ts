import { defineConfig } from "vitest/config";

// One script, one style sheet, nothing beside them: scripts/seal.mjs puts both into page.html.
export default defineConfig({
  build: {
    target: "es2022",
    outDir: "dist",
    emptyOutDir: true,
    cssCodeSplit: false,
    modulePreload: false,
    assetsInlineLimit: 0,
    rollupOptions: { output: { entryFileNames: "page.js", assetFileNames: "page[extname]" } },
  },
  test: { include: ["tests/unit/**/*.test.ts"] },
});
