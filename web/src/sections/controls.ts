// What if: another machine, memory, context, cache, speed or wish. Everything on the page follows.
import { freshId, h } from "../dom";
import { countText, memoryText } from "../format";
import type { State } from "../state";
import type { Machine, Prefer } from "../whatif/types";

const mib = 2 ** 20;

interface Slider {
  element: HTMLElement;
  input: HTMLInputElement;
  show: (value: number, words: string) => void;
}

function slider(name: string, min: number, max: number, step: number, moved: (value: number) => void): Slider {
  const id = freshId("slider");
  const output = h("output", { for: id });
  const input = h("input", { type: "range", id, min, max, step });
  input.addEventListener("input", () => moved(Number(input.value)));
  const show = (value: number, words: string): void => {
    if (Number(input.value) !== value) input.value = String(value);
    output.textContent = words;
    input.setAttribute("aria-valuetext", words);
  };
  return { element: h("div", { class: "control" }, h("label", { for: id }, name, output), input), input, show };
}

function machineControl(state: State): HTMLElement {
  const id = freshId("machine");
  const groups = new Map<string, Machine[]>();
  for (const machine of state.machines) {
    const group = machine.is_this ? "This machine" : machine.backend;
    groups.set(group, [...(groups.get(group) ?? []), machine]);
  }
  const select = h(
    "select",
    { id },
    ...[...groups].map(([group, machines]) =>
      h("optgroup", { label: group }, ...machines.map((m) => h("option", { value: m.name }, m.title || m.name))),
    ),
  );
  select.addEventListener("change", () => {
    const machine = state.machines.find((m) => m.name === select.value);
    if (machine) state.change({ machine });
  });
  state.watch(() => (select.value = state.conditions.machine.name));
  return h("div", { class: "control" }, h("label", { for: id }, "Machine"), select);
}

/** The machine with another budget, whose grade is then "given". */
function withBudget(machine: Machine, bytes: number): Machine {
  const source = `${memoryText(bytes)}, set on this page`;
  return { ...machine, model_budget_bytes: bytes, budget_source: source, budget_grade: "given" };
}

function memoryControl(state: State): HTMLElement {
  const control = slider("Memory for the model", 0, 0, 64, (value) =>
    state.change({ machine: withBudget(state.conditions.machine, value * mib) }),
  );
  state.watch(() => {
    const { machine } = state.conditions;
    const most = Math.max(machine.memory_total_bytes, machine.model_budget_bytes, 4096 * mib);
    control.input.max = String(Math.ceil(most / mib / 64) * 64);
    control.input.min = "64";
    control.show(Math.round(machine.model_budget_bytes / mib / 64) * 64, memoryText(machine.model_budget_bytes));
  });
  return control.element;
}

function contextControl(state: State): HTMLElement {
  const contexts = [...new Set(state.dashboard.basis.models.flatMap((m) => m.caches.map((c) => c.n_ctx)))].sort((a, b) => a - b);
  const control = slider("Context", 0, contexts.length - 1, 1, (value) =>
    state.change({ n_ctx: contexts[value] ?? state.conditions.n_ctx }),
  );
  state.watch(() => control.show(contexts.indexOf(state.conditions.n_ctx), `${countText(state.conditions.n_ctx)} tokens`));
  return control.element;
}

function cacheControl(state: State): HTMLElement {
  const types = [...new Set(state.dashboard.basis.models.flatMap((m) => m.caches.map((c) => c.kv_type)))];
  const boxes = types.map((type) => h("input", { type: "checkbox", value: type }));
  for (const box of boxes)
    box.addEventListener("change", () => {
      const chosen = boxes.filter((b) => b.checked).map((b) => b.value);
      if (chosen.length === 0) box.checked = true; // one at least
      else state.change({ kv_types: chosen });
    });
  state.watch(() => {
    for (const box of boxes) box.checked = state.conditions.kv_types.includes(box.value);
  });
  return h(
    "fieldset",
    { class: "control" },
    h("legend", {}, "Cache types to consider"),
    h("div", { class: "choices" }, ...boxes.map((box) => h("label", {}, box, box.value))),
  );
}

function speedControl(state: State): HTMLElement {
  const control = slider("Minimum speed", 0, 60, 0.5, (value) => state.change({ min_tokens_per_s: value }));
  state.watch(() => {
    const least = state.conditions.min_tokens_per_s;
    control.show(least, least > 0 ? `${least} tokens/s` : "any speed");
  });
  return control.element;
}

function preferControl(state: State): HTMLElement {
  const name = freshId("prefer");
  const words: Record<Prefer, string> = { quality: "quality", balanced: "balance", speed: "speed" };
  const buttons = (Object.keys(words) as Prefer[]).map((value) => {
    const input = h("input", { type: "radio", name, value });
    input.addEventListener("change", () => state.change({ prefer: value }));
    return input;
  });
  state.watch(() => {
    for (const button of buttons) button.checked = button.value === state.conditions.prefer;
  });
  return h(
    "fieldset",
    { class: "control" },
    h("legend", {}, "Prefer"),
    h("div", { class: "choices" }, ...buttons.map((b) => h("label", {}, b, words[b.value as Prefer]))),
  );
}

export function controls(state: State): HTMLElement {
  const reset = h("button", { type: "button", class: "quiet" }, "As asked for");
  reset.addEventListener("click", () => state.reset());
  return h(
    "form",
    { class: "panel controls-panel", "aria-label": "What if" },
    h(
      "div",
      { class: "controls" },
      machineControl(state),
      memoryControl(state),
      contextControl(state),
      cacheControl(state),
      speedControl(state),
      preferControl(state),
    ),
    h("p", { class: "small muted after" }, "The same rules as ech0 fit, computed here. ", reset),
  );
}
