// "Sign in again" in place, so that nothing typed is lost when a session ends.
import { $, send, setToken, t } from "./lib.js";

let waiting = null;

export function refreshToken() {
  const address = $("#sign-in-box")?.dataset.csrfUrl;
  if (!address) return Promise.resolve();
  return send(address, { method: "GET" }).then((answer) => answer.json()).then((data) => setToken(data.csrf_token));
}

/** Show the dialog; resolves when the person is signed in again. Many callers share one dialog. */
export function askToSignIn() {
  const box = $("#sign-in-box");
  if (!box?.dataset.url) {
    location.reload();
    return new Promise(() => {});
  }
  waiting ??= new Promise((resolve) => {
    const form = $("#sign-in-form");
    const submit = async (event) => {
      event.preventDefault();
      if (!(await attempt(box.dataset.url, form))) return;
      form.removeEventListener("submit", submit);
      form.reset();
      box.close();
      waiting = null;
      resolve();
    };
    form.addEventListener("submit", submit);
    box.addEventListener("cancel", (event) => event.preventDefault());
    if (!box.open) box.showModal();
    $("#again-name").focus();
  });
  return waiting;
}

async function attempt(address, form) {
  const fault = $("#sign-in-error");
  fault.hidden = true;
  try {
    await refreshToken();
    const answer = await send(address, { form: new URLSearchParams(new FormData(form)) });
    if (answer.ok && (answer.headers.get("Content-Type") ?? "").includes("json")) {
      await refreshToken();
      return true;
    }
    const data = await answer.json().catch(() => ({}));
    fault.textContent = data.detail || data.title || t("sign_in_failed");
  } catch {
    fault.textContent = t("no_line");
  }
  fault.hidden = false;
  return false;
}
