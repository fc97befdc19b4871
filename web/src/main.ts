import "./style.css";
import { BadReport, baseName, measuredFilesOf, type Page, optionsOf, readPage } from "./data";
import { h, section } from "./dom";
import { State } from "./state";
import { themeButton } from "./theme";
import { anatomySection } from "./sections/anatomy";
import { controls } from "./sections/controls";
import { evidenceSection } from "./sections/evidence";
import { kvSection } from "./sections/kv";
import { logSection, titleOf } from "./sections/log";
import { machineCard, machineSection } from "./sections/machine";
import { type OptionsView, optionsView } from "./sections/options";
import { predictionsSection } from "./sections/predictions";
import { surgerySection } from "./sections/surgery";
import { fixedVerdict, verdictSection } from "./sections/verdict";
import { guideSection } from "./guide/guide";

/** A part of the page that is still to be drawn. */
interface Draft {
  name: string;
  draw: () => HTMLElement | null;
}

/** A section that can't be drawn says so and leaves the others alone. */
function attempt({ name, draw }: Draft): HTMLElement | null {
  try {
    return draw();
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return h("section", {}, h("div", { class: "notice", role: "alert" }, `${name} can't be shown: ${why}`));
  }
}

/** The options and the one that is looked at: two sections over one view. */
function decisionDrafts(state: State, page: Page): Draft[] {
  const view = optionsView();
  const measured = page.models.flatMap((model, i) => measuredFilesOf(page, model).map((file) => ({ model: state.dashboard.basis.models[i]?.name ?? "", file })));
  const comparison = state.dashboard.basis.comparison;
  return [
    {
      name: "The options",
      draw: () => {
        state.watch(() => {
          const { decision, conditions } = state;
          const next: OptionsView = {
            options: decision.options,
            recommended: decision.recommended,
            budget: conditions.machine.model_budget_bytes,
            minTokensPerS: conditions.min_tokens_per_s,
            selected: state.selected,
            select: (name) => state.select(name),
            measured,
          };
          view.show(next);
        });
        return section("options", "Options", "Quality, size and speed of every way to have it, before a weight is touched.", controls(state), view.charts, comparison ? h("p", { class: "small muted" }, `How they compare: ${comparison}`) : null);
      },
    },
    {
      name: "The option in detail",
      draw: () => section("details", "The option in detail", null, h("div", { class: "columns two" }, view.detail, machineCard(state)), h("h3", {}, "All options"), view.table),
    },
  ];
}

/** A fit/1 by itself: the same charts, nothing to set. */
function fixedOptions(page: Page): HTMLElement | null {
  const fit = page.fit;
  if (!fit) return null;
  const options = optionsOf(fit);
  const recommended = options.findIndex((o) => o.name === fit.recommendation?.name);
  const view = optionsView();
  let selected = options[recommended] ?? options[0] ?? null;
  const show = (): void =>
    view.show({
      options,
      recommended: recommended < 0 ? null : recommended,
      budget: fit.machine.model_budget_bytes,
      minTokensPerS: 0,
      selected,
      select: (name) => {
        selected = options.find((o) => o.name === name) ?? null;
        show();
      },
      measured: [],
    });
  show();
  return section("options", "Options", `With ${fit.n_ctx} tokens of context.`, view.charts, view.detail, h("h3", {}, "All options"), view.table);
}

function draftsOf(page: Page): Draft[] {
  const state = page.dashboard ? new State(page.dashboard) : null;
  const decision: Draft[] = state
    ? [{ name: "The verdict", draw: () => verdictSection(state) }, ...decisionDrafts(state, page)]
    : [
        { name: "The verdict", draw: () => (page.fit ? fixedVerdict(page.fit) : null) },
        { name: "The options", draw: () => fixedOptions(page) },
        { name: "The machine", draw: () => (page.machine ? machineSection(page.machine) : null) },
      ];
  return [
    ...decision,
    { name: "The evidence", draw: () => evidenceSection(page) },
    { name: "The anatomy", draw: () => anatomySection(page) },
    { name: "The surgery", draw: () => surgerySection(page) },
    { name: "The KV cache", draw: () => kvSection(page) },
    { name: "The predictions", draw: () => predictionsSection(page) },
    { name: "The guide", draw: () => (state ? guideSection(page, state) : null) },
    { name: "The run log", draw: () => logSection(page) },
  ];
}

function masthead(links: HTMLElement): HTMLElement {
  const print = h("button", { type: "button", class: "quiet" }, "Print");
  print.addEventListener("click", () => window.print());
  return h(
    "header",
    { class: "masthead" },
    h(
      "div",
      { class: "masthead-inner" },
      h("a", { class: "wordmark", href: "#main" }, "ech0"),
      h("nav", { "aria-label": "Sections" }, links),
      h("div", { class: "tools" }, themeButton(), print),
    ),
  );
}

const nextTask = (): Promise<void> => new Promise((done) => setTimeout(done));

/** The verdict first, then section by section, each in a task of its own: what is there can be read and used meanwhile. */
async function show(page: Page, app: HTMLElement): Promise<void> {
  const links = h("ul");
  const main = h("main", { id: "main", tabindex: "-1" });
  app.replaceChildren(masthead(links), main);
  document.title = `ech0: ${page.dashboard?.basis.models.map((m) => baseName(m.name)).join(", ") ?? titleOf(page)}`;
  if (!page.dashboard && !page.fit) main.append(h("section", {}, h("p", { class: "eyebrow" }, page.log[0]?.schema ?? "report"), h("h1", {}, titleOf(page))));
  for (const draft of draftsOf(page)) {
    const drawn = attempt(draft);
    if (!drawn) continue;
    main.append(drawn);
    const title = drawn.querySelector("h2")?.textContent;
    if (drawn.id && title) links.append(h("li", {}, h("a", { href: `#${drawn.id}` }, title)));
    await nextTask();
  }
  if (!main.querySelector("h1")) main.prepend(h("section", {}, h("h1", {}, "Report")));
  const made = page.dashboard ? `Made by ech0 ${page.dashboard.version} on ${page.dashboard.engine}. ` : "";
  app.append(h("footer", {}, `${made}Every number here was computed from the file at hand, measured on the machine, or published by a source that is named. The page works without a network.`));
  if (location.hash.length > 1) document.getElementById(location.hash.slice(1))?.scrollIntoView();
}

async function build(): Promise<void> {
  const app = document.getElementById("app")!;
  try {
    await show(readPage(document.getElementById("ech0-data")?.textContent ?? ""), app);
  } catch (error) {
    if (!(error instanceof BadReport)) console.error(error);
    const why = error instanceof Error ? error.message : String(error);
    app.replaceChildren(
      h("main", { id: "main" }, h("h1", {}, "This report can't be shown"), h("p", { class: "notice", role: "alert" }, `${why}.`)),
    );
  }
  document.documentElement.dataset.ready = "";
}

void build();
