// The lines of a document as typed and as the server answered; knows nothing of screens.
import { t } from "../lib.js";

const NUMERIC = new Set(["quantity", "amount", "price", "percent", "integer"]);
const RESET_BY_PICKER = new Set(["price", "amount", "percent"]);
const NUMBER = /^[+-]?(\d+(\.\d*)?|\.\d+)$/;
const UNDO_STEPS = 50;
const DATE = /^\d{4}-\d{2}-\d{2}$/;

/** Text as typed or pasted: full-width signs narrowed, thousands separators out of figures. */
export function clean(column, text) {
  const plain = String(text ?? "").normalize("NFKC").replace(/[\u0000-\u001f\u200b\ufeff]/g, " ").trim();
  if (column.type === "date") return plain.replace(/[/.年月]/g, "-").replace(/日$/, "").replace(/-(\d)(?=-|$)/g, "-0$1");
  return NUMERIC.has(column.type) ? plain.replace(/[,\s¥￥]/g, "") : plain;
}

export function isNumeric(column) {
  return NUMERIC.has(column.type);
}

export function isBlank(value) {
  return value === undefined || value === null || value === "" || (typeof value === "object" && !value.id && !value.text);
}

/** A value as the cell shows it. */
export function shown(column, value) {
  if (isBlank(value)) return "";
  if (column.type === "picker") return value.id ? [value.code, value.label].filter(Boolean).join("  ") : value.text;
  if (column.type === "choice") return (column.options ?? []).find(([code]) => String(code) === String(value))?.[1] ?? value;
  if (column.type === "bool") return value === "1" || value === true ? "✓" : "";
  if (!isNumeric(column) || !NUMBER.test(value)) return String(value);
  const [whole, part] = String(value).split(".");
  const grouped = whole.replace(/\B(?=(\d{3})+(?!\d))/g, ",");
  const rest = column.type === "quantity" ? (part ?? "").replace(/0+$/, "") : part;
  return rest ? `${grouped}.${rest}` : grouped;
}

export class Model extends EventTarget {
  constructor(config) {
    super();
    this.columns = config.columns;
    this.editable = config.columns.filter((column) => column.edit);
    this.fixed = Boolean(config.fixed);
    this.lineMax = config.line_max ?? 1000;
    this.serial = 0;
    this.past = [];
    this.scanned = new Map();
    this.lines = (config.lines ?? []).map((values) => this.#line(values, values.key));
  }

  column(key) {
    return this.columns.find((column) => column.key === key);
  }

  line(key) {
    return this.lines.find((line) => line.key === key);
  }

  #line(values = {}, key = undefined) {
    this.serial += 1;
    const line = { key: key ? String(key) : `n${this.serial}`, values: {}, typed: new Set(), errors: {}, warnings: {}, revision: 0 };
    for (const column of this.columns) {
      const value = values[column.key] ?? column.default;
      if (value === undefined || value === null) continue;
      line.values[column.key] = column.type === "picker" || column.type === "bool" ? value : String(value);
      if (column.edit) line.typed.add(column.key);
    }
    return line;
  }

  #remember() {
    this.past.push(this.lines.map((line) => ({ ...line, values: { ...line.values }, typed: new Set(line.typed), errors: { ...line.errors }, warnings: { ...line.warnings } })));
    if (this.past.length > UNDO_STEPS) this.past.shift();
  }

  #tell(type, detail = {}) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  /** Take back the last change of the person. */
  undo() {
    const before = this.past.pop();
    if (!before) return;
    for (const line of before) line.revision = (this.line(line.key)?.revision ?? line.revision) + 1;
    this.lines = before;
    this.#tell("lines");
    this.#tell("change");
  }

  add(values = {}, at = this.lines.length) {
    if (this.fixed || this.lines.length >= this.lineMax) return null;
    const line = this.#line(values);
    this.lines.splice(at, 0, line);
    this.#tell("lines");
    return line;
  }

  remove(key) {
    if (this.fixed) return;
    this.#remember();
    this.lines = this.lines.filter((line) => line.key !== key);
    this.#tell("lines");
    this.#tell("change");
  }

  /** One cell, by hand. Gives true when it changed. */
  set(key, columnKey, value) {
    const line = this.line(key);
    if (!line || same(line.values[columnKey], value)) return false;
    this.#remember();
    this.#put(line, this.column(columnKey), value);
    this.#tell("cells", { keys: [key] });
    this.#tell("change");
    return true;
  }

  #put(line, column, value) {
    line.values[column.key] = value;
    line.revision += 1;
    if (isBlank(value)) line.typed.delete(column.key);
    else line.typed.add(column.key);
    if (column.type === "picker") for (const other of this.columns) if (RESET_BY_PICKER.has(other.type)) line.typed.delete(other.key);
    this.#check(line, column);
  }

  /** What can be said without the server; it has the last word with its next answer. */
  #check(line, column) {
    delete line.errors[column.key];
    const value = line.values[column.key];
    if (isBlank(value)) return;
    if (isNumeric(column) && !NUMBER.test(value)) line.errors[column.key] = t("invalid_number");
    if (column.type === "date" && !DATE.test(value)) line.errors[column.key] = t("invalid_date");
  }

  /** A block of texts at a cell: fills editable columns to the right, adds lines below. Gives the number of lines. */
  paste(key, columnKey, block) {
    this.#remember();
    const first = this.editable.findIndex((column) => column.key === columnKey);
    const columns = this.editable.slice(Math.max(first, 0));
    let at = Math.max(this.lines.findIndex((line) => line.key === key), 0);
    let count = 0;
    for (const texts of block) {
      if (at >= this.lines.length) {
        if (this.fixed || this.lines.length >= this.lineMax) break;
        this.lines.push(this.#line());
      }
      texts.slice(0, columns.length).forEach((text, index) => this.#put(this.lines[at], columns[index], fromText(columns[index], text)));
      at += 1;
      count += 1;
    }
    this.#tell("lines");
    this.#tell("change");
    return count;
  }

  fillDown(key, columnKey) {
    const at = this.lines.findIndex((line) => line.key === key);
    return at > 0 && this.set(key, columnKey, this.lines[at - 1].values[columnKey]);
  }

  /** A scanned code raises its line or makes a new one. False when no line fits any more. */
  scan(code, config) {
    const target = this.column(config.scan) ?? this.editable.find((column) => column.type === "picker");
    const quantity = config.quantity ?? "qty";
    const known = this.line(this.scanned.get(code)) ?? this.lines.find((line) => matches(line.values[target.key], code));
    if (known) {
      const now = Number(known.values[quantity]);
      return this.set(known.key, quantity, String((Number.isFinite(now) ? now : 0) + 1));
    }
    if (this.fixed) return false;
    this.#remember();
    const free = this.lines.find((line) => this.isEmpty(line)) ?? this.add();
    if (!free) return false;
    this.scanned.set(code, free.key);
    this.#put(free, target, { text: code });
    this.#put(free, this.column(quantity), "1");
    this.#tell("lines");
    this.#tell("change");
    return true;
  }

  isEmpty(line) {
    return this.editable.every((column) => isBlank(line.values[column.key]) || line.values[column.key] === column.default || !line.typed.has(column.key));
  }

  /** What the server gets: lines with anything in them, of each only what the person entered. */
  payload() {
    const full = this.fixed ? this.lines : this.lines.filter((line) => !this.isEmpty(line));
    return full.map((line) => {
      const result = { key: line.key };
      for (const column of this.columns) if (line.typed.has(column.key)) result[column.key] = line.values[column.key];
      return result;
    });
  }

  restore(lines) {
    this.lines = lines.map((values) => this.#line(values, values.key));
    this.serial += lines.length + 1000;
    this.#tell("lines");
  }

  /** The server's answer; lines changed since the question was sent keep what was typed. */
  apply(answer, revisions) {
    for (const line of this.lines) {
      const news = answer.lines?.[line.key];
      if (!news || revisions.get(line.key) !== line.revision) continue;
      Object.assign(line.values, plainValues(news.values));
      line.errors = { ...news.errors };
      line.warnings = { ...news.warnings };
    }
  }

  revisions() {
    return new Map(this.lines.map((line) => [line.key, line.revision]));
  }

  /** An error of a sent line, by its place among the sent lines. */
  fault(place, columnKey, text) {
    const key = this.payload()[place]?.key;
    const line = this.line(key);
    if (line) line.errors[this.column(columnKey) ? columnKey : this.editable[0].key] = text;
  }

  /** Cells with an error, and required cells that are blank, in reading order. */
  faults() {
    const found = [];
    for (const line of this.lines) {
      if (this.isEmpty(line) && !this.fixed) continue;
      for (const column of this.editable) {
        if (column.required && isBlank(line.values[column.key])) line.errors[column.key] = t("required");
        if (line.errors[column.key]) found.push({ key: line.key, column: column.key });
      }
    }
    return found;
  }
}

function plainValues(values = {}) {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, value !== null && typeof value !== "object" && typeof value !== "boolean" ? String(value) : value]));
}

function same(first, second) {
  return first === second || (isBlank(first) && isBlank(second)) || JSON.stringify(first) === JSON.stringify(second);
}

function matches(value, code) {
  return Boolean(value) && (value.text === code || value.code === code || value.barcode === code || value.hint === code);
}

/** The value a text means in a column. */
export function fromText(column, text) {
  const plain = clean(column, text);
  if (column.type === "picker") return plain ? { text: plain } : null;
  if (column.type === "bool") return ["1", "y", "yes", "true", "是", "✓"].includes(plain.toLowerCase()) ? "1" : "";
  if (column.type === "choice") return (column.options ?? []).find(([code, word]) => String(code) === plain || word === plain)?.[0] ?? plain;
  return plain;
}

/** Text of the clipboard as rows of cells; quoted cells may hold line ends, as Excel writes them. */
export function cells(text) {
  const rows = [[""]];
  let quoted = false;
  const source = text.replace(/\r\n?/g, "\n").replace(/\n$/, "");
  for (let at = 0; at < source.length; at += 1) {
    const sign = source[at];
    const row = rows[rows.length - 1];
    if (quoted) {
      if (sign === '"' && source[at + 1] === '"') at += 1;
      else if (sign === '"') {
        quoted = false;
        continue;
      }
      row[row.length - 1] += sign;
    } else if (sign === '"' && row[row.length - 1] === "") quoted = true;
    else if (sign === "\t") row.push("");
    else if (sign === "\n") rows.push([""]);
    else row[row.length - 1] += sign;
  }
  return rows;
}
