// Values with their intervals, one a line, on a common scale.
import { scaleLinear, scaleLog } from "d3-scale";
import { s } from "../dom";
import type { Grade } from "../whatif/types";
import { logTicks, xAxis } from "./axes";
import { gradeShape } from "./marks";

export interface Dot {
  label: string;
  value: number;
  low: number;
  high: number;
  text: string;
  grade: Grade;
  missed?: boolean;
}

export interface DotPlot {
  dots: Dot[];
  title: string;
  label: string;
  log: boolean;
  /** A value to compare with: a line across. */
  reference?: { at: number; text: string };
}

export function dotPlot(plot: DotPlot, width: number): SVGElement {
  const narrow = width < 520; // label and value on lines of their own
  const rowHeight = narrow ? 58 : 42;
  const box = { left: 12, right: width - 14, top: plot.reference ? 22 : 6, bottom: (plot.reference ? 22 : 6) + plot.dots.length * rowHeight };
  const all = plot.dots.flatMap((d) => [d.low, d.high, d.value]).concat(plot.reference ? [plot.reference.at] : []);
  const least = Math.min(...all.filter((v) => !plot.log || v > 0));
  const most = Math.max(...all);
  const pad = (most - least || most || 1) * 0.08;
  const x = plot.log
    ? scaleLog([least / 1.3, most * 1.3], [box.left, box.right]).clamp(true)
    : scaleLinear([least - pad, most + pad], [box.left, box.right]);
  const ticks = plot.log ? logTicks(least / 1.3, most * 1.3, true) : x.ticks(5).map((at) => ({ at, label: String(at) }));
  const svg = s("svg", { width, height: box.bottom + 42, role: "img", "aria-label": `${plot.label}: ${plot.dots.map((d) => `${d.label} ${d.text}`).join("; ")}` });
  svg.append(xAxis(x, ticks, box, plot.title));
  if (plot.reference)
    svg.append(
      s("line", { class: "limit", x1: x(plot.reference.at), x2: x(plot.reference.at), y1: box.top, y2: box.bottom }),
      s("text", { x: x(plot.reference.at), y: box.top - 8, "text-anchor": "middle" }, plot.reference.text),
    );
  plot.dots.forEach((dot, i) => {
    const y = box.top + i * rowHeight + (narrow ? 46 : 28);
    const g = s("g", { class: dot.missed ? "mark missed" : "mark", transform: `translate(${x(dot.value)} ${y})` }, dot.missed ? s("path", { class: "cross", d: "M-5 -5L5 5M-5 5L5 -5" }) : gradeShape(dot.grade));
    svg.append(
      s("line", { class: "grid-line", x1: box.left, x2: box.right, y1: y, y2: y }),
      s("text", { class: "strong", x: box.left, y: y - (narrow ? 28 : 12) }, dot.label),
      s("text", narrow ? { x: box.left, y: y - 12 } : { x: box.right, y: y - 12, "text-anchor": "end" }, dot.text),
      s("line", { class: "whisker mark", x1: x(Math.max(dot.low, plot.log ? least / 1.3 : dot.low)), x2: x(dot.high), y1: y, y2: y }),
      g,
    );
  });
  return svg;
}
