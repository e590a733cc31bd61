// The line to the server: quotes while typing, drafts, and submitting exactly once.
import { send, t } from "../lib.js";
import { askToSignIn } from "../signin.js";

const QUOTE_PAUSE = 150;
const DRAFT_PAUSE = 1000;
const RETRY_FIRST = 1000;
const RETRY_MAX = 15000;
const NOTHING = "00000000-0000-0000-0000-000000000000";
const AWAY = new Set([429, 500, 502, 503, 504]);

/** A random UUID, also where the page is not served over https. */
export function newId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const clock = (time = new Date()) => time.toLocaleTimeString("en-GB");

export class Sync extends EventTarget {
  constructor({ config, id, model, head, show }) {
    super();
    Object.assign(this, { config, id, model, head, show, seq: 0, quoting: false, stale: false, saving: false, unsaved: false, closed: false });
    this.draftUrl = config.urls.draft?.replace(NOTHING, id);
    window.addEventListener("pagehide", () => this.#lastWord());
    window.addEventListener("online", () => this.unsaved && this.#save());
  }

  content() {
    return { head: this.head.values(), lines: this.model.payload() };
  }

  /** The person changed something: ask for figures and keep the draft. */
  changed() {
    this.quoteSoon();
    this.unsaved = true;
    clearTimeout(this.saveTimer);
    this.saveTimer = setTimeout(() => this.#save(), DRAFT_PAUSE);
  }

  quoteSoon() {
    clearTimeout(this.quoteTimer);
    this.quoteTimer = setTimeout(() => this.#quote(), QUOTE_PAUSE);
  }

  async #quote() {
    if (!this.config.urls.quote || this.closed) return;
    if (this.quoting) {
      this.stale = true;
      return;
    }
    this.quoting = true;
    this.stale = false;
    this.seq += 1;
    const revisions = this.model.revisions();
    try {
      const answer = await send(this.config.urls.quote, { json: { document_id: this.id, seq: this.seq, ...this.content() } });
      if (answer.status === 401) await askToSignIn().then(() => (this.stale = true));
      else if (answer.ok) this.#answered(await answer.json(), revisions);
      else if (answer.status === 422) this.#answered({ note: (await answer.json().catch(() => ({}))).detail }, revisions);
    } catch {
      setTimeout(() => this.quoteSoon(), RETRY_MAX / 3);
    }
    this.quoting = false;
    if (this.stale) this.quoteSoon();
  }

  #answered(data, revisions) {
    if (data.seq !== undefined && data.seq < this.seq) return;
    this.model.apply(data, revisions);
    this.dispatchEvent(new CustomEvent("answer", { detail: data }));
  }

  async #save() {
    if (!this.draftUrl || this.saving || this.closed || !this.unsaved) return;
    this.saving = true;
    this.unsaved = false;
    try {
      const answer = await send(this.draftUrl, { method: "PUT", json: { kind: this.config.kind, ...this.content() }, timeout: 10000 });
      if (answer.status === 401) {
        this.unsaved = true;
        await askToSignIn();
      } else if (!answer.ok) throw new Error(String(answer.status));
      else this.show(t("saved_at", { time: clock() }), false);
    } catch {
      this.unsaved = true;
      this.show(t("retrying"), true);
      setTimeout(() => this.#save(), 3000);
    }
    this.saving = false;
    if (this.unsaved) this.saveTimer = setTimeout(() => this.#save(), DRAFT_PAUSE);
  }

  /** The page is being left: what is not saved yet goes out without waiting for an answer. */
  #lastWord() {
    if (!this.unsaved || !this.draftUrl || this.closed) return;
    const token = document.querySelector('meta[name="csrf-token"]')?.content ?? "";
    const body = JSON.stringify({ kind: this.config.kind, ...this.content() });
    fetch(this.draftUrl, { method: "PUT", body, keepalive: body.length < 60000, credentials: "same-origin", headers: { "Content-Type": "application/json", "X-CSRFToken": token } }).catch(() => {});
  }

  /** The saved draft, or null. */
  async load() {
    if (!this.draftUrl) return null;
    const answer = await send(this.draftUrl, { method: "GET" }).catch(() => null);
    if (!answer?.ok || answer.status === 204) return null;
    const data = await answer.json();
    if (data.content) this.show(t("saved_at", { time: clock(new Date(data.saved_at)) }), false);
    return data.content ? data : null;
  }

  /** Send the document until it is answered; the key makes the server keep it once. */
  async submit(action, { lock, done, refused }) {
    lock(true);
    clearTimeout(this.saveTimer);
    clearTimeout(this.quoteTimer);
    const json = { document_id: this.id, action, ...this.content() };
    for (let wait = RETRY_FIRST; ; wait = Math.min(wait * 2, RETRY_MAX)) {
      this.show(t("sending"), false);
      const answer = await send(this.config.urls.submit, { json, headers: { "Idempotency-Key": this.id }, timeout: 60000 }).catch(() => null);
      if (answer?.status === 401) {
        await askToSignIn();
        wait = RETRY_FIRST / 2;
        continue;
      }
      const again = !answer || AWAY.has(answer.status) || (answer.status === 409 && answer.headers.get("Retry-After"));
      if (!again) return this.#settled(answer, { lock, done, refused });
      this.show(t("retrying"), true);
      await pause(wait);
    }
  }

  async #settled(answer, { lock, done, refused }) {
    const data = await answer.json().catch(() => ({}));
    if (answer.ok && data.location) {
      this.closed = true;
      return done(data.location);
    }
    lock(false);
    this.show(t("failed", { reason: data.title ?? answer.status }), true);
    refused({ status: answer.status, ...data });
  }
}
