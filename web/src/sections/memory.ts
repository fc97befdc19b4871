// One option's memory in its parts, against the limit.
import { scaleLinear } from "d3-scale";
import { drawn, h, s } from "../dom";
import { memoryText } from "../format";
import type { Memory } from "../whatif/types";

interface Part {
  name: string;
  bytes: number;
  className: string;
}

const partsOf = (m: Memory): Part[] =>
  [
    { name: "weights", bytes: m.weights_bytes, className: "weights" },
    { name: "KV cache", bytes: m.kv_bytes, className: "kv" },
    { name: "buffers", bytes: m.compute_bytes, className: "compute" },
    { name: "program", bytes: m.runtime_bytes + m.loading_bytes, className: "program" },
  ].filter((part) => part.bytes > 0);

/** Hatches, so that the parts differ without their colours too. */
function patterns(): SVGElement {
  return s(
    "defs",
    {},
    s(
      "pattern",
      { id: "hatch-kv", width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
      s("rect", { width: 6, height: 6, fill: "var(--part-kv)" }),
      s("line", { x1: 0, y1: 0, x2: 0, y2: 6, stroke: "var(--surface)", "stroke-width": 2 }),
    ),
    s(
      "pattern",
      { id: "dots-compute", width: 6, height: 6, patternUnits: "userSpaceOnUse" },
      s("rect", { width: 6, height: 6, fill: "var(--part-compute)" }),
      s("circle", { cx: 3, cy: 3, r: 1.3, fill: "var(--surface)" }),
    ),
  );
}

/** Less than this of the limit, and the parts can't be told apart: they are drawn once more, enlarged. */
const smallShare = 0.25;

function parts(memory: Memory, x: (bytes: number) => number, y: number, height: number): SVGElement[] {
  let at = 0;
  return partsOf(memory).map((part) => {
    const rect = s("rect", { class: part.className, x: x(at), y, width: Math.max(0.5, x(part.bytes)), height });
    at += part.bytes;
    return rect;
  });
}

function bar(memory: Memory, budget: number, width: number): SVGElement {
  const height = 34;
  const top = 18;
  const whole = Math.max(memory.total_bytes, budget) * 1.04;
  const x = scaleLinear([0, whole], [0, width]);
  const enlarged = memory.total_bytes < smallShare * whole;
  const [below, gap] = [top + height, 22];
  const svg = s("svg", { class: "memory", width, height: below + (enlarged ? gap + height : 0) + 4, role: "img", "aria-label": words(memory, budget) }, patterns(), ...parts(memory, x, top, height));
  const at = memory.total_bytes;
  if (enlarged) {
    const wide = scaleLinear([0, at], [0, x(budget)]);
    const cone = `M0 ${below}H${x(at)}L${x(budget)} ${below + gap}H0Z`;
    svg.append(s("path", { class: "cone", d: cone }), ...parts(memory, wide, below + gap, height));
  }
  if (budget > at) svg.append(s("rect", { class: "headroom", x: x(at), y: top + 0.5, width: x(budget - at), height: height - 1 }));
  svg.append(
    s("line", { class: "limit", x1: x(budget), x2: x(budget), y1: top - 6, y2: top + height + 4 }),
    s("text", { class: "limit-text", x: x(budget), y: 10, "text-anchor": x(budget) > width / 2 ? "end" : "start" }, `limit ${memoryText(budget)}`),
  );
  return svg;
}

function words(memory: Memory, budget: number): string {
  const parts = partsOf(memory).map((part) => `${part.name} ${memoryText(part.bytes)}`);
  const rest = budget - memory.total_bytes;
  parts.push(rest >= 0 ? `${memoryText(rest)} to spare` : `${memoryText(-rest)} too much`);
  return parts.join(", ");
}

export function memoryBar(memory: Memory, budget: number): HTMLElement {
  const rest = budget - memory.total_bytes;
  return h(
    "figure",
    {},
    drawn((width) => bar(memory, budget, width)),
    h(
      "ul",
      { class: "legend memory-legend" },
      ...partsOf(memory).map((part) =>
        h(
          "li",
          {},
          s("svg", { class: "memory", viewBox: "0 0 16 16", "aria-hidden": "true" }, s("rect", { class: part.className, width: 16, height: 16 })),
          `${part.name} ${memoryText(part.bytes)}`,
        ),
      ),
      h("li", { class: rest < 0 ? "why-not" : "" }, rest >= 0 ? `${memoryText(rest)} to spare` : `${memoryText(-rest)} too much`),
    ),
  );
}
