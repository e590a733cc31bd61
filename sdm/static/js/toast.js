import { $, el } from "./lib.js";

/** A short message at the edge; it leaves by itself. */
export function toast(text, tone = "") {
  const note = el("div", { className: `toast-note${tone ? ` is-${tone}` : ""}`, textContent: text });
  $("#toasts")?.append(note);
  setTimeout(() => note.remove(), tone === "bad" ? 9000 : 4000);
}
