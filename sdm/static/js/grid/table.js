// The wide view: Tabulator draws the rows; one input lives in the cell that has the focus.
import { $, el, icon, t } from "../lib.js";
import { toast } from "../toast.js";
import { TabulatorFull as Tabulator } from "../../vendor/tabulator.min.mjs";
import { Hits } from "./hits.js";
import { cells, fromText, isBlank, isNumeric, shown } from "./model.js";

export async function makeView(place, model, config, actions) {
  const view = new TableView(place, model, config, actions);
  await view.built;
  return view;
}

class TableView {
  constructor(place, model, config, actions) {
    Object.assign(this, { place, model, config, actions, cell: null, input: null, moved: false });
    this.hits = new Hits((item) => this.#picked(item));
    this.tip = el("div", { className: "cell-tip", role: "alert", hidden: true });
    document.body.append(this.tip);
    this.table = new Tabulator(place, this.#options());
    this.built = new Promise((resolve) => this.table.on("tableBuilt", resolve));
    this.table.on("cellClick", (_event, cell) => this.#clicked(cell));
    place.addEventListener("focusin", (event) => this.#entered(event.target));
    new ResizeObserver(() => this.#resized()).observe(place);
    model.addEventListener("lines", () => this.#redraw());
    model.addEventListener("cells", (event) => this.#update(event.detail.keys));
  }

  /** A new size redraws the rows, but never under the hands of the person. */
  #resized() {
    const size = `${this.place.clientWidth}x${this.place.clientHeight}`;
    if (this.size && this.size !== size) this.late = true;
    this.size = size;
    if (!this.cell) this.#catchUp();
  }

  #catchUp() {
    if (!this.late) return;
    this.late = false;
    this.table.redraw();
  }

  #options() {
    return {
      data: this.#rows(),
      index: "key",
      columns: this.#columns(),
      layout: "fitColumns",
      height: "100%",
      headerVisible: true,
      placeholder: t("add_line"),
      columnDefaults: { headerSort: false, resizable: "header", vertAlign: "middle" },
      renderVerticalBuffer: 400,
      autoResize: false,
    };
  }

  #columns() {
    const number = { title: "", field: "no", width: 42, hozAlign: "right", cssClass: "is-fixed", resizable: false, formatter: "rownum" };
    const own = this.config.columns.map((column) => ({
      title: column.label,
      field: column.key,
      width: column.grow ? undefined : column.width,
      minWidth: column.width ?? 80,
      widthGrow: column.type === "picker" || column.type === "text" ? 3 : 1,
      hozAlign: isNumeric(column) ? "right" : "left",
      headerHozAlign: isNumeric(column) ? "right" : "left",
      cssClass: column.edit ? (isNumeric(column) ? "cell-right" : "") : "is-fixed",
      formatter: (cell) => this.#format(cell, column),
    }));
    for (const column of own) if (column.widthGrow === 3) delete column.width;
    const erase = { title: "", field: "erase", width: 38, hozAlign: "center", cssClass: "is-fixed", resizable: false, formatter: () => el("button", { type: "button", className: "cell-delete", title: t("delete_line"), tabIndex: -1 }, icon("trash")), cellClick: (_event, cell) => this.model.remove(cell.getRow().getIndex()) };
    return this.model.fixed ? [number, ...own] : [number, ...own, erase];
  }

  #rows() {
    return this.model.lines.map((line) => ({ key: line.key, ...line.values }));
  }

  #format(cell, column) {
    const line = this.model.line(cell.getRow().getData().key);
    if (line) this.#paint(cell, column, line);
    return document.createTextNode(shown(column, line?.values[column.key]));
  }

  #paint(cell, column, line) {
    const node = cell.getElement();
    const fault = line.errors[column.key];
    node.classList.toggle("is-error", Boolean(fault));
    node.classList.toggle("is-warn", !fault && Boolean(line.warnings[column.key]));
    node.title = fault ?? line.warnings[column.key] ?? "";
    if (fault) node.setAttribute("aria-invalid", "true");
    else node.removeAttribute("aria-invalid");
  }

  #redraw() {
    const active = this.cell && { key: this.cell.getRow().getIndex(), column: this.cell.getField() };
    this.#close();
    this.drawing = this.table.replaceData(this.#rows()).then(() => active && this.model.line(active.key) && this.goTo(active.key, active.column));
  }

  /** Resolves when the rows of the model are on the screen. */
  settled() {
    return this.drawing ?? Promise.resolve();
  }

  #update(keys) {
    for (const key of keys) {
      const row = this.table.getRow(key);
      const line = this.model.line(key);
      if (row && line) this.#updateRow(row, line);
    }
  }

  #updateRow(row, line) {
    for (const cell of row.getCells()) {
      const column = this.model.column(cell.getField());
      if (!column) continue;
      if (!same(cell.getValue(), line.values[column.key]) && !this.#isActive(cell)) cell.setValue(line.values[column.key] ?? null);
      this.#paint(cell, column, line);
    }
  }

  /** Show what the model holds now; the cell with the focus keeps what is being typed. */
  refresh() {
    this.#update(this.model.lines.map((line) => line.key));
    if (this.input && !this.moved) this.#reload();
    this.#showTip();
  }

  #reload() {
    const { key, column } = this.#here();
    const text = this.#editText(column, this.model.line(key)?.values[column.key]);
    if (this.input.value !== text) {
      this.input.value = text;
      this.input.select?.();
    }
  }

  #isActive(cell) {
    return this.cell && cell.getElement() === this.cell.getElement();
  }

  #here() {
    return { key: this.cell.getRow().getIndex(), column: this.model.column(this.cell.getField()) };
  }

  #clicked(cell) {
    const column = this.model.column(cell.getField());
    if (column?.edit && !this.#isActive(cell)) this.#open(cell);
    else if (!column) this.leave();
  }

  /** Tab from the fields above opens the first cell. */
  #entered(target) {
    const line = this.model.lines[0];
    if (!this.cell && line && target.matches(".tabulator-tableholder:focus-visible")) this.goTo(line.key, this.model.editable[0].key);
  }

  #editText(column, value) {
    if (column.type === "picker") return isBlank(value) ? "" : (value.code ?? value.text ?? value.label ?? "");
    return isBlank(value) ? "" : String(value);
  }

  #open(cell) {
    this.leave();
    this.cell = cell;
    const { key, column } = this.#here();
    const value = this.model.line(key)?.values[column.key];
    this.input = column.type === "choice" || column.type === "bool" ? chooser(column, value) : el("input", { type: "text", value: this.#editText(column, value), autocomplete: "off", spellcheck: false });
    this.input.setAttribute("aria-label", `${column.label}`);
    if (isNumeric(column)) this.input.inputMode = "decimal";
    this.moved = false;
    const node = cell.getElement();
    node.classList.add("tabulator-editing");
    node.replaceChildren(this.input);
    this.input.addEventListener("keydown", (event) => this.#key(event));
    this.input.addEventListener("input", () => this.#typed());
    this.input.addEventListener("paste", (event) => this.#paste(event));
    this.input.addEventListener("blur", () => setTimeout(() => document.activeElement !== this.input && !document.hidden && this.leave(), 0));
    this.input.focus({ preventScroll: true });
    this.input.select?.();
    node.scrollIntoView({ block: "nearest", inline: "nearest" });
    this.#showTip();
  }

  #showTip() {
    const fault = this.cell && this.model.line(this.#here().key)?.errors[this.#here().column.key];
    this.tip.hidden = !fault;
    if (!fault) return;
    const place = this.cell.getElement().getBoundingClientRect();
    this.tip.textContent = fault;
    this.tip.style.left = `${Math.max(8, Math.min(place.left, innerWidth - this.tip.offsetWidth - 8))}px`;
    this.tip.style.top = `${place.top + scrollY - this.tip.offsetHeight - 4}px`;
  }

  #typed() {
    this.moved = true;
    const { column } = this.#here();
    if (column.type === "picker" && this.input.value.trim()) this.hits.search(this.input, column.pick, this.input.value.trim());
    else if (column.type === "picker") this.hits.close();
  }

  /** Take the input into the model and give the cell back. */
  leave() {
    if (!this.cell) return;
    const { key, column } = this.#here();
    const text = this.input.value;
    const changed = this.moved;
    this.#close();
    if (changed) this.model.set(key, column.key, fromText(column, text));
    this.#catchUp();
  }

  #close() {
    if (!this.cell) return;
    const [cell, column] = [this.cell, this.#here().column];
    const line = this.model.line(this.#here().key);
    this.cell = this.input = null;
    this.hits.close();
    this.tip.hidden = true;
    cell.getElement().classList.remove("tabulator-editing");
    cell.getElement().replaceChildren(document.createTextNode(shown(column, line?.values[column.key])));
  }

  #picked(item) {
    if (!this.cell || !item) return;
    const { key, column } = this.#here();
    this.moved = false;
    this.model.set(key, column.key, item);
    this.#step(1);
  }

  #key(event) {
    if (event.isComposing || event.keyCode === 229) return;
    const command = event.ctrlKey || event.metaKey;
    const handler = command ? COMMANDS[event.key.toLowerCase()] : KEYS[event.key];
    if (handler && handler.call(this, event) !== false) {
      event.preventDefault();
      event.stopPropagation();
    }
  }

  async enter(event) {
    const { column } = this.#here();
    if (event.shiftKey) return this.#step(-1);
    if (column.type === "picker" && this.moved) {
      const asked = this.input;
      const item = await this.hits.chosen();
      if (asked !== this.input) return undefined;
      if (item) return this.#picked(item);
    }
    return this.#step(1);
  }

  vertical(step) {
    if (this.hits.open && this.hits.items.length) return this.hits.move(step);
    const { key, column } = this.#here();
    const at = this.model.lines.findIndex((line) => line.key === key) + step;
    this.leave();
    return this.goTo(this.model.lines[Math.min(Math.max(at, 0), this.model.lines.length - 1)].key, column.key);
  }

  horizontal(step) {
    if (this.moved || this.input.tagName === "SELECT") return false;
    return this.#step(step, true);
  }

  caret() {
    this.moved = true;
    const end = this.input.value.length;
    this.input.setSelectionRange?.(end, end);
  }

  escape() {
    const { key, column } = this.#here();
    this.hits.close();
    this.input.value = this.#editText(column, this.model.line(key)?.values[column.key]);
    this.input.select?.();
    this.moved = false;
  }

  fillDown() {
    const { key, column } = this.#here();
    this.moved = false;
    this.model.fillDown(key, column.key);
    this.#reload();
  }

  undo() {
    if (this.moved) return this.escape();
    return this.model.undo();
  }

  erase() {
    const { key } = this.#here();
    const at = this.model.lines.findIndex((line) => line.key === key);
    this.#close();
    this.model.remove(key);
    if (!this.model.lines.length) this.model.add();
    const line = this.model.lines[Math.min(at, this.model.lines.length - 1)];
    this.settled().then(() => this.goTo(line.key, this.model.editable[0].key));
  }

  submit() {
    this.leave();
    this.actions.submit();
  }

  tab(event) {
    return this.#step(event.shiftKey ? -1 : 1, true, true);
  }

  /** To the next or previous editable cell; Enter passes cells by that say so, and makes a line after the last. */
  #step(step, all = false, leaving = false) {
    const { key, column } = this.#here();
    const columns = this.model.editable.filter((item) => all || item.enter !== false || item.key === column.key);
    const at = columns.findIndex((item) => item.key === column.key) + step;
    this.leave();
    const row = this.model.lines.findIndex((line) => line.key === key);
    if (columns[at]) return this.goTo(key, columns[at].key);
    const next = this.model.lines[row + step];
    if (next) return this.goTo(next.key, columns[step > 0 ? 0 : columns.length - 1].key);
    if (step < 0 || leaving) return leaving ? this.#outside(step) : this.goTo(key, columns[0].key);
    if (this.model.isEmpty(this.model.lines[row]) || this.model.fixed) return this.#outside(1);
    return this.addLine();
  }

  #outside(step) {
    const target = step > 0 ? $("[data-entry-actions] .btn-primary") : $("[data-entry-add]");
    target?.focus();
  }

  addLine() {
    const line = this.model.add();
    if (!line) return toast(t("lines_full", { count: this.model.lineMax }), "bad");
    return this.settled().then(() => this.goTo(line.key, this.model.editable[0].key));
  }

  async goTo(key, columnKey) {
    const row = this.table.getRow(key);
    if (!row) return;
    const node = row.getElement();
    if (!node.isConnected || !node.offsetParent) await this.table.scrollToRow(row, "center", false).catch(() => {});
    const cell = row.getCell(columnKey);
    if (cell) this.#open(cell);
  }

  #paste(event) {
    const text = event.clipboardData?.getData("text/plain") ?? "";
    if (!/[\t\n]/.test(text.trim())) return;
    event.preventDefault();
    const { key, column } = this.#here();
    this.moved = false;
    const block = cells(text).filter((row) => row.some((value) => value.trim()));
    const count = this.model.paste(key, column.key, block);
    toast(t("pasted", { count }));
    if (count < block.length) toast(t("lines_full", { count: this.model.lineMax }), "bad");
  }
}

const KEYS = {
  Enter(event) {
    this.enter(event);
  },
  Tab(event) {
    this.tab(event);
  },
  ArrowDown() {
    if (this.input.tagName === "SELECT") return false;
    return void this.vertical(1);
  },
  ArrowUp() {
    if (this.input.tagName === "SELECT") return false;
    return void this.vertical(-1);
  },
  ArrowLeft() {
    return this.horizontal(-1) === false ? false : undefined;
  },
  ArrowRight() {
    return this.horizontal(1) === false ? false : undefined;
  },
  F2() {
    this.caret();
  },
  Escape() {
    this.escape();
  },
};

const COMMANDS = {
  d() {
    this.fillDown();
  },
  z() {
    this.undo();
  },
  enter() {
    this.submit();
  },
  delete() {
    this.erase();
  },
};

function chooser(column, value) {
  const options = column.type === "bool" ? [["", ""], ["1", "✓"]] : [["", ""], ...(column.options ?? [])];
  const select = el("select", {}, ...options.map(([code, word]) => new Option(word, code, false, String(code) === String(value ?? ""))));
  return select;
}

function same(first, second) {
  return first === second || (isBlank(first) && isBlank(second)) || JSON.stringify(first) === JSON.stringify(second);
}
