// Light or dark: as the system says, until the person says otherwise.
import { h } from "./dom";

type Theme = "light" | "dark";
const dark = window.matchMedia("(prefers-color-scheme: dark)");

function remembered(): Theme | null {
  try {
    const kept = localStorage.getItem("ech0-theme");
    return kept === "light" || kept === "dark" ? kept : null;
  } catch {
    return null; // a browser that keeps nothing for files
  }
}

function current(): Theme {
  return document.documentElement.dataset.theme === "dark" ? "dark" : "light";
}

export function themeButton(): HTMLButtonElement {
  const button = h("button", { type: "button", class: "quiet" });
  const apply = (theme: Theme): void => {
    document.documentElement.dataset.theme = theme;
    button.textContent = theme === "dark" ? "Light" : "Dark";
    button.setAttribute("aria-label", `Switch to ${theme === "dark" ? "light" : "dark"} colours`);
  };
  apply(remembered() ?? (dark.matches ? "dark" : "light"));
  dark.addEventListener("change", () => remembered() ?? apply(dark.matches ? "dark" : "light"));
  button.addEventListener("click", () => {
    const theme: Theme = current() === "dark" ? "light" : "dark";
    apply(theme);
    try {
      localStorage.setItem("ech0-theme", theme);
    } catch {
      // kept for this visit only
    }
  });
  return button;
}
