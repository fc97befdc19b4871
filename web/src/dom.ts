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

const address = /https:\/\/[^\s"'<>()]+[^\s"'<>(),.;:]/g;

/** "github.com/…/m4_cpu_tps.sh": where it is, and what. */
function shortAddress(url: string): string {
  const [host = "", ...path] = url.replace(/^https:\/\/(www\.)?/, "").split("/");
  const whole = [host, ...path].join("/");
  return whole.length <= 44 ? whole : `${host}/…/${path[path.length - 1]}`;
}

/** Text with the addresses in it as links: only https, and nothing else of it can become markup. */
export function linked(text: string): DocumentFragment {
  const found = document.createDocumentFragment();
  let at = 0;
  for (const match of text.matchAll(address)) {
    found.append(text.slice(at, match.index), h("a", { href: match[0], rel: "noreferrer noopener", target: "_blank" }, shortAddress(match[0])));
    at = match.index + match[0].length;
  }
  found.append(text.slice(at));
  return found;
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

const paperWidth = 690; // CSS pixels between the margins of a sheet
const panelMargins = 42;
const wholeOnPaper = ".movement, .anatomy-grid"; // what stands beside them on a screen is above or below on paper

/** Draw into an element now, whenever its width changes, and for paper: printing lays out anew without telling, and a
 *  picture of a wide window, shrunk to a sheet, has words that nobody can read. */
export function drawn(draw: (width: number) => Node, className = "figure"): HTMLDivElement & { redraw: () => void } {
  const holder = h("div", { class: className });
  let width = 0;
  const drawAt = (now: number): void => {
    if (now === 0) return;
    const node = draw(now);
    // So that it shrinks with a narrower sheet.
    if (node instanceof SVGElement) node.setAttribute("viewBox", `0 0 ${node.getAttribute("width")} ${node.getAttribute("height")}`);
    holder.replaceChildren(node);
  };
  const redraw = (): void => drawAt(width);
  new ResizeObserver((entries) => {
    const now = Math.floor(entries[0]?.contentRect.width ?? 0);
    if (now === width || now === 0) return;
    width = now;
    redraw();
  }).observe(holder);
  const onPage = (then: (main: number) => void) => () => {
    const main = document.getElementById("main");
    if (holder.isConnected && main) then(main.clientWidth);
  };
  const onPaper = (main: number): number => (holder.closest(wholeOnPaper) ? paperWidth - panelMargins : width * Math.min(1, paperWidth / main));
  window.addEventListener("beforeprint", onPage((main) => drawAt(Math.floor(onPaper(main)))));
  window.addEventListener("afterprint", onPage(redraw));
  return Object.assign(holder, { redraw });
}
