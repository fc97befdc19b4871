// Elements without a framework. Text always becomes a text node, so data can't become markup.

export type Child = Node | string | number | null | undefined | false;
type Attributes = Record<string, string | number | boolean | null | undefined | EventListener>;

function append(parent: Element, children: Child[]): void {
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    parent.append(child instanceof Node ? child : String(child));
  }
}

function set(element: Element, attributes: Attributes): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
}

export function h<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  set(element, attributes);
  append(element, children);
  return element;
}

export function s<Tag extends keyof SVGElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: Child[]
): SVGElementTagNameMap[Tag] {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  set(element, attributes);
  append(element, children);
  return element;
}

let lastId = 0;
export const freshId = (prefix: string): string => `${prefix}-${++lastId}`;

/** A link if the text is an address that may be followed, else the text. */
export function linked(text: string): Node {
  if (!/^https:\/\/[^\s"'<>]+$/.test(text)) return document.createTextNode(text);
  const short = text.replace(/^https:\/\/(www\.)?/, "");
  return h("a", { href: text, rel: "noreferrer noopener", target: "_blank" }, short);
}

export function copyButton(text: () => string): HTMLButtonElement {
  const say = (button: HTMLButtonElement, words: string): void => {
    button.textContent = words;
    window.setTimeout(() => (button.textContent = "Copy"), 1600);
  };
  const button = h("button", { type: "button", class: "quiet copy", "aria-live": "polite" }, "Copy");
  button.addEventListener("click", () => {
    const whole = text();
    navigator.clipboard
      .writeText(whole)
      .catch(() => copyBySelection(whole))
      .then(
        () => say(button, "Copied"),
        () => say(button, "Select it yourself"),
      );
  });
  return button;
}

function copyBySelection(text: string): void {
  const area = h("textarea", { class: "visually-hidden" });
  area.value = text;
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  if (!done) throw new Error("the browser refuses to copy");
}

export function commandLine(command: string): HTMLElement {
  return h("div", { class: "command" }, h("code", {}, command), copyButton(() => command));
}

/** A section of the page: heading with an id to link to, and what it holds. */
export function section(id: string, title: string, lead: Child, ...children: Child[]): HTMLElement {
  return h(
    "section",
    { id, "aria-labelledby": `${id}-title` },
    h("h2", { id: `${id}-title` }, title),
    lead ? h("p", { class: "lead" }, lead) : null,
    ...children,
  );
}

/** Draw into an element now and whenever its width changes. */
export function drawn(draw: (width: number) => Node, className = "figure"): HTMLDivElement & { redraw: () => void } {
  const holder = h("div", { class: className });
  let width = 0;
  const redraw = (): void => {
    if (width === 0) return;
    const node = draw(width);
    // So that it shrinks with the paper: printing lays out anew without drawing anew.
    if (node instanceof SVGElement) node.setAttribute("viewBox", `0 0 ${node.getAttribute("width")} ${node.getAttribute("height")}`);
    holder.replaceChildren(node);
  };
  new ResizeObserver((entries) => {
    const now = Math.floor(entries[0]?.contentRect.width ?? 0);
    if (now === width || now === 0) return;
    width = now;
    redraw();
  }).observe(holder);
  return Object.assign(holder, { redraw });
}
