// Every option: how good, how large, how fast; what nothing else beats; and the one that is looked at.
import { scaleLinear, scaleLog } from "d3-scale";
import { line } from "d3-shape";
import { type Box, type Scale, logTicks, xAxis, yAxis } from "../chart/axes";
import { gradeBadge, gradeLegend, gradeShape } from "../chart/marks";
import { commandLine, drawn, h, linked, s } from "../dom";
import { baseName, type MeasuredFile } from "../data";
import { diskText, memoryText, natsText, percentText, significant, withZeros } from "../format";
import type { Grade, Option } from "../whatif/types";
import { memoryBar } from "./memory";

/** Of each model and preset one cache: the first that fits, as it was asked for; the others would lie on top of it. */
function oneCacheEach(view: OptionsView): Option[] {
  const found = new Map<string, Option>();
  for (const o of view.options) {
    const key = `${o.model} ${o.preset}`;
    const before = found.get(key);
    if (!before || (!before.fits && o.fits)) found.set(key, o);
  }
  const { selected } = view;
  if (selected) found.set(`${selected.model} ${selected.preset}`, selected);
  return [...found.values()];
}

/** What the charts and the table show. */
export interface OptionsView {
  options: Option[];
  recommended: number | null;
  budget: number;
  minTokensPerS: number;
  selected: Option | null;
  select: (name: string) => void;
  /** Files whose loss was measured, by the name of their model as options have it. */
  measured: { model: string; file: MeasuredFile }[];
}

/** A measured file in the chart: its loss as measured, its memory that of the nearest option with as many bytes more or less. */
interface Proven {
  model: string;
  file: MeasuredFile;
  bytes: number;
  loss: { value: number; low: number; high: number };
}

function provenOf(view: OptionsView, best: number): Proven[] {
  const all = oneCacheEach(view);
  return view.measured.flatMap(({ model, file }) => {
    const own = all.filter((o) => o.model === model);
    const distance = (o: Option): number => Math.abs(o.file_bytes - file.size_bytes);
    const nearest = own.reduce<Option | null>((a, b) => (a && distance(a) <= distance(b) ? a : b), null);
    if (!nearest) return [];
    const level = levelOf(nearest) - best;
    const { mean, low, high } = file.kl_divergence;
    return [{ model, file, bytes: nearest.memory.total_bytes + file.size_bytes - nearest.file_bytes, loss: { value: mean + level, low: low + level, high: high + level } }];
  });
}

const familiar = new Set(["Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "IQ4_XS", "Q3_K_M", "IQ3_XXS", "IQ2_M", "Q2_K", "mix", "as it is"]);
const least = 1e-4; // where "no loss" stands on a logarithmic axis
/** An option's name with a model's file as its name alone: folders say nothing here. */
export const shortName = (o: Option): string => `${baseName(o.model)} ${o.preset}, ${o.kv_type} cache`;
const modelsOf = (options: Option[]): string[] => [...new Set(options.map((o) => o.model))];

/** Of its original, in the scale in which models are compared. */
const levelOf = (o: Option): number => o.loss - o.quality.kl_divergence - (o.kv_loss?.kl_divergence ?? 0);

/** Loss above the best original, with its interval: what the vertical axis shows. */
function lossOf(o: Option, best: number): { value: number; low: number; high: number } {
  const level = levelOf(o) - best;
  return { value: o.loss - best, low: o.quality.low + (o.kv_loss?.low ?? 0) + level, high: o.quality.high + (o.kv_loss?.high ?? 0) + level };
}

interface Chart {
  box: Box;
  y: Scale;
  best: number;
  height: number;
}

function chartOf(view: OptionsView, width: number, left: number): Chart {
  const height = window.innerWidth >= 992 ? 460 : 380; // side by side they share the vertical axis
  const box: Box = { left, right: width - 14, top: 44, bottom: height - 44 };
  const best = Math.min(...view.options.map(levelOf));
  const highest = Math.max(least * 10, ...view.options.map((o) => lossOf(o, best).value), ...provenOf(view, best).map((p) => p.loss.value));
  const lowest = Math.max(least, Math.min(...view.options.map((o) => lossOf(o, best).value).filter((v) => v > 0)) / 1.6);
  const y = scaleLog([lowest, highest * 1.5], [box.bottom, box.top]).clamp(true);
  return { box, y, best, height };
}

function mark(view: OptionsView, o: Option, x: number, y: number, models: string[]): SVGElement {
  const dim = !o.fits || o.speed.tokens_per_s.value < view.minTokensPerS;
  const chosen = view.selected?.name === o.name;
  const g = s(
    "g",
    {
      class: `mark model-${models.indexOf(o.model)}${dim ? " dim" : ""}${chosen ? " chosen" : ""}`,
      transform: `translate(${x} ${y})`,
      "data-option": o.name,
    },
    s("title", {}, `${shortName(o)}: ${memoryText(o.memory.total_bytes)}, KL ${natsText(o.quality.kl_divergence)}, ${significant(o.speed.tokens_per_s.value, 3)} tokens/s`),
    s("circle", { class: "hit", r: 11 }),
    s("circle", { class: "ring", r: 9.5 }),
    gradeShape(o.grade),
  );
  g.addEventListener("click", () => view.select(o.name));
  return g;
}

function provenMark(proven: Proven, x: number, y: (loss: number) => number, models: string[]): SVGElement[] {
  const { file, loss } = proven;
  const model = `model-${models.indexOf(proven.model)}`;
  const kl = file.kl_divergence;
  return [
    s("line", { class: `whisker mark ${model}`, x1: x, x2: x, y1: y(loss.low), y2: y(loss.high) }),
    s(
      "g",
      { class: `mark proven ${model}`, transform: `translate(${x} ${y(loss.value)})` },
      s("title", {}, `${file.name}, ${diskText(file.size_bytes)}: KL ${natsText(kl.mean)} [${natsText(kl.low)}, ${natsText(kl.high)}], measured`),
      gradeShape("measured", 6),
    ),
  ];
}

/** Measured files by their names, before the options have theirs. */
function provenLabels(proven: Proven[], place: (p: Proven) => [number, number], box: Box): { texts: SVGElement[]; taken: [number, number, number][] } {
  const taken = proven.map((p): [number, number, number] => [place(p)[0] - 9, place(p)[1], 18]);
  const texts = proven.flatMap((p) => {
    const [x, y] = place(p);
    const name = p.file.name.replace(/\.gguf$/, "");
    const width = name.length * 7.2 + 4;
    const start = x + 12 + width <= box.right + 12 ? x + 12 : x - 12 - width;
    if (start < box.left || taken.some(([a, b, w]) => Math.abs(b - y) < 14 && start < a + w && a < start + width)) return [];
    taken.push([start, y, width]);
    return [s("text", { class: "strong proven", x: start, y: y + 4, "aria-hidden": "true" }, name)];
  });
  return { texts, taken };
}

/** Names beside the marks of the front, where there is room for them. */
function labels(view: OptionsView, place: (o: Option) => [number, number], box: Box, taken: [number, number, number][] = []): SVGElement[] {
  const marks = view.options.map(place);
  const first = (o: Option): number => (o.name === view.selected?.name ? 0 : o.fits && familiar.has(o.preset) ? 1 : 2);
  const free = (start: number, y: number, width: number): boolean =>
    start >= box.left &&
    start + width <= box.right + 12 &&
    !taken.some(([a, b, w]) => Math.abs(b - y) < 14 && start < a + w && a < start + width) &&
    !marks.some(([a, b]) => Math.abs(b - y) < 10 && a > start - 6 && a < start + width + 6);
  return view.options
    .filter((o) => first(o) < 2)
    .sort((a, b) => first(a) - first(b))
    .flatMap((o) => {
      const [x, y] = place(o);
      const width = o.preset.length * 7 + 4;
      const spots: [number, number][] = [[x + 11, y], [x - 11 - width, y], [x + 7, y - 14], [x - 7 - width, y + 14], [x + 7, y + 14]];
      const spot = spots.find(([a, b]) => free(a, b, width));
      if (!spot) return [];
      taken.push([spot[0], spot[1], width]);
      return [s("text", { class: "strong", x: spot[0], y: spot[1] + 4, "aria-hidden": "true" }, o.preset)];
    });
}

function sizeChart(view: OptionsView, width: number): SVGElement {
  const { box, y, best, height } = chartOf(view, width, 58);
  const models = modelsOf(view.options);
  const all = oneCacheEach(view);
  const small = Math.max(...all.map((o) => o.memory.total_bytes)) < 1.5 * 2 ** 30;
  const unit = small ? 2 ** 20 : 2 ** 30;
  const memories = all.map((o) => o.memory.total_bytes / unit);
  const budget = view.budget / unit;
  // A limit far beyond everything would push all that there is to one side.
  const [smallest, largest] = [Math.min(...memories), Math.max(...memories)];
  const beyond = Math.min(largest * 1.03, Math.max(budget * 1.5, smallest * 2.5));
  const last = budget > 2.5 * largest ? largest * 1.1 : Math.max(budget * 1.06, beyond);
  const x = scaleLinear([Math.min(smallest * 0.9, budget * 0.8), last], [box.left, box.right]);
  const svg = s("svg", { width, height, role: "img", "aria-label": "Memory of every option against its loss; the table below has the figures" });
  const end = x.domain()[1] ?? 1;
  svg.append(
    yAxis(y, logTicks(y.domain()[0]!, y.domain()[1]!, height > 300), box, models.length > 1 ? "nats above the best original" : "KL from the original, nats/token"),
    xAxis(x, x.ticks(width > 500 ? 7 : 4).map((at) => ({ at, label: String(at) })), box, small ? "memory, MiB" : "memory, GiB"),
  );
  if (budget < end)
    svg.append(
      s("rect", { class: "beyond", x: x(budget), y: box.top, width: box.right - x(budget), height: box.bottom - box.top }),
      s("line", { class: "limit", x1: x(budget), x2: x(budget), y1: box.top - 4, y2: box.bottom }),
      s("text", { class: "limit-text", x: Math.min(x(budget), box.right) - 4, y: box.top - 8, "text-anchor": "end" }, `limit ${memoryText(view.budget)}`),
    );
  else svg.append(s("text", { class: "limit-text", x: box.right, y: box.top - 8, "text-anchor": "end" }, `limit ${memoryText(view.budget)} →`));
  const place = (o: Option): [number, number] => [x(o.memory.total_bytes / unit), y(Math.max(least, lossOf(o, best).value))];
  models.forEach((model, i) => {
    const front = all.filter((o) => o.model === model && o.on_front).sort((a, b) => a.memory.total_bytes - b.memory.total_bytes);
    svg.append(s("path", { class: `front-line model-${i}`, d: line()(front.map(place)) ?? "" }));
  });
  const shown = all.filter((o) => o.memory.total_bytes / unit <= end);
  if (shown.length < all.length)
    svg.append(s("text", { x: box.right, y: box.bottom - 8, "text-anchor": "end" }, `${all.length - shown.length} larger not drawn`));
  for (const o of shown) {
    const [px, py] = place(o);
    const loss = lossOf(o, best);
    if (loss.high > loss.low)
      svg.append(
        s("line", { class: `whisker mark model-${models.indexOf(o.model)}${o.fits ? "" : " dim"}`, x1: px, x2: px, y1: y(Math.max(least, loss.low)), y2: y(Math.max(least, loss.high)) }),
      );
    svg.append(mark(view, o, px, py, models));
  }
  const proven = provenOf(view, best).filter((p) => p.bytes / unit <= end);
  const placeProven = (p: Proven): [number, number] => [x(p.bytes / unit), y(Math.max(least, p.loss.value))];
  for (const p of proven) svg.append(...provenMark(p, placeProven(p)[0], (loss) => y(Math.max(least, loss)), models));
  const named = provenLabels(proven, placeProven, box);
  svg.append(...named.texts, ...labels({ ...view, options: shown }, place, box, named.taken));
  return svg;
}

function speedChart(view: OptionsView, width: number): SVGElement {
  const beside = window.innerWidth >= 992; // the axis to the left is the neighbour's too
  const { box, y, best, height } = chartOf(view, width, beside ? 20 : 58);
  const models = modelsOf(view.options);
  const shown = oneCacheEach(view).filter((o) => o.fits && o.speed.tokens_per_s.value > 0);
  const svg = s("svg", { width, height, role: "img", "aria-label": "Speed of the options that fit against their loss; the table below has the figures" });
  const most = Math.max(1, view.minTokensPerS, ...shown.map((o) => o.speed.tokens_per_s.high));
  const x = scaleLinear([0, most * 1.04], [box.left, box.right]);
  svg.append(
    yAxis(y, logTicks(y.domain()[0]!, y.domain()[1]!, height > 300).map((t) => (beside ? { ...t, label: "" } : t)), box, beside ? "" : "the same loss"),
    xAxis(x, x.ticks(width > 360 ? 6 : 4).map((at) => ({ at, label: String(at) })), box, "tokens per second, of those that fit"),
  );
  if (view.minTokensPerS > 0)
    svg.append(
      s("rect", { class: "beyond", x: box.left, y: box.top, width: Math.max(0, x(view.minTokensPerS) - box.left), height: box.bottom - box.top }),
      s("line", { class: "limit", x1: x(view.minTokensPerS), x2: x(view.minTokensPerS), y1: box.top - 4, y2: box.bottom }),
      s("text", { class: "limit-text", x: x(view.minTokensPerS) + 4, y: box.top - 8 }, `at least ${view.minTokensPerS}`),
    );
  if (shown.length === 0) svg.append(s("text", { class: "strong", x: (box.left + box.right) / 2, y: (box.top + box.bottom) / 2, "text-anchor": "middle" }, view.options.some((o) => o.fits) ? "No speed is known." : "None fits."));
  const place = (o: Option): [number, number] => [x(o.speed.tokens_per_s.value), y(Math.max(least, lossOf(o, best).value))];
  for (const o of shown) {
    const [px, py] = place(o);
    const speed = o.speed.tokens_per_s;
    svg.append(s("line", { class: `whisker mark model-${models.indexOf(o.model)}`, x1: x(speed.low), x2: x(speed.high), y1: py, y2: py }), mark(view, o, px, py, models));
  }
  svg.append(...labels({ ...view, options: shown }, place, box));
  return svg;
}

function modelLegend(options: Option[]): HTMLElement | null {
  const models = modelsOf(options);
  if (models.length < 2) return null;
  return h(
    "ul",
    { class: "legend", "aria-label": "Models" },
    ...models.map((model, i) =>
      h(
        "li",
        {},
        s("svg", { viewBox: "0 0 30 16", class: "wide", "aria-hidden": "true" }, s("line", { class: `front-line model-${i}`, x1: 0, x2: 30, y1: 8, y2: 8 }), s("g", { class: `mark model-${i}`, transform: "translate(15 8)" }, s("circle", { r: 5, class: "shape filled" }))),
        baseName(model),
      ),
    ),
  );
}

type SortKey = "size" | "bits" | "memory" | "speed" | "loss";
const keys: Record<SortKey, (o: Option) => number> = {
  size: (o) => o.file_bytes,
  bits: (o) => o.bits_per_weight,
  memory: (o) => o.memory.total_bytes,
  speed: (o) => -o.speed.tokens_per_s.value,
  loss: (o) => o.quality.kl_divergence,
};

function speedText(o: Option): string {
  const { value, low, high } = o.speed.tokens_per_s;
  return value > 0 ? `${withZeros(value, 3)} (${withZeros(low, 3)} to ${withZeros(high, 3)})` : "not known";
}

function qualityText(o: Option): string {
  const q = o.quality;
  if (q.kl_divergence <= 0) return o.grade === "measured" ? "the original" : "0";
  const value = natsText(q.kl_divergence);
  return q.low === q.high ? value : `${value} (${significant(q.low, 2)} to ${significant(q.high, 2)})`;
}

function cacheText(o: Option): string {
  const loss = o.kv_loss;
  if (!loss) return "not known";
  return loss.kl_divergence > 0 ? `${significant(loss.kl_divergence, 2)} (${significant(loss.low, 2)} to ${significant(loss.high, 2)})` : "0";
}

function verdictOf(view: OptionsView, o: Option): string {
  if (view.recommended !== null && view.options[view.recommended]?.name === o.name) return "recommended";
  if (!o.fits) return "too large";
  if (o.speed.tokens_per_s.value < view.minTokensPerS) return "too slow";
  return o.on_front ? "on the front" : "beaten";
}

export class OptionsTable {
  private sortBy: SortKey = "memory";
  private reversed = false;
  private all = false;
  private view: OptionsView | null = null;
  readonly element = h("div");

  show(view: OptionsView): void {
    this.view = view;
    this.draw();
  }

  private rows(view: OptionsView): Option[] {
    const few = oneCacheEach(view).filter((o) => familiar.has(o.preset) || o.name === view.selected?.name);
    const recommended = view.recommended === null ? null : view.options[view.recommended];
    if (recommended && !few.includes(recommended)) few.push(recommended);
    const key = keys[this.sortBy];
    const sorted = [...(this.all ? view.options : few)].sort((a, b) => key(a) - key(b));
    return this.reversed ? sorted.reverse() : sorted;
  }

  private heading(key: SortKey | null, title: string, numeric: boolean): HTMLElement {
    if (!key) return h("th", { scope: "col", class: numeric ? "num" : null }, title);
    const active = key === this.sortBy;
    const ascending = (key === "speed") === this.reversed;
    const button = h("button", { type: "button", "data-sort": key }, title, h("span", { "aria-hidden": "true" }, active ? (ascending ? " ↑" : " ↓") : ""));
    button.addEventListener("click", () => {
      this.reversed = active ? !this.reversed : false;
      this.sortBy = key;
      this.draw();
      this.element.querySelector<HTMLButtonElement>(`[data-sort="${key}"]`)?.focus();
    });
    return h("th", { scope: "col", class: numeric ? "num" : null, "aria-sort": active ? (ascending ? "ascending" : "descending") : null }, button);
  }

  private row(view: OptionsView, o: Option, withCaches: boolean): HTMLElement {
    const chosen = o.name === view.selected?.name;
    const verdict = verdictOf(view, o);
    const name = h("button", { type: "button", class: "link", "aria-pressed": chosen ? "true" : "false", "data-option": o.name, title: o.name }, modelsOf(view.options).length > 1 ? shortName(o) : `${o.preset}, ${o.kv_type} cache`);
    name.addEventListener("click", () => {
      view.select(o.name);
      [...this.element.querySelectorAll<HTMLButtonElement>("button.link")].find((b) => b.dataset.option === o.name)?.focus();
    });
    return h(
      "tr",
      { class: `${chosen ? "chosen" : ""}${o.fits ? "" : " unfit"}` },
      h("td", {}, name),
      h("td", { class: "num" }, diskText(o.file_bytes)),
      h("td", { class: "num" }, o.bits_per_weight.toFixed(2)),
      h("td", { class: "num" }, memoryText(o.memory.total_bytes)),
      h("td", {}, speedText(o)),
      h("td", {}, qualityText(o)),
      withCaches ? h("td", {}, cacheText(o)) : null,
      h("td", {}, gradeBadge(o.grade)),
      h("td", { class: verdict.startsWith("too") ? "why-not" : "" }, verdict),
    );
  }

  private draw(): void {
    const { view } = this;
    if (!view) return;
    const rows = this.rows(view);
    const withCaches = view.options.some((o) => o.kv_loss);
    const more = h("button", { type: "button", class: "quiet" }, this.all ? "Only the interesting ones" : `All ${view.options.length}`);
    more.addEventListener("click", () => {
      this.all = !this.all;
      this.draw();
    });
    this.element.replaceChildren(
      h(
        "div",
        { class: "table-scroll", tabindex: "0", role: "region", "aria-label": "All options, a table that scrolls" },
        h(
          "table",
          {},
          h("caption", { class: "visually-hidden" }, "Options with size, memory, speed and quality"),
          h(
            "thead",
            {},
            h(
              "tr",
              {},
              this.heading(null, "option", false),
              this.heading("size", "file", true),
              this.heading("bits", "bits", true),
              this.heading("memory", "memory", true),
              this.heading("speed", "tokens/s", false),
              this.heading("loss", "KL from the original", false),
              withCaches ? this.heading(null, "KL of the cache", false) : null,
              this.heading(null, "known by", false),
              this.heading(null, "verdict", false),
            ),
          ),
          h("tbody", {}, ...rows.map((o) => this.row(view, o, withCaches))),
        ),
      ),
      h("div", { class: "below-table" }, h("p", { class: "small muted" }, withCaches ? "What a cache costs is by ech0 kv plan of this file, and counted where it is known. " : "What a q8_0 or q4_0 cache costs in quality is not counted: ech0 kv plan measures it. "), more),
    );
  }
}

function boundText(expected: number, bound: number): string {
  const share = expected / bound;
  const most = `memory of this bandwidth allows ${significant(bound, 3)} tokens/s at most`;
  return share <= 1 ? `${most} (${percentText(share, 0)} of it expected)` : `${most}; its kernels were timed when the memory was less busy than when its bandwidth was`;
}

function detail(o: Option, budget: number): HTMLElement {
  const speed = o.speed;
  const facts: [string, ...(Node | string)[]][] = [
    ["quality", `KL ${qualityText(o)} nats per token `, gradeBadge(o.grade), h("br"), h("span", { class: "muted small" }, linked(o.source))],
    ["speed", `${speedText(o)} tokens/s `, gradeBadge(speed.grade), h("br"), h("span", { class: "muted small" }, linked(speed.source))],
  ];
  if (o.kv_loss) facts.push(["its cache", `KL ${cacheText(o)} nats per token `, gradeBadge(o.kv_loss.grade)]);
  if (o.quality.perplexity)
    facts.push(["perplexity", `${o.quality.perplexity.toFixed(3)}, of the original ${(o.quality.perplexity_original ?? 0).toFixed(3)}`]);
  if (speed.bound_tokens_per_s > 0)
    facts.push(["bound", boundText(speed.tokens_per_s.value, speed.bound_tokens_per_s)]);
  if (speed.prompt_tokens_per_s.value > 0)
    facts.push(["reading", `a prompt at ${significant(speed.prompt_tokens_per_s.value, 3)} tokens/s (${significant(speed.prompt_tokens_per_s.low, 3)} to ${significant(speed.prompt_tokens_per_s.high, 3)})`]);
  return h(
    "div",
    { class: "panel", "aria-live": "polite" },
    h("h3", { class: "first", id: "detail-title" }, shortName(o)),
    h("p", { class: "muted" }, `${diskText(o.file_bytes)}, ${o.bits_per_weight.toFixed(2)} bits per weight`),
    memoryBar(o.memory, budget),
    h("dl", { class: "facts" }, ...facts.flatMap(([name, ...value]) => [h("dt", {}, name), h("dd", {}, ...value)])),
    commandLine(o.command),
  );
}

/** The charts, the option that is looked at, and the table; `show` draws another decision. */
export function optionsView(): { charts: HTMLElement; detail: HTMLElement; table: HTMLElement; show: (view: OptionsView) => void } {
  let view: OptionsView | null = null;
  const empty = (): Node => h("p", { class: "muted" }, "No model has such a context.");
  const size = drawn((width) => (view && view.options.length > 0 ? sizeChart(view, width) : empty()));
  const speed = drawn((width) => (view && view.options.length > 0 ? speedChart(view, width) : empty()));
  const legend = h("div");
  const about = h("div");
  const table = new OptionsTable();
  const caption = h("figcaption");
  const charts = h(
    "figure",
    { class: "options-charts" },
    legend,
    h("div", { class: "columns wide-left" }, size, speed),
    caption,
  );
  const show = (next: OptionsView): void => {
    view = next;
    const grades: Grade[] = [...next.options.map((o) => o.grade), ...next.measured.map(() => "measured" as const)];
    legend.replaceChildren(gradeLegend(grades), modelLegend(next.options) ?? "");
    caption.textContent =
      "Lower is closer to the original. The line joins what nothing else beats at once in quality, speed and memory. Bars are intervals that hold nine times of ten. " +
      "Faint: too large or too slow. Of each size one cache is drawn, the first that fits. Choose a mark, or a name in the table." +
      (next.measured.length > 0 ? " Discs with a file's name: what was measured of it, above or below what was expected of that size." : "");
    size.redraw();
    speed.redraw();
    about.replaceChildren(next.selected ? detail(next.selected, next.budget) : "");
    table.show(next);
  };
  return { charts, detail: about, table: table.element, show };
}
