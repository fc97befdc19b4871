// Every run that the page was made from, as it was written.
import { commandLine, copyButton, h, section } from "../dom";
import type { Page, Run } from "../data";
import { durationText } from "../format";

const words: Record<string, string> = {
  "ech0.verify/1": "measured against the original",
  "ech0.compress/1": "compressed",
  "ech0.prune/1": "pruned",
  "ech0.optimize/1": "optimized: compressed and measured",
  "ech0.demo/1": "the demo",
  "ech0.bench/1": "timed",
  "ech0.fit/1": "decided",
  "ech0.inspect/1": "looked into",
  "ech0.doctor/1": "examined the machine",
  "ech0.surgeon/1": "asked a model about itself",
  "ech0.kv.plan/1": "measured cache types",
  "ech0.calibrate/1": "calibrated",
  "ech0.serve/1": "serves",
};

function commandOf(run: Run): string | null {
  const inner = run.optimize as Run | undefined;
  const command = run.command ?? inner?.command;
  return typeof command === "string" && command !== "" ? command : null;
}

function entry(run: Run): HTMLElement {
  const command = commandOf(run);
  const raw = h("pre", { tabindex: "0", role: "region", "aria-label": `JSON of ${run.schema}` });
  const details = h("details", {}, h("summary", {}, "JSON"), copyButton(() => JSON.stringify(run, null, 2)), raw);
  details.addEventListener("toggle", () => {
    if (details.open && raw.textContent === "") raw.textContent = JSON.stringify(run, null, 2);
  });
  return h(
    "li",
    {},
    h("strong", {}, words[run.schema] ?? run.schema),
    h("span", { class: "muted" }, ` ${run.schema}${typeof run.seconds === "number" && run.seconds > 0 ? `, ${durationText(run.seconds)}` : ""}`),
    command ? h("div", {}, h("code", {}, command)) : null,
    details,
  );
}

export function logSection(page: Page): HTMLElement | null {
  const dashboard = page.dashboard;
  if (page.log.length === 0 && !dashboard) return null;
  return section(
    "log",
    "Run log",
    "What this page was made from; the JSON is the truth, the rest are views of it.",
    dashboard ? commandLine(dashboard.command) : null,
    page.log.length > 0 ? h("ol", {}, ...page.log.map(entry)) : h("p", { class: "muted" }, "No run was given: --with RUN.json puts what was measured beside what was predicted."),
  );
}
