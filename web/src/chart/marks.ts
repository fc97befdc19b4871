// How a number is known, told by shape: the same mark in charts, tables and legends.
import { h, s } from "../dom";
import type { Grade } from "../whatif/types";

const radius = 5;

/** measured: a filled disc; published: a diamond; predicted: an open circle; given: a square. */
export function gradeShape(grade: Grade, r = radius): SVGElement {
  switch (grade) {
    case "measured": return s("circle", { r, class: "shape filled" });
    case "published": return s("path", { d: `M0 ${-r * 1.25}L${r * 1.25} 0L0 ${r * 1.25}L${-r * 1.25} 0Z`, class: "shape filled" });
    case "predicted": return s("circle", { r, class: "shape" });
    case "given": return s("rect", { x: -r, y: -r, width: 2 * r, height: 2 * r, class: "shape" });
  }
}

export function gradeIcon(grade: Grade): SVGElement {
  return s("svg", { viewBox: "-8 -8 16 16", "aria-hidden": "true" }, s("g", { class: "mark" }, gradeShape(grade)));
}

export function gradeBadge(grade: Grade): HTMLElement {
  return h("span", { class: "badge" }, gradeIcon(grade), grade);
}

const meaning: Record<Grade, string> = {
  measured: "measured: here, on this file",
  published: "published: by somebody who is named",
  predicted: "predicted: by ech0, with its interval",
  given: "given: by you",
};

export function gradeLegend(grades: Iterable<Grade>): HTMLElement {
  return h(
    "ul",
    { class: "legend", "aria-label": "How a number is known" },
    ...[...new Set(grades)].map((grade) => h("li", {}, gradeIcon(grade), meaning[grade])),
  );
}

/** Curves by their dashes and colours, in the order of linePlot. */
export function curveLegend(names: string[]): HTMLElement {
  return h(
    "ul",
    { class: "legend" },
    ...names.map((name, i) => h("li", {}, s("svg", { viewBox: "0 0 30 16", class: "wide", "aria-hidden": "true" }, s("line", { class: `line s${i}`, x1: 0, x2: 30, y1: 8, y2: 8 })), name)),
  );
}
