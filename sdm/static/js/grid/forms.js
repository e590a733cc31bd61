// The narrow view: every line is a small form.
import { $, el, icon, t } from "../lib.js";
import { toast } from "../toast.js";
import { Hits } from "./hits.js";
import { fromText, isBlank, isNumeric, shown } from "./model.js";

export async function makeView(place, model, config) {
  return new FormView(place, model, config);
}

class FormView {
  constructor(place, model, config) {
    Object.assign(this, { place, model, active: null });
    this.columns = config.columns.filter((column) => column.phone !== false);
    this.hits = new Hits((item) => this.#picked(item));
    model.addEventListener("lines", () => this.#redraw());
    model.addEventListener("cells", () => this.refresh());
    this.#redraw();
  }

  #redraw() {
    const open = this.active && { key: this.active.key, column: this.active.column.key };
    this.place.replaceChildren(...this.model.lines.map((line, at) => this.#form(line, at)));
    if (open) this.goTo(open.key, open.column);
  }

  #form(line, at) {
    const erase = el("button", { type: "button", className: "cell-delete btn btn-quiet btn-sm", title: t("delete_line") }, icon("trash"));
    erase.addEventListener("click", () => this.model.remove(line.key));
    const head = el("header", {}, el("span", { textContent: t("line", { number: at + 1 }) }), this.model.fixed ? null : erase);
    return el("section", { className: "line-form", "data-key": line.key }, head, ...this.columns.map((column) => this.#field(line, column)));
  }

  #field(line, column) {
    const id = `${line.key}-${column.key}`;
    const control = column.edit ? this.#control(line, column) : el("output", { textContent: shown(column, line.values[column.key]) });
    control.id = id;
    control.dataset.column = column.key;
    return el("div", { className: "field" }, el("label", { htmlFor: id, textContent: column.label }), el("div", {}, control, el("p", { className: "field-error", hidden: true })));
  }

  #control(line, column) {
    const value = line.values[column.key];
    if (column.type === "choice" || column.type === "bool") {
      const options = column.type === "bool" ? [["", ""], ["1", "✓"]] : [["", ""], ...(column.options ?? [])];
      const select = el("select", { className: "form-select" }, ...options.map(([code, word]) => new Option(word, code, false, String(code) === String(value ?? ""))));
      select.addEventListener("change", () => this.model.set(line.key, column.key, select.value));
      return select;
    }
    const input = el("input", { className: "form-control", type: column.type === "date" ? "date" : "text", value: column.type === "picker" ? shown(column, value) : (value ?? ""), autocomplete: "off" });
    if (isNumeric(column)) input.inputMode = "decimal";
    input.addEventListener("focus", () => (this.active = { key: line.key, column, input, moved: false }));
    input.addEventListener("input", () => this.#typed(column, input));
    input.addEventListener("change", () => this.#take());
    input.addEventListener("keydown", (event) => this.#key(event));
    return input;
  }

  #typed(column, input) {
    if (this.active) this.active.moved = true;
    if (column.type === "picker" && input.value.trim()) this.hits.search(input, column.pick, input.value.trim());
  }

  async #key(event) {
    if (event.key !== "Enter" || event.isComposing) return;
    event.preventDefault();
    const item = this.active?.column.type === "picker" && this.active.moved ? await this.hits.chosen() : null;
    if (item) this.#picked(item);
    else event.target.blur();
  }

  #picked(item) {
    if (!this.active || !item) return;
    const { key, column, input } = this.active;
    this.active.moved = false;
    this.hits.close();
    input.value = shown(column, item);
    this.model.set(key, column.key, item);
  }

  #take() {
    const active = this.active;
    if (!active?.moved) return;
    active.moved = false;
    setTimeout(() => this.hits.close(), 150);
    this.model.set(active.key, active.column.key, fromText(active.column, active.input.value));
  }

  settled() {
    return Promise.resolve();
  }

  refresh() {
    for (const line of this.model.lines) {
      const form = $(`[data-key="${CSS.escape(line.key)}"]`, this.place);
      if (form) this.#show(form, line);
    }
  }

  #show(form, line) {
    for (const column of this.columns) {
      const control = $(`[data-column="${CSS.escape(column.key)}"]`, form);
      const value = line.values[column.key];
      if (control.tagName === "OUTPUT") control.textContent = shown(column, value);
      else if (document.activeElement !== control) control.value = column.type === "picker" ? shown(column, value) : isBlank(value) ? "" : value;
      const fault = line.errors[column.key] ?? line.warnings[column.key];
      const text = $(".field-error", control.parentElement);
      text.textContent = fault ?? "";
      text.hidden = !fault;
      control.classList.toggle("is-invalid", Boolean(line.errors[column.key]));
    }
  }

  leave() {
    this.#take();
    this.hits.close();
  }

  addLine() {
    const line = this.model.add();
    if (!line) return toast(t("lines_full", { count: this.model.lineMax }), "bad");
    return this.goTo(line.key, this.model.editable[0].key);
  }

  goTo(key, columnKey) {
    const control = $(`[data-key="${CSS.escape(key)}"] [data-column="${CSS.escape(columnKey)}"]`, this.place);
    control?.focus();
    control?.scrollIntoView({ block: "center" });
  }
}
