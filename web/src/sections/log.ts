// Every run that the page was made from, as it was written.
import { commandLine, copyButton, h, section } from "../dom";
import { baseName, type Page, type Run } from "../data";
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

/** What a report is about, in the words of a person who sends it to another. */
export function titleOf(page: Page): string {
  const schema = page.log[0]?.schema;
  const [verify, compress, prune, bench, surgeon, plan, model] = [page.verifies[0], page.compressions[0], page.prunings[0], page.benches[0], page.surgeons[0], page.kvPlans[0], page.models[0]];
  if (compress) return `${baseName(compress.output.path)}, made of ${baseName(compress.source.path)}`;
  if (verify) return `${verify.candidates.map((c) => baseName(c.path)).join(", ")} beside ${baseName(verify.original.path)}`;
  if (prune) return `${baseName(prune.output.path)}, cut from ${baseName(prune.source.path)}`;
  if (bench) return `Speed and memory on ${bench.machine}`;
  if (surgeon) return `${baseName(surgeon.model)}, asked about itself`;
  if (plan) return `The caches of ${baseName(plan.model)}`;
  if (model) return model.name || baseName(model.asked);
  if (page.machine) return page.machine.title || page.machine.name;
  return `Report: ${schema ?? "ech0"}`;
}

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
