// Tab bars: click, arrow keys; a panel with an address is fetched when first shown.
import { $, $$, on } from "./lib.js";

function select(tab, focus) {
  for (const other of $$('[role="tab"]', tab.closest("[data-tabs]"))) {
    const chosen = other === tab;
    other.setAttribute("aria-selected", String(chosen));
    other.tabIndex = chosen ? 0 : -1;
    const panel = document.getElementById(other.getAttribute("aria-controls"));
    if (!panel) continue;
    panel.hidden = !chosen;
    if (chosen) panel.dispatchEvent(new CustomEvent("sdm:shown"));
  }
  if (focus) tab.focus();
}

on("click", '[data-tabs] [role="tab"]', (_event, tab) => select(tab, false));
on("keydown", '[data-tabs] [role="tab"]', (event, tab) => {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  const all = $$('[role="tab"]', tab.closest("[data-tabs]"));
  select(all[(all.indexOf(tab) + step + all.length) % all.length], true);
  event.preventDefault();
});
