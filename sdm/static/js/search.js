// Global search: / or Ctrl+K, arrows, Enter.
import { $, $$, debounce, el, isTyping, ownAddress, send, t } from "./lib.js";

const box = $("[data-search]");
const field = $("#global-search");
const hits = $("#search-hits");
let running = null;

function close() {
  hits.hidden = true;
  field.setAttribute("aria-expanded", "false");
}

function show({ groups = [], all = null }) {
  hits.replaceChildren();
  for (const group of groups) {
    hits.append(el("h3", { textContent: group.label }));
    for (const hit of group.hits) {
      if (!ownAddress(hit.url)) continue;
      hits.append(el("a", { href: hit.url, role: "option", tabIndex: -1 }, el("span", { textContent: hit.label }), el("small", { textContent: hit.hint ?? "" })));
    }
  }
  if (!$("a", hits)) hits.append(el("p", { textContent: t("no_hits") }));
  else $("a", hits).setAttribute("aria-selected", "true");
  if (all && ownAddress(all.url)) hits.append(el("a", { href: all.url, role: "option", tabIndex: -1, className: "search-all" }, el("span", { textContent: all.label })));
  hits.hidden = false;
  field.setAttribute("aria-expanded", "true");
}

const ask = debounce(async () => {
  const text = field.value.trim();
  running?.abort();
  if (!text) return close();
  running = new AbortController();
  try {
    const answer = await send(`${box.dataset.search}?q=${encodeURIComponent(text)}`, { method: "GET", signal: running.signal });
    if (answer.ok) show(await answer.json());
  } catch (error) {
    if (error.name !== "AbortError") close();
  }
}, 120);

function move(step) {
  const all = $$("a", hits);
  const now = all.findIndex((hit) => hit.getAttribute("aria-selected") === "true");
  all[now]?.setAttribute("aria-selected", "false");
  const next = all[(now + step + all.length) % all.length];
  next?.setAttribute("aria-selected", "true");
  next?.scrollIntoView({ block: "nearest" });
}

function keys(event) {
  if (event.isComposing) return;
  if (event.key === "ArrowDown" || event.key === "ArrowUp") move(event.key === "ArrowDown" ? 1 : -1);
  else if (event.key === "Enter") $('a[aria-selected="true"]', hits)?.click();
  else if (event.key === "Escape") {
    close();
    field.blur();
  } else return;
  event.preventDefault();
}

if (box && field) {
  field.addEventListener("input", ask);
  field.addEventListener("keydown", keys);
  field.addEventListener("focus", () => field.value && ask());
  document.addEventListener("click", (event) => box.contains(event.target) || close());
  document.addEventListener("keydown", (event) => {
    const slash = event.key === "/" && !isTyping(event);
    if (slash || ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k")) {
      event.preventDefault();
      field.focus();
      field.select();
    }
  });
}
