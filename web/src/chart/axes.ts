// Axes and grid lines of a chart; marks are the caller's.
import type { ScaleContinuousNumeric } from "d3-scale";
import { s } from "../dom";

export type Scale = ScaleContinuousNumeric<number, number>;

export interface Box {
  left: number;
  right: number;
  top: number;
  bottom: number;
}

export interface Tick {
  at: number;
  label: string;
}

export function xAxis(scale: Scale, ticks: Tick[], box: Box, title: string): SVGGElement {
  const g = s("g", { "aria-hidden": "true" });
  g.append(s("line", { class: "axis-line", x1: box.left, x2: box.right, y1: box.bottom, y2: box.bottom }));
  for (const tick of ticks) {
    const x = scale(tick.at);
    if (x < box.left - 1 || x > box.right + 1) continue;
    g.append(
      s("line", { class: "tick", x1: x, x2: x, y1: box.bottom, y2: box.bottom + 4 }),
      s("text", { x, y: box.bottom + 17, "text-anchor": "middle" }, tick.label),
    );
  }
  g.append(s("text", { class: "strong", x: box.right, y: box.bottom + 35, "text-anchor": "end" }, title));
  return g;
}

export function yAxis(scale: Scale, ticks: Tick[], box: Box, title: string): SVGGElement {
  const g = s("g", { "aria-hidden": "true" });
  for (const tick of ticks) {
    const y = scale(tick.at);
    if (y < box.top - 1 || y > box.bottom + 1) continue;
    g.append(s("line", { class: "grid-line", x1: box.left, x2: box.right, y1: y, y2: y }));
    if (tick.label) g.append(s("text", { x: box.left - 8, y: y + 4, "text-anchor": "end" }, tick.label));
  }
  if (title) g.append(s("text", { class: "strong", x: Math.max(0, box.left - 44), y: 12 }, title));
  return g;
}

/** 0.001, 0.003, 0.01, …: one and three of each power of ten within the range; only the tens where there is no room,
 *  more of each where the range is short. */
export function logTicks(low: number, high: number, withThrees: boolean): Tick[] {
  const ticks: Tick[] = [];
  const decades = Math.log10(high / low);
  const digits = decades < 1.2 ? [1, 2, 3, 5, 7] : withThrees ? [1, 3] : [1];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++)
    for (const digit of digits) {
      const at = digit * 10 ** power;
      if (at >= low * 0.999 && at <= high * 1.001) ticks.push({ at, label: Number(at.toPrecision(1)).toString() });
    }
  return ticks;
}
