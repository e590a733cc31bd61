// Entry grid: puts model, view, server and keys of a page with lines together.
import { $, $$, el, t } from "./lib.js";
import { Model } from "./grid/model.js";
import { Head } from "./grid/head.js";
import { Sync, newId } from "./grid/sync.js";
import { confirmed } from "./dialog.js";
import { toast } from "./toast.js";

const root = $("[data-entry]");
const NARROW = "(max-width: 640px)";

async function start() {
  const config = JSON.parse($("[data-entry-config]", root).textContent);
  const asked = new URLSearchParams(location.search).get("draft");
  const id = config.id || asked || newId();
  const model = new Model(config);
  const head = new Head($("#entry-head"));
  const sync = new Sync({ config, id, model, head, show: status });
  const { makeView } = await import(matchMedia(NARROW).matches ? "./grid/forms.js" : "./grid/table.js");
  const view = await makeView($("[data-entry-table]", root), model, config, { submit: () => submit(primary(config)) });
  wire({ config, model, head, sync, view });
  if (asked && !config.id) await restore(sync, model, head);
  if (!config.id && !asked) keepAddress(id);
  if (!config.fixed && !model.lines.length) model.add();
  await view.settled();
  view.refresh();
  if (model.payload().length || head.hasValues()) sync.quoteSoon();
  root.dataset.ready = "1";

  function primary() {
    return actionsOf(config).find((action) => action.primary) ?? actionsOf(config)[0];
  }

  async function submit(action) {
    view.leave();
    if (root.dataset.sending) return;
    const faults = model.faults();
    if (faults.length) {
      toast(t("error_lines", { count: faults.length }), "bad");
      return view.goTo(faults[0].key, faults[0].column);
    }
    if (action.confirm && !(await confirmed(action.confirm, action.label))) return;
    await sync.submit(action.key, { lock, done: (url) => location.assign(url), refused: (problem) => refuse(problem, view, model, head) });
  }

  function wire() {
    model.addEventListener("change", () => sync.changed());
    head.addEventListener("change", () => sync.changed());
    sync.addEventListener("answer", (event) => answer(event.detail));
    $("[data-entry-add]", root)?.addEventListener("click", () => view.addLine());
    if (config.fixed) $("[data-entry-add]", root).hidden = true;
    $("[data-entry-scan]", root)?.addEventListener("keydown", (event) => scan(event, model, config));
    drawActions(config, submit);
    const asks = (event) => event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.defaultPrevented && !$("dialog[open]");
    const take = (event) => {
      event.preventDefault();
      event.stopPropagation();
      submit(primary());
    };
    document.addEventListener("keydown", (event) => asks(event) && take(event));
    // A picker would take the key for its list of hits.
    root.addEventListener("keydown", (event) => asks(event) && event.target.closest(".ts-wrapper") && take(event), true);
  }

  function answer(data) {
    view.refresh();
    head.showErrors(data.head_errors ?? {});
    head.fill(data.head ?? {});
    drawFacts(data.facts ?? []);
    drawHolds(data.holds ?? []);
    note(data.note ?? "", "warn");
  }
}

function actionsOf(config) {
  return config.actions?.length ? config.actions : [{ key: "submit", label: t("confirm"), primary: true }];
}

function drawActions(config, submit) {
  const box = $("[data-entry-actions]", root);
  if (config.urls.leave) box.append(el("a", { className: "btn", href: config.urls.leave, textContent: t("close") }));
  for (const action of actionsOf(config)) {
    const button = el("button", { type: "button", className: `btn${action.primary ? " btn-primary" : ""}`, textContent: action.label, "data-action": action.key });
    button.addEventListener("click", () => submit(action));
    box.append(button);
  }
}

function lock(busy) {
  if (busy) root.dataset.sending = "1";
  else delete root.dataset.sending;
  for (const button of $$("[data-entry-actions] button", root)) button.classList.toggle("is-busy", busy);
  root.inert = false;
  $("[data-entry-table]", root).inert = busy;
}

function refuse(problem, view, model, head) {
  const faults = problem.errors ?? [];
  const headErrors = {};
  for (const fault of faults) {
    const [, area, place, column] = (fault.pointer ?? "").split("/");
    if (area === "lines") model.fault(Number(place), column, fault.detail);
    else if (area === "head") headErrors[place] = fault.detail;
  }
  head.showErrors(headErrors);
  view.refresh();
  note(problem.detail || problem.title || t("failed", { reason: problem.status ?? "" }), "bad");
  const first = model.faults()[0];
  if (first) view.goTo(first.key, first.column);
}

function note(text, tone) {
  const place = $("[data-entry-note]", root);
  place.replaceChildren();
  if (text) place.append(el("div", { className: `note note-${tone}`, role: "alert" }, el("div", { textContent: text })));
}

function drawFacts(facts) {
  const list = $("[data-entry-facts]", root);
  list.replaceChildren(...facts.map((fact) => el("div", { className: fact.tone ? `tone-${fact.tone}` : "" }, el("dt", { textContent: fact.label }), el("dd", { textContent: fact.value }))));
}

function drawHolds(holds) {
  $("[data-entry-holds]", root).replaceChildren(...holds.map((text) => el("li", { textContent: text })));
}

function status(text, waiting) {
  const place = $("[data-entry-saved]", root);
  place.textContent = text;
  place.classList.toggle("is-waiting", Boolean(waiting));
}

function scan(event, model, config) {
  if (event.key !== "Enter" || event.isComposing || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  const code = event.target.value.trim();
  event.target.value = "";
  if (!code) return;
  if (!model.scan(code, config)) return toast(t("lines_full", { count: model.lineMax }), "bad");
  toast(t("scan_added", { code }));
}

function keepAddress(id) {
  const url = new URL(location.href);
  url.searchParams.set("draft", id);
  history.replaceState(history.state, "", url);
}

async function restore(sync, model, head) {
  const draft = await sync.load();
  if (!draft) return;
  model.restore(draft.content.lines ?? []);
  head.restore(draft.content.head ?? {});
  toast(t("draft_restored", { time: new Date(draft.saved_at).toLocaleString() }));
}

if (root) start();
