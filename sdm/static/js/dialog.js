// Confirmation that repeats the consequence; used by forms, htmx and bulk actions.
import { $, on, t } from "./lib.js";

/** Ask; resolves to true when confirmed. */
export function confirmed(text, yes = "") {
  const box = $("#confirm-box");
  if (!box) return Promise.resolve(false);
  $("#confirm-text").textContent = text;
  $("#confirm-yes").textContent = yes || t("confirm");
  box.returnValue = "no";
  box.showModal();
  $("#confirm-yes").focus();
  return new Promise((resolve) => {
    box.addEventListener("close", () => resolve(box.returnValue === "yes"), { once: true });
  });
}

/** Show HTML of the server in the report box. */
export function report(html) {
  const body = $("#report-body");
  body.innerHTML = html;
  $("#report-box").showModal();
  return new Promise((resolve) => $("#report-box").addEventListener("close", resolve, { once: true }));
}

on("submit", "form[data-confirm]", async (event, form) => {
  if (form.dataset.confirmed) {
    delete form.dataset.confirmed;
    return;
  }
  event.preventDefault();
  event.stopImmediatePropagation();
  const button = event.submitter;
  if (await confirmed(form.dataset.confirm, form.dataset.confirmYes)) {
    form.dataset.confirmed = "1";
    form.requestSubmit(button instanceof HTMLElement && button.form === form ? button : undefined);
  }
}, true);

document.addEventListener("htmx:confirm", async (event) => {
  event.preventDefault();
  const { ctx, issueRequest, dropRequest } = event.detail;
  if (await confirmed(ctx.confirm)) issueRequest();
  else dropRequest();
});
