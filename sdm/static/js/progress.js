// Progress of long work: asks its address until it is done.
import { $, $$, ownAddress, send, t } from "./lib.js";

async function ask(box) {
  let state = {};
  try {
    const answer = await send(box.dataset.progress, { method: "GET" });
    state = answer.ok ? await answer.json() : {};
  } catch {
    state = { text: t("no_line") };
  }
  if (state.location && ownAddress(state.location)) return location.assign(state.location);
  const bar = $("progress", box);
  if (state.total) {
    bar.max = state.total;
    bar.value = state.done ?? 0;
  }
  if (state.text) $("[data-progress-text]", box).textContent = state.text;
  $("[data-progress-rest]", box).textContent = state.remaining ?? "";
  if (box.isConnected) setTimeout(() => ask(box), 1000);
}

export function watch(root) {
  for (const box of $$("[data-progress]:not([data-watched])", root)) {
    box.dataset.watched = "1";
    ask(box);
  }
}
