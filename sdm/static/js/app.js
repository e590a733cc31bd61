// Entry of every page of the frame.
import { $, $$, setToken, token } from "./lib.js";
import "./dialog.js";
import "./forms.js";
import "./list.js";
import "./menu.js";
import "./pulse.js";
import "./search.js";
import "./tabs.js";
import { attachPickers } from "./pickers.js";
import { askToSignIn } from "./signin.js";
import { toast } from "./toast.js";
import { t } from "./lib.js";

document.addEventListener("htmx:config:request", (event) => {
  event.detail.ctx.request.headers["X-CSRFToken"] = token();
});
document.addEventListener("htmx:response:error", (event) => {
  const status = event.detail.ctx.response?.status;
  if (status === 401) askToSignIn();
  else if (status >= 400 && status !== 422) toast(reasonOf(event.detail.ctx) || t("failed", { reason: status }), "bad");
});

/** What a refused request answers in words, if anything. */
function reasonOf(ctx) {
  try {
    return JSON.parse(ctx.text).detail;
  } catch {
    return "";
  }
}
document.addEventListener("htmx:after:swap", () => refresh());

function refresh() {
  attachPickers(document);
  if ($("[data-chart]:not([data-drawn])")) import("./board.js").then((board) => board.draw(document));
  if ($("[data-progress]")) import("./progress.js").then((progress) => progress.watch(document));
}

window.addEventListener("pageshow", (event) => {
  if (event.persisted) for (const form of $$("form[data-sent]")) delete form.dataset.sent;
});
setToken(token());
refresh();
