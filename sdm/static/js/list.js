// List pages: rows by keyboard, selection and bulk actions, columns, row height, saved views.
import { $, $$, el, isTyping, on, ownAddress, send, t } from "./lib.js";
import { confirmed, report } from "./dialog.js";
import { askToSignIn } from "./signin.js";
import { toast } from "./toast.js";

const region = () => $("#list-region");
const rows = () => $$("tbody tr[data-id]", region() ?? document.createElement("div"));

function open(row) {
  if (row?.dataset.href && ownAddress(row.dataset.href)) location.assign(row.dataset.href);
}

on("click", "tbody tr[data-href]", (event, row) => {
  if (event.target.closest("a, input, button, label, summary") || String(getSelection())) return;
  if (event.ctrlKey || event.metaKey) window.open(row.dataset.href, "_blank", "noopener");
  else open(row);
});

function move(step) {
  const all = rows();
  const now = all.findIndex((row) => row.classList.contains("is-current"));
  const next = all[Math.min(Math.max(now + step, 0), all.length - 1)];
  all[now]?.classList.remove("is-current");
  next?.classList.add("is-current");
  next?.scrollIntoView({ block: "nearest" });
}

document.addEventListener("keydown", (event) => {
  if (!region() || isTyping(event) || event.ctrlKey || event.metaKey || event.altKey || $("dialog[open], details.menu[open]")) return;
  const current = $("tr.is-current", region());
  if (event.key === "j" || event.key === "ArrowDown") move(1);
  else if (event.key === "k" || event.key === "ArrowUp") move(-1);
  else if (event.key === "Enter" && current && !event.target.closest("a, button, summary")) open(current);
  else if (event.key === "x" && current) $('input[name="ids"]', current)?.click();
  else return;
  event.preventDefault();
});

/* selection and bulk actions */
const chosen = () => $$('input[name="ids"]:checked', region());

function showSelection() {
  const bar = $("[data-bulk-bar]", region());
  if (!bar) return;
  for (const row of rows()) row.classList.toggle("is-selected", $('input[name="ids"]', row)?.checked ?? false);
  bar.hidden = chosen().length === 0;
  $("[data-bulk-count]", bar).textContent = t("selected", { count: chosen().length });
}

on("change", 'input[name="ids"]', showSelection);
on("change", "[data-select-all]", (_event, box) => {
  for (const row of $$('input[name="ids"]', region())) row.checked = box.checked;
  showSelection();
});
on("click", "[data-bulk-clear]", () => {
  for (const box of $$('input[type="checkbox"]:checked', region())) if (!box.closest(".menu")) box.checked = false;
  showSelection();
});

on("click", "[data-bulk]", async (_event, button) => {
  const everything = $("[data-bulk-everything]", region())?.checked ?? false;
  const ids = chosen().map((box) => box.value);
  const count = everything ? $("[data-bulk-everything]").parentElement.textContent.trim() : ids.length;
  const question = (button.dataset.consequence || button.textContent.trim()).replace("%(count)s", count);
  if (!(await confirmed(question, button.textContent.trim()))) return;
  const form = new URLSearchParams([["action", button.dataset.bulk], ["everything", everything ? "1" : ""], ...ids.map((id) => ["ids", id])]);
  button.classList.add("is-busy");
  const { url, query } = region().dataset;
  try {
    const answer = await send(`${url}?${query}`, { form, headers: { Accept: "text/html" }, timeout: 300000 });
    if (answer.status === 401) return void (await askToSignIn());
    const text = await answer.text();
    if (answer.ok) await report(text);
    else toast(t("failed", { reason: answer.status }), "bad");
  } catch {
    toast(t("no_line"), "bad");
  } finally {
    button.classList.remove("is-busy");
  }
  reload(query);
});

function reload(query) {
  window.htmx.ajax("GET", `${region().dataset.url}?${query}`, { target: "#list-region", swap: "outerHTML" });
}

/* columns, row height, views */
on("click", "[data-apply-columns]", (_event, button) => {
  const keys = $$("input:checked", button.closest("[data-columns]")).map((box) => box.value);
  const form = $("#list-form");
  form.elements.cols.value = keys.join(",");
  form.requestSubmit();
});

on("click", "button[data-density]", () => {
  const root = document.documentElement;
  const value = root.dataset.density === "close" ? "normal" : "close";
  root.dataset.density = value;
  document.cookie = `sdm_density=${value}; path=/; max-age=31536000; samesite=lax`;
});

on("click", "[data-copy-address]", async () => {
  await navigator.clipboard?.writeText(location.href);
  toast(t("copied"));
});

on("click", "[data-save-view]", (_event, button) => {
  const { query } = region().dataset;
  const name = el("input", { className: "form-control", maxLength: 200, required: true, name: "name" });
  const form = el("form", { method: "dialog" }, el("h2", { textContent: t("view_name") }), name, el("div", { className: "box-actions" }, el("button", { className: "btn btn-primary", textContent: t("confirm") })));
  form.addEventListener("submit", async () => {
    const answer = await send(button.dataset.saveView, { form: new URLSearchParams({ name: name.value, query }) });
    if (answer.ok) reload(query);
    else toast(t("failed", { reason: answer.status }), "bad");
  });
  const box = $("#report-box");
  $("#report-body").replaceChildren(form);
  box.showModal();
  name.focus();
});
