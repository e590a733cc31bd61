// The thin line: red when the server, the database or the scheduler is down.
import { $, send, t } from "./lib.js";

const line = $("#pulse");
const CALM = 30000;
const DOWN = 5000;

function show(text) {
  line.hidden = !text;
  line.textContent = text;
}

async function beat() {
  let wait = CALM;
  try {
    const answer = await send(line.dataset.url, { method: "GET", timeout: 8000 });
    const state = await answer.json();
    show(state.ok ? "" : state.faults.join(" · "));
    if (!state.ok) wait = DOWN;
  } catch {
    show(t("no_line"));
    wait = DOWN;
  }
  setTimeout(() => (document.hidden ? document.addEventListener("visibilitychange", beat, { once: true }) : beat()), wait);
}

if (line?.dataset.url) setTimeout(beat, 3000);
window.addEventListener("offline", () => line && show(t("no_line")));
window.addEventListener("online", () => line && show(""));
