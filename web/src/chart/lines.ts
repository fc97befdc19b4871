// A few curves over one axis, named at their ends.
import { scaleLinear, scaleLog } from "d3-scale";
import { line } from "d3-shape";
import { s } from "../dom";
import { type Tick, logTicks, xAxis, yAxis } from "./axes";

export interface Curve {
  name: string;
  points: [number, number][];
}

export interface LinePlot {
  curves: Curve[];
  xTitle: string;
  yTitle: string;
  label: string;
  xLog: boolean;
  yTicks: Tick[] | null;
  xTicks?: Tick[];
  yFrom?: number;
  height: number;
}

export function linePlot(plot: LinePlot, width: number): SVGElement {
  const box = { left: 52, right: width - 14, top: 34, bottom: plot.height - 44 };
  const points = plot.curves.flatMap((c) => c.points);
  const xs = points.map((p) => p[0]);
  const ys = points.map((p) => p[1]);
  const xDomain = [Math.min(...xs), Math.max(...xs)];
  const x = plot.xLog ? scaleLog(xDomain, [box.left, box.right]) : scaleLinear(xDomain, [box.left, box.right]);
  const y = scaleLinear([Math.min(plot.yFrom ?? Infinity, ...ys), Math.max(...ys)], [box.bottom, box.top]).nice();
  const xTicks = plot.xTicks ?? (plot.xLog ? logTicks(xDomain[0]!, xDomain[1]!, false) : x.ticks(width > 420 ? 8 : 4).map((at) => ({ at, label: String(at) })));
  const svg = s("svg", { width, height: plot.height, role: "img", "aria-label": plot.label });
  svg.append(yAxis(y, plot.yTicks ?? y.ticks(5).map((at) => ({ at, label: String(at) })), box, plot.yTitle), xAxis(x, xTicks, box, plot.xTitle));
  plot.curves.forEach((curve, i) => svg.append(s("path", { class: `line s${i}`, d: line()(curve.points.map(([a, b]) => [x(a), y(b)] as [number, number])) ?? "" })));
  return svg;
}
