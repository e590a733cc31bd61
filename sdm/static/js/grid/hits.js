// Offers below a picker cell: the first ten by code, name, barcode or pinyin initials.
import { $$, debounce, el, t } from "../lib.js";
import { hits as ask } from "../pickers.js";

export class Hits {
  constructor(pick) {
    this.pick = pick;
    this.box = el("div", { className: "grid-hits", role: "listbox", hidden: true });
    document.body.append(this.box);
    this.items = [];
    this.at = 0;
    this.pending = null;
    this.later = debounce(() => this.#load(), 100);
    this.box.addEventListener("mousedown", (event) => {
      event.preventDefault();
      const row = event.target.closest("[data-at]");
      if (row) this.pick(this.items[Number(row.dataset.at)]);
    });
  }

  /** The text of a field changed: ask, without waiting for each key. */
  search(field, address, text) {
    Object.assign(this, { field, address, text });
    this.running?.abort();
    this.pending = new Promise((resolve) => (this.arrived = resolve));
    this.later();
  }

  async #load() {
    this.running = new AbortController();
    const text = this.text;
    try {
      const items = await ask(this.address, text, this.running.signal);
      if (text !== this.text) return;
      this.items = items;
      this.at = 0;
      this.#draw();
    } catch (error) {
      if (error.name === "AbortError") return;
      this.items = [];
    }
    this.pending = null;
    this.arrived?.();
  }

  #draw() {
    this.box.replaceChildren(...this.items.map((item, at) => this.#row(item, at)));
    if (!this.items.length) this.box.append(el("div", { className: "muted", textContent: t("no_hits") }));
    const place = this.field.getBoundingClientRect();
    this.box.hidden = false;
    this.box.style.left = `${Math.max(8, Math.min(place.left + scrollX, innerWidth - this.box.offsetWidth - 8))}px`;
    const below = place.bottom + this.box.offsetHeight + 8 < innerHeight || place.top < this.box.offsetHeight;
    this.box.style.top = below ? `${place.bottom + scrollY + 2}px` : `${place.top + scrollY - this.box.offsetHeight - 2}px`;
  }

  #row(item, at) {
    const row = el("div", { className: "pick-hit", role: "option", "data-at": String(at), "aria-selected": String(at === this.at) }, item.code ? el("code", { textContent: item.code }) : null, el("span", { textContent: item.label }));
    if (item.hint) row.append(el("small", { textContent: item.hint }));
    return row;
  }

  get open() {
    return !this.box.hidden;
  }

  move(step) {
    if (!this.items.length) return;
    this.at = (this.at + step + this.items.length) % this.items.length;
    $$("[data-at]", this.box).forEach((row, at) => row.setAttribute("aria-selected", String(at === this.at)));
    this.box.children[this.at]?.scrollIntoView({ block: "nearest" });
  }

  /** The offer under the bar, once the answer to the last key is here. */
  async chosen() {
    if (this.pending) await Promise.race([this.pending, new Promise((resolve) => setTimeout(resolve, 1500))]);
    return this.open ? (this.items[this.at] ?? null) : null;
  }

  close() {
    this.later.cancel();
    this.running?.abort();
    this.pending = null;
    this.items = [];
    this.box.hidden = true;
  }
}
