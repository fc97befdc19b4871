import "./style.css";
import { BadReport, baseName, type Page, optionsOf, readPage } from "./data";
import { h, section } from "./dom";
import { State } from "./state";
import { themeButton } from "./theme";
import { anatomySection } from "./sections/anatomy";
import { controls } from "./sections/controls";
import { evidenceSection } from "./sections/evidence";
import { kvSection } from "./sections/kv";
import { logSection } from "./sections/log";
import { machineCard, machineSection } from "./sections/machine";
import { type OptionsView, optionsView } from "./sections/options";
import { predictionsSection } from "./sections/predictions";
import { surgerySection } from "./sections/surgery";
import { fixedVerdict, verdictSection } from "./sections/verdict";
import { guideSection } from "./guide/guide";

/** A section that can't be drawn says so and leaves the others alone. */
function attempt(name: string, draw: () => HTMLElement | null): HTMLElement[] {
  try {
    const drawn = draw();
    return drawn ? [drawn] : [];
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return [h("section", {}, h("div", { class: "notice", role: "alert" }, `${name} can't be shown: ${why}`))];
  }
}

function decisionSections(state: State): HTMLElement[] {
  const view = optionsView();
  state.watch(() => {
    const { decision, conditions } = state;
    const next: OptionsView = {
      options: decision.options,
      recommended: decision.recommended,
      budget: conditions.machine.model_budget_bytes,
      minTokensPerS: conditions.min_tokens_per_s,
      selected: state.selected,
      select: (name) => state.select(name),
    };
    view.show(next);
  });
  const comparison = state.dashboard.basis.comparison;
  return [
    section("options", "Options", "Quality, size and speed of every way to have it, before a weight is touched.", controls(state), view.charts, comparison ? h("p", { class: "small muted" }, `How they compare: ${comparison}`) : null),
    section("details", "The option in detail", null, h("div", { class: "columns two" }, view.detail, machineCard(state)), h("h3", {}, "All options"), view.table),
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
    });
  show();
  return section("options", "Options", `With ${fit.n_ctx} tokens of context.`, view.charts, view.detail, h("h3", {}, "All options"), view.table);
}

function sectionsOf(page: Page): HTMLElement[] {
  const state = page.dashboard ? new State(page.dashboard) : null;
  const decision = state
    ? [...attempt("The verdict", () => verdictSection(state)), ...decisionSections(state)]
    : [
        ...attempt("The verdict", () => (page.fit ? fixedVerdict(page.fit) : null)),
        ...attempt("The options", () => fixedOptions(page)),
        ...attempt("The machine", () => (page.machine ? machineSection(page.machine) : null)),
      ];
  return [
    ...decision,
    ...attempt("The evidence", () => evidenceSection(page)),
    ...attempt("The anatomy", () => anatomySection(page)),
    ...attempt("The surgery", () => surgerySection(page)),
    ...attempt("The KV cache", () => kvSection(page)),
    ...attempt("The predictions", () => predictionsSection(page)),
    ...attempt("The guide", () => (state ? guideSection(page, state) : null)),
    ...attempt("The run log", () => logSection(page)),
  ];
}

function masthead(sections: HTMLElement[]): HTMLElement {
  const links = sections.flatMap((one) => {
    const title = one.querySelector("h2")?.textContent;
    return one.id && title ? [h("li", {}, h("a", { href: `#${one.id}` }, title))] : [];
  });
  const print = h("button", { type: "button", class: "quiet" }, "Print");
  print.addEventListener("click", () => window.print());
  return h(
    "header",
    { class: "masthead" },
    h(
      "div",
      { class: "masthead-inner" },
      h("a", { class: "wordmark", href: "#main" }, "ech0"),
      h("nav", { "aria-label": "Sections" }, h("ul", {}, ...links)),
      h("div", { class: "tools" }, themeButton(), print),
    ),
  );
}

function build(): void {
  const app = document.getElementById("app")!;
  try {
    const page = readPage(document.getElementById("ech0-data")?.textContent ?? "");
    const sections = sectionsOf(page);
    const name = page.dashboard?.basis.models.map((m) => baseName(m.name)).join(", ") ?? page.log[0]?.schema ?? "report";
    document.title = `ech0: ${name}`;
    const made = page.dashboard ? `Made by ech0 ${page.dashboard.version} on ${page.dashboard.engine}. ` : "";
    if (!sections.some((one) => one.querySelector("h1")))
      sections.unshift(h("section", {}, h("h1", {}, `Report: ${page.log[0]?.schema ?? "ech0"}`)));
    app.replaceChildren(
      masthead(sections),
      h("main", { id: "main", tabindex: "-1" }, ...sections),
      h("footer", {}, `${made}Every number here was computed from the file at hand, measured on the machine, or published by a source that is named. The page works without a network.`),
    );
  } catch (error) {
    if (!(error instanceof BadReport)) console.error(error);
    const why = error instanceof Error ? error.message : String(error);
    app.replaceChildren(
      h("main", { id: "main" }, h("h1", {}, "This report can't be shown"), h("p", { class: "notice", role: "alert" }, `${why}.`)),
    );
  }
}

build();
