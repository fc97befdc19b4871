// Puts the built script and style sheet into one page.html with a content security policy that allows these two, by
// their hashes, and nothing else: no network, no other script, whatever the data holds.
import { createHash } from "node:crypto";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";

const mostBytes = 1_500_000;
const here = new URL("..", import.meta.url);
const read = (name) => readFileSync(new URL(name, here), "utf8");
const hash = (text) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;

// What the page was built from, so that a test without Node can tell whether the sources have changed since
// (tests/report/page_test.cpp counts the same way).
const sources = ["index.html", "package-lock.json", "package.json", "scripts/seal.mjs", "tsconfig.json", "vite.config.ts"].concat(
  readdirSync(new URL("src", here), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => `${entry.parentPath}/${entry.name}`.slice(new URL(".", here).pathname.length)),
);
const sourceHash = createHash("sha256");
for (const name of sources.sort()) sourceHash.update(`${name}\n`).update(readFileSync(new URL(name, here)));

const script = `\n${read("dist/page.js").trim().replaceAll("</script", "<\\/script")}\n`;
const style = `\n${read("dist/page.css").trim()}\n`;
const policy = `default-src 'none'; script-src ${hash(script)}; style-src ${hash(style)}; img-src data:; base-uri 'none'; form-action 'none'`;

const replaceOnce = (text, pattern, by) => {
  if (!pattern.test(text)) throw new Error(`dist/index.html has no ${pattern}`);
  return text.replace(pattern, () => by);
};
let page = read("dist/index.html");
page = replaceOnce(page, /\s*<!-- scripts\/seal\.mjs[^>]*-->/, "");
page = replaceOnce(page, /content="default-src 'none'"/, `content="${policy}"`);
page = replaceOnce(page, /<meta name="referrer"/, `<meta name="ech0-sources" content="${sourceHash.digest("hex")}" />\n    <meta name="referrer"`);
page = replaceOnce(page, /\s*<script type="module"[^>]*><\/script>/, "");
page = replaceOnce(page, /<link rel="stylesheet"[^>]*>/, `<style>${style}</style>`);
page = replaceOnce(page, /<\/body>/, `  <script type="module">${script}</script>\n  </body>`);
if (/(src|href)="(?!data:|#)/.test(page.replace(script, ""))) throw new Error("the page refers to something outside");
if (Buffer.byteLength(page) > mostBytes) throw new Error(`the page has ${Buffer.byteLength(page)} bytes, at most ${mostBytes}`);
writeFileSync(new URL(process.argv[2] ?? "page.html", here), page);
console.log(`page.html: ${Buffer.byteLength(page)} bytes`);
