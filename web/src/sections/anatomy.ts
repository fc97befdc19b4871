// Every tensor a cell: rows are layers, columns are what the tensors are for. One tab stop; arrows move the cursor.
import { quantile } from "d3-array";
import { drawn, freshId, h, s, section } from "../dom";
import { baseName, type Compress, type Inspect, type Page } from "../data";
import { countText, diskText, paramsText, percentText, significant } from "../format";

interface Cell {
  name: string;
  type: string;
  size_bytes: number;
  row: number;
  column: number;
  matrix: boolean;
  facts: [string, string][];
  bits: number;
  share: number;
  error: number | null;
  kl: number | null;
}

interface Map2d {
  title: string;
  rows: string[];
  columns: string[];
  cells: Cell[];
}

type Measure = "bits" | "share" | "error" | "kl";
const measures: Record<Measure, { label: string; of: (c: Cell) => number | null; text: (v: number) => string }> = {
  bits: { label: "bits per weight", of: (c) => c.bits, text: (v) => v.toFixed(2) },
  share: { label: "share of the bytes", of: (c) => c.share, text: (v) => percentText(v, 2) },
  error: { label: "error of its output", of: (c) => c.error, text: (v) => percentText(v, 3) },
  kl: { label: "share of the KL", of: (c) => c.kl, text: (v) => significant(v, 3) },
};

const order = [
  "attn_norm", "attn_q", "attn_k", "attn_v", "attn_qkv", "attn_q_norm", "attn_k_norm", "attn_output", "post_attention_norm",
  "ffn_norm", "ffn_gate_inp", "ffn_gate", "ffn_up", "ffn_down", "ffn_gate_exps", "ffn_up_exps", "ffn_down_exps", "post_ffw_norm",
];
const rank = (column: string): number => {
  const at = order.indexOf(column.replace(/\.bias$/, ""));
  return (at < 0 ? order.length : at) + (column.endsWith(".bias") ? 0.5 : 0);
};

/** "blk.3.ffn_up.weight" -> layer 3, "ffn_up"; tensors outside the layers are a row of their own. */
function placeOf(name: string): { layer: number | null; part: string } {
  const found = /^blk\.(\d+)\.(.+?)(\.weight)?$/.exec(name);
  return found ? { layer: Number(found[1]), part: found[2]! } : { layer: null, part: name.replace(/\.weight$/, "") };
}

interface Piece {
  name: string;
  type: string;
  shape: number[] | null;
  size_bytes: number;
  n: number;
  error: number | null;
  kl: number | null;
}

function mapOf(title: string, pieces: Piece[]): Map2d {
  const whole = pieces.reduce((sum, p) => sum + p.size_bytes, 0);
  const places = pieces.map((p) => placeOf(p.name));
  const layers = [...new Set(places.flatMap((p) => (p.layer === null ? [] : [p.layer])))].sort((a, b) => a - b);
  const columns = [...new Set(places.filter((p) => p.layer !== null).map((p) => p.part))].sort((a, b) => rank(a) - rank(b));
  const outside = places.filter((p) => p.layer === null).map((p) => p.part);
  const rowOf = new Map(layers.map((layer, i) => [layer, i + (outside.length > 0 ? 1 : 0)]));
  const columnOf = new Map(columns.map((part, i) => [part, i]));
  let next = 0;
  const cells = pieces.map((piece, i): Cell => {
    const { layer, part } = places[i]!;
    const facts: [string, string][] = [["type", piece.type]];
    if (piece.shape) facts.push(["shape", piece.shape.map(countText).join(" × ")]);
    facts.push(["size", `${diskText(piece.size_bytes)}, ${percentText(piece.size_bytes / whole, 2)} of all`]);
    if (piece.n > 0) facts.push(["bits", ((8 * piece.size_bytes) / piece.n).toFixed(2)]);
    if (piece.error !== null) facts.push(["error of its output", percentText(piece.error, 3)]);
    if (piece.kl !== null) facts.push(["its share of the KL", `${significant(piece.kl, 3)} nats`]);
    return {
      name: piece.name,
      type: piece.type,
      size_bytes: piece.size_bytes,
      row: layer === null ? 0 : rowOf.get(layer)!,
      column: layer === null ? next++ : columnOf.get(part)!,
      matrix: piece.shape ? piece.shape.length > 1 : !/norm|bias/.test(piece.name),
      facts,
      bits: piece.n > 0 ? (8 * piece.size_bytes) / piece.n : NaN,
      share: piece.size_bytes / whole,
      error: piece.error,
      kl: piece.kl,
    };
  });
  return { title, rows: [...(outside.length > 0 ? ["outside"] : []), ...layers.map((l) => `layer ${l}`)], columns, cells };
}

const elements = (shape: number[]): number => shape.reduce((a, b) => a * b, 1);

function mapOfModel(model: Inspect): Map2d {
  return mapOf(
    `${model.name || model.asked}, as it is`,
    model.tensors.map((t) => ({ ...t, n: elements(t.shape), error: null, kl: null })),
  );
}

/** The model that a run's tensors are of: one with the same tensors, of that many weights. A run names its source by a
 *  hash that an anatomy does not have. */
function sourceOf(run: Compress, models: Inspect[], bits: Record<string, number>): Inspect | null {
  const sizes = new Map(run.tensors.map((t) => [t.name, (8 * t.size_bytes) / (bits[t.type] ?? NaN)]));
  const same = (t: { name: string; shape: number[] }): boolean => {
    const n = sizes.get(t.name);
    return n !== undefined && (Number.isNaN(n) || Math.abs(n / elements(t.shape) - 1) < 0.001);
  };
  return models.find((m) => m.tensors.length === run.tensors.length && m.tensors.every(same)) ?? null;
}

/** What compress made of it; shapes come from the model of that source, where the page has it. */
function mapOfCompress(run: Compress, models: Inspect[], bits: Record<string, number>): Map2d {
  const shapes = new Map((sourceOf(run, models, bits)?.tensors ?? []).map((t) => [t.name, t.shape]));
  return mapOf(
    `${baseName(run.output.path)}, made by compress`,
    run.tensors.map((t) => {
      const shape = shapes.get(t.name) ?? null;
      const per = bits[t.type];
      const n = shape ? elements(shape) : per ? (8 * t.size_bytes) / per : 0;
      return { ...t, shape, n, error: t.error, kl: t.predicted_kl_divergence };
    }),
  );
}

/** From the 2 % to the 98 % quantile: a few extremes must not make all the others one colour. Norms and biases are a
 *  thousandth of the weights and always kept whole: they do not set the scale. */
function spanOf(map: Map2d, measure: Measure): [number, number] {
  const values = map.cells.filter((c) => c.matrix).map((c) => measures[measure].of(c)).filter((v): v is number => v !== null && Number.isFinite(v));
  return [quantile(values, 0.02) ?? 0, quantile(values, 0.98) ?? 1];
}

/** Seven steps of that span. */
function stepsOf(map: Map2d, measure: Measure): (value: number) => number {
  const [low, high] = spanOf(map, measure);
  const log = measure !== "bits" && low >= 0;
  const scale = (v: number): number => (log ? Math.log(Math.max(v, high * 1e-4)) : v);
  return (value) => {
    const span = scale(high) - scale(low);
    const at = span > 0 ? (scale(value) - scale(low)) / span : 0.5;
    return Math.min(6, Math.max(0, Math.round(at * 6)));
  };
}

/** Narrower columns have their names nearly upright, else these would run into one another. */
const steepBelow = 34;

interface Layout {
  width: number;
  left: number;
  /** of the first layer's row; the tensors outside the layers have a row of their own above the headings */
  top: number;
  outsideTop: number;
  tall: number;
  boxOf: (cell: Cell) => { x: number; y: number; width: number };
}

function layoutOf(map: Map2d, width: number): Layout {
  const left = width < 480 ? 34 : 58;
  const size = Math.min(width > 900 ? 110 : 64, Math.max(7, (width - left - 34) / Math.max(1, map.columns.length)));
  const tall = Math.min(22, Math.max(9, size));
  const outside = map.cells.filter((c) => map.rows[c.row] === "outside").length;
  const outsideTop = 20;
  const wide = Math.min(120, (width - left - 4) / Math.max(1, outside));
  const top = (outside > 0 ? outsideTop : 0) + (size < steepBelow ? 118 : 76);
  const boxOf = (cell: Cell): { x: number; y: number; width: number } =>
    outside > 0 && cell.row === 0
      ? { x: left + cell.column * wide, y: outsideTop, width: wide }
      : { x: left + cell.column * size, y: top + (cell.row - (outside > 0 ? 1 : 0)) * tall, width: size };
  return { width, left, top, outsideTop, tall, boxOf };
}

function headings(map: Map2d, layout: Layout): SVGElement[] {
  const first = map.cells.find((c) => map.rows[c.row] !== "outside");
  const size = first ? layout.boxOf(first).width : 0;
  const columns = map.columns.map((column, i) => {
    const x = layout.left + i * size + size / 2 + (size < steepBelow ? 3 : 0);
    const y = layout.top - 6;
    return s("text", { x, y, transform: `rotate(${size < steepBelow ? -72 : -32} ${x} ${y})` }, column.replaceAll("_", " "));
  });
  const every = Math.ceil(13 / layout.tall); // where rows are lower than a line of text, not each has its number
  const rows = map.rows.flatMap((row, i) => {
    const outside = row === "outside";
    if ((outside && layout.width < 480) || (!outside && i % every !== 0)) return [];
    const y = outside ? layout.outsideTop : layout.top + (i - (map.rows[0] === "outside" ? 1 : 0)) * layout.tall;
    return [s("text", { x: layout.left - 6, y: y + layout.tall / 2 + 4, "text-anchor": "end" }, row.replace("layer ", ""))];
  });
  const names = map.cells
    .filter((c) => map.rows[c.row] === "outside" && layout.boxOf(c).width > 70)
    .map((c) => {
      const { x, y, width } = layout.boxOf(c);
      return s("text", { x, y: y - 6 }, c.name.replace(/\.weight$/, "").slice(0, Math.floor(width / 7)));
    });
  return [...columns, ...rows, ...names];
}

function cellRects(map: Map2d, layout: Layout, measure: Measure): SVGElement[] {
  const stepOf = stepsOf(map, measure);
  return map.cells.map((cell, i) => {
    const value = measures[measure].of(cell);
    const level = value === null || !Number.isFinite(value) ? "none" : `l${stepOf(value)}`;
    return s("rect", { class: `cell ${level}`, ...layout.boxOf(cell), height: layout.tall, "data-i": i });
  });
}

const steps: Record<string, [number, number]> = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

/** The cell that an arrow key leads to: the next one in its row, or the nearest in the next row. */
function neighbour(map: Map2d, at: number, key: string): number | null {
  const by = steps[key];
  const cell = map.cells[at];
  if (!by || !cell) return null;
  const [down, right] = by;
  const next = map.cells
    .map((c, i) => ({ i, c, distance: down !== 0 ? (c.row - cell.row) * down : c.row === cell.row ? (c.column - cell.column) * right : 0 }))
    .filter(({ distance }) => distance > 0)
    .sort((a, b) => a.distance - b.distance || Math.abs(a.c.column - cell.column) - Math.abs(b.c.column - cell.column))[0];
  return next ? next.i : null;
}

function hatch(): SVGElement {
  return s(
    "defs",
    {},
    s(
      "pattern",
      { id: "hatch-none", width: 5, height: 5, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
      s("rect", { width: 5, height: 5, fill: "var(--surface)" }),
      s("line", { x1: 0, y1: 0, x2: 0, y2: 5, stroke: "var(--rule-strong)", "stroke-width": 1 }),
    ),
  );
}

/** What types a file's bytes are in: the most first. */
function typeBars(map: Map2d): HTMLElement {
  const sums = new Map<string, { n: number; bytes: number }>();
  for (const cell of map.cells) {
    const sum = sums.get(cell.type) ?? { n: 0, bytes: 0 };
    sums.set(cell.type, { n: sum.n + 1, bytes: sum.bytes + cell.size_bytes });
  }
  const whole = map.cells.reduce((sum, c) => sum + c.size_bytes, 0);
  const rows = [...sums].sort((a, b) => b[1].bytes - a[1].bytes);
  const most = rows[0]?.[1].bytes ?? 1;
  return h(
    "div",
    { class: "panel" },
    h("h3", { class: "first" }, "Types of the whole file"),
    h(
      "ul",
      { class: "type-bars" },
      ...rows.map(([type, { n, bytes }]) =>
        h(
          "li",
          {},
          h("span", {}, type),
          s("svg", { viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" }, s("rect", { class: "bar", width: (100 * bytes) / most, height: 10 })),
          h("span", { class: "muted small" }, `${percentText(bytes / whole, 1)}, ${n === 1 ? "one tensor" : `${countText(n)} tensors`}`),
        ),
      ),
    ),
  );
}

interface Board {
  element: HTMLElement;
  show: (map: Map2d, measure: Measure) => void;
}

function board(): Board {
  let map: Map2d | null = null;
  let measure: Measure = "bits";
  let at = 0;
  const about = h("div", { class: "panel", "aria-live": "polite" });
  const types = h("div");
  const legend = h("div", { class: "legend after" });
  const helpId = freshId("help");

  const describe = (cell: Cell): void =>
    about.replaceChildren(
      h("h3", { class: "first" }, h("code", {}, cell.name)),
      h("dl", { class: "facts" }, ...cell.facts.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])),
    );

  const draw = (width: number): Node => {
    const shown = map;
    if (!shown) return document.createTextNode("");
    const layout = layoutOf(shown, width);
    const label = `${shown.title}: ${shown.cells.length} tensors by ${measures[measure].label}`;
    const height = layout.top + shown.rows.length * layout.tall + 6;
    const cursor = s("rect", { class: "cursor", height: layout.tall });
    const cells = s("g", { "aria-hidden": "true" }, ...cellRects(shown, layout, measure));
    const svg = s(
      "svg",
      { class: "anatomy", width, height, tabindex: "0", role: "group", "aria-roledescription": "map of tensors", "aria-label": label, "aria-describedby": helpId },
      hatch(),
      s("g", { "aria-hidden": "true" }, ...headings(shown, layout)),
      cells,
      cursor,
    );
    const move = (to: number): void => {
      const cell = shown.cells[to];
      if (!cell) return;
      at = to;
      for (const [name, value] of Object.entries(layout.boxOf(cell))) cursor.setAttribute(name, String(value));
      describe(cell);
    };
    const point = (event: Event): void => {
      const i = (event.target as Element).getAttribute("data-i");
      if (i !== null) move(Number(i));
    };
    cells.addEventListener("pointerover", point);
    cells.addEventListener("click", point);
    svg.addEventListener("keydown", (event) => {
      if (event.key in steps) event.preventDefault();
      const next = neighbour(shown, at, event.key);
      if (next !== null) move(next);
    });
    move(Math.min(at, shown.cells.length - 1));
    return svg;
  };

  const grid = drawn(draw);
  const help = "Arrow keys move from tensor to tensor; the panel beside tells about it.";
  return {
    element: h(
      "div",
      { class: "columns wide-left anatomy-board" },
      h("div", {}, h("div", { class: "anatomy-grid" }, grid), legend, h("p", { class: "visually-hidden", id: helpId }, help)),
      h("div", { class: "stacked" }, about, types),
    ),
    show: (next, by) => {
      map = next;
      measure = by;
      grid.redraw();
      types.replaceChildren(typeBars(next));
      legend.replaceChildren(...legendOf(next, by));
    },
  };
}

/** The seven shades from the least to the most, and the figures at their ends. */
function legendOf(map: Map2d, by: Measure): Node[] {
  const { label, text } = measures[by];
  const [low, high] = spanOf(map, by);
  const shades = Array.from({ length: 7 }, (_, i) => s("rect", { class: `cell l${i}`, x: i, width: 1.02, height: 1 }));
  const hatched = map.cells.some((c) => !Number.isFinite(measures[by].of(c) ?? NaN));
  return [
    h("span", {}, `${label}:`),
    ...(low === high
      ? [h("span", {}, `${text(low)} everywhere`)]
      : [
          h("span", {}, `${text(low)} or less`),
          s("svg", { class: "scale", viewBox: "0 0 7 1", preserveAspectRatio: "none", "aria-hidden": "true" }, ...shades),
          h("span", {}, `${text(high)} or more${by === "bits" ? "" : ", logarithmic"}`),
        ]),
    h("span", {}, hatched ? "Hatched: not known." : ""),
  ];
}

function typesTable(model: Inspect): HTMLElement {
  return h(
    "details",
    {},
    h("summary", {}, `What ${model.name || model.asked} is made of`),
    h(
      "div",
      { class: "table-scroll", tabindex: "0", role: "region", "aria-label": "Components" },
      h(
        "table",
        {},
        h("thead", {}, h("tr", {}, ...["component", "type", "tensors", "parameters", "size"].map((t, i) => h("th", { scope: "col", class: i > 1 ? "num" : null }, t)))),
        h(
          "tbody",
          {},
          ...model.components.map((c) =>
            h("tr", {}, h("td", {}, c.component), h("td", {}, c.type), h("td", { class: "num" }, countText(c.n_tensors)), h("td", { class: "num" }, countText(c.n_params)), h("td", { class: "num" }, diskText(c.size_bytes))),
          ),
        ),
      ),
    ),
  );
}

function leadOf(model: Inspect): string {
  const span = (v: number | number[]): string => (Array.isArray(v) ? `${Math.min(...v)} to ${Math.max(...v)}` : String(v));
  return (
    `${model.name || model.asked}: ${model.architecture}, ${model.n_layer} layers, ${countText(model.n_embd)} wide, ${span(model.n_head)} heads on ` +
    `${span(model.n_head_kv)} KV heads, ${paramsText(model.n_params)} parameters in ${model.tensors.length} tensors, ${model.bits_per_weight.toFixed(2)} bits each.`
  );
}

export function anatomySection(page: Page): HTMLElement | null {
  // What was decided tensor by tensor says most, so it comes first.
  const bits = page.dashboard?.basis.type_bits ?? {};
  const maps = [...page.compressions.map((run) => mapOfCompress(run, page.models, bits)), ...page.models.map(mapOfModel)];
  if (maps.length === 0) return null;
  const view = board();
  const which = h("select", { id: freshId("map") }, ...maps.map((map, i) => h("option", { value: i }, map.title)));
  const measure = h("select", { id: freshId("measure") });
  const update = (): void => view.show(maps[Number(which.value)]!, measure.value as Measure);
  /** By what is known of this file; what was chosen before stays where it can. */
  const offer = (): void => {
    const before = measure.value;
    const known = (Object.keys(measures) as Measure[]).filter((key) => maps[Number(which.value)]!.cells.some((c) => Number.isFinite(measures[key].of(c) ?? NaN)));
    measure.replaceChildren(...known.map((key) => h("option", { value: key }, measures[key].label)));
    const varied = known.find((key) => new Set(spanOf(maps[Number(which.value)]!, key)).size > 1);
    measure.value = known.includes(before as Measure) ? before : (varied ?? known[0] ?? "bits");
  };
  which.addEventListener("change", () => {
    offer();
    update();
  });
  measure.addEventListener("change", update);
  offer();
  update();
  return section(
    "anatomy",
    "Anatomy",
    page.models[0] ? leadOf(page.models[0]) : "Every tensor a cell.",
    h(
      "div",
      { class: "controls" },
      h("div", { class: "control" }, h("label", { for: which.id }, "File"), which),
      h("div", { class: "control" }, h("label", { for: measure.id }, "Shade by"), measure),
    ),
    view.element,
    ...page.models.map(typesTable),
  );
}
