// The head fields of a document above its lines.
import { $, $$, el } from "../lib.js";

export class Head extends EventTarget {
  constructor(form) {
    super();
    this.form = form;
    this.touched = new Set();
    for (const type of ["input", "change"]) form?.addEventListener(type, (event) => this.#changed(event));
    form?.addEventListener("submit", (event) => event.preventDefault());
  }

  #changed(event) {
    if (!event.target.name && !event.target.closest(".ts-wrapper")) return;
    if (event.target.name) this.touched.add(event.target.name);
    this.dispatchEvent(new CustomEvent("change"));
  }

  values() {
    const values = {};
    for (const [name, value] of this.form ? new FormData(this.form) : []) if (name !== "csrf_token") values[name] = value;
    return values;
  }

  hasValues() {
    return Object.values(this.values()).some(Boolean);
  }

  /** Answers of the server for fields that the person has not touched. */
  fill(values) {
    for (const [name, value] of Object.entries(values)) if (!this.touched.has(name)) this.#set(name, value);
  }

  restore(values) {
    for (const [name, value] of Object.entries(values)) {
      if (!name.endsWith("_text")) this.#set(name, values[`${name}_text`] ? { id: value, label: values[`${name}_text`] } : value);
      this.touched.add(name);
    }
  }

  #set(name, value) {
    const field = this.form?.elements[name];
    if (!field || value === null || value === undefined) return;
    if (field.dataset?.pick !== undefined && typeof value === "object") return this.#pick(field, value);
    if (field.type === "checkbox") field.checked = value === "1" || value === true;
    else field.value = typeof value === "object" ? value.id : value;
  }

  #pick(field, item) {
    const id = String(item.id);
    if (field.tomselect) {
      field.tomselect.addOption({ ...item, id });
      field.tomselect.setValue(id, true);
    } else if (id) field.append(new Option(item.label, id, true, true));
    const text = $(`[data-pick-text="${field.id}"]`, this.form);
    if (text) text.value = item.label;
  }

  showErrors(errors) {
    for (const old of $$("[data-head-error]", this.form ?? document.createElement("div"))) old.remove();
    for (const [name, text] of Object.entries(errors)) {
      const field = this.form?.elements[name];
      const place = field?.closest?.(".field > div");
      place?.append(el("p", { className: "field-error", role: "alert", textContent: text, "data-head-error": "" }));
    }
  }
}
