// Pickers: <select data-pick="address"> becomes a tom-select fed by the server.
import { $, $$, el, send, t } from "./lib.js";

let library = null;

/** Load tom-select once, with its style sheet, when a page first needs it. */
function load() {
  library ??= new Promise((resolve, reject) => {
    const base = new URL("../vendor/", import.meta.url);
    document.head.append(el("link", { rel: "stylesheet", href: new URL("tom-select.min.css", base).href }));
    const script = el("script", { src: new URL("tom-select.min.js", base).href });
    script.addEventListener("load", () => resolve(window.TomSelect));
    script.addEventListener("error", reject);
    document.head.append(script);
  });
  return library;
}

export async function hits(address, text, signal) {
  const url = new URL(address, location.href);
  url.searchParams.set("q", text);
  const answer = await send(url, { method: "GET", signal });
  return answer.ok ? ((await answer.json()).items ?? []) : [];
}

function line(item) {
  return el("div", { className: "pick-hit" }, item.code ? el("code", { textContent: item.code }) : null, el("span", { textContent: item.label }), item.hint ? el("small", { textContent: item.hint }) : null);
}

function settings(select) {
  return {
    valueField: "id",
    labelField: "label",
    searchField: [],
    maxOptions: 20,
    maxItems: select.multiple ? null : 1,
    preload: "focus",
    loadThrottle: 120,
    closeAfterSelect: select.closest(".menu") ? true : null,
    dropdownParent: select.closest(".menu") ? null : "body",
    load(text, done) {
      const before = this.getValue();
      const answer = (items) => {
        done(items);
        arrived(this, text, items, before);
      };
      hits(select.dataset.pick, text).then(answer, () => answer([]));
    },
    score: () => () => 1,
    shouldLoad: () => true,
    onType(text) {
      this.waiting = text !== "";
      this.takeFirst = false;
      this.clearOptions((option) => this.items.includes(String(option.id)));
    },
    onChange() {
      const text = $(`[data-pick-text="${select.id}"]`);
      if (text) text.value = this.options[this.getValue()]?.label ?? "";
    },
    render: {
      option: (item) => line(item),
      item: (item) => el("div", { textContent: item.label ?? item.text ?? item.id }),
      no_results: () => el("div", { className: "no-results", textContent: t("no_hits") }),
      loading: () => el("div", { className: "no-results", textContent: t("loading") }),
    },
  };
}

export async function attachPickers(root) {
  const waiting = $$("select[data-pick]", root).filter((select) => !select.tomselect && select.dataset.pick);
  if (!waiting.length) return;
  const TomSelect = await load();
  for (const select of waiting) if (!select.tomselect && select.isConnected) make(TomSelect, select);
}

/** Hits have come: Enter pressed before they did takes the first one; a choice made meanwhile stays closed. */
function arrived(control, text, items, before) {
  const single = control.settings.maxItems === 1;
  if (control.waiting && text === control.inputValue()) {
    control.waiting = false;
    if (control.takeFirst && items.length) control.addItem(String(items[0].id));
  }
  if (single && control.getValue() && control.getValue() !== before) control.close();
}

/** Enter while hits are on their way: not lost, not given to a hit of what was typed before. */
function rememberEnter(control, event) {
  if (event.key !== "Enter" || !control.waiting) return;
  event.preventDefault();
  event.stopPropagation();
  control.takeFirst = true;
}

/** A click on a picker that has the focus already leaves it there: what is typed next must arrive. */
function open(control) {
  if (control.activeItems.length) control.clearActiveItems();
  control.focus();
  control.open();
}

function make(TomSelect, select) {
  for (const option of select.options) if (option.value) option.dataset.data = JSON.stringify({ id: option.value, label: option.textContent });
  const control = new TomSelect(select, settings(select));
  control.hook("instead", "onClick", () => open(control));
  control.wrapper.addEventListener("keydown", (event) => rememberEnter(control, event), true);
  if (select.autofocus && matchMedia("(min-width: 641px)").matches && (document.activeElement === document.body || document.activeElement === select)) control.focus();
}
