// What a model may count on, and why that much.
import { h, linked, section } from "../dom";
import { gradeBadge } from "../chart/marks";
import { memoryText } from "../format";
import type { State } from "../state";
import type { Machine } from "../whatif/types";

function card(machine: Machine): HTMLElement {
  const rows: [string, ...(Node | string)[]][] = [
    ["for a model", h("span", { class: "big" }, memoryText(machine.model_budget_bytes)), " ", gradeBadge(machine.budget_grade)],
    ["why that much", linked(machine.budget_source)],
    [
      "reads",
      h("span", { class: "big" }, machine.read_bytes_per_s > 0 ? `${(machine.read_bytes_per_s / 1e9).toFixed(1)} GB/s` : "not known"),
      " ",
      gradeBadge(machine.read_grade),
    ],
    ["known by", linked(machine.read_source)],
    ["runs on", machine.backend],
    ["memory", memoryText(machine.memory_total_bytes)],
  ];
  if (machine.cores > 0) rows.push(["cores", String(machine.cores)]);
  if (machine.isa?.length > 0) rows.push(["instructions", machine.isa.join(" ")]);
  return h(
    "div",
    { class: "panel" },
    h("h3", { class: "first" }, machine.title || machine.name),
    h("dl", { class: "facts" }, ...rows.flatMap(([name, ...value]) => [h("dt", {}, name), h("dd", {}, ...value)])),
  );
}

export function machineCard(state: State): HTMLElement {
  const holder = h("div");
  state.watch(() => holder.replaceChildren(card(state.conditions.machine)));
  return holder;
}

interface DoctorExtras {
  problems?: { what: string; remedy: string }[];
  runtimes?: { name: string; version: string; path: string }[];
}

export function machineSection(machine: Machine & DoctorExtras): HTMLElement {
  const problems = machine.problems ?? [];
  const runtimes = machine.runtimes ?? [];
  return section(
    "machine",
    "The machine",
    null,
    card(machine),
    problems.length > 0
      ? h("div", {}, h("h3", {}, "To fix"), h("ul", {}, ...problems.map((p) => h("li", {}, p.what, h("br"), h("span", { class: "muted" }, p.remedy)))))
      : null,
    runtimes.length > 0
      ? h("div", {}, h("h3", {}, "Installed"), h("ul", {}, ...runtimes.map((r) => h("li", {}, `${r.name} ${r.version} `, h("code", {}, r.path)))))
      : null,
  );
}
