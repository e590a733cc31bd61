// Small helpers that every module uses.
const block = document.getElementById("script-texts");
const texts = block ? JSON.parse(block.textContent) : {};

/** A text in the reader's language with its %(name)s placeholders filled in. */
export function t(key, values = {}) {
  return (texts[key] ?? key).replace(/%\((\w+)\)[sd]/g, (_, name) => values[name] ?? "");
}

export const $ = (selector, root = document) => root.querySelector(selector);
export const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

/** An element with properties, data attributes and children; texts are never read as HTML. */
export function el(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name in node && name !== "list" && name !== "role") node[name] = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** Listen on the document for events of elements that match, also those that arrive later. */
export function on(type, selector, handler, options) {
  document.addEventListener(type, (event) => {
    const target = event.target instanceof Element ? event.target.closest(selector) : null;
    if (target) handler(event, target);
  }, options);
}

export function token() {
  return $('meta[name="csrf-token"]')?.content ?? "";
}

export function setToken(value) {
  const meta = $('meta[name="csrf-token"]');
  if (meta && value) meta.content = value;
  for (const field of $$('input[name="csrf_token"]')) field.value = value;
}

/** fetch with form token; JSON bodies are written and the answer is asked for as JSON. */
export function send(url, { method = "POST", json, form, headers = {}, signal, timeout = 30000 } = {}) {
  const all = { Accept: "application/json", "X-CSRFToken": token(), ...headers };
  if (json !== undefined) all["Content-Type"] = "application/json";
  const limit = AbortSignal.timeout(timeout);
  return fetch(url, {
    method,
    headers: all,
    body: json !== undefined ? JSON.stringify(json) : form,
    credentials: "same-origin",
    redirect: "follow",
    signal: signal ? AbortSignal.any([signal, limit]) : limit,
  });
}

/** Only addresses of this site are followed. */
export function ownAddress(url) {
  try {
    return new URL(url, location.href).origin === location.origin;
  } catch {
    return false;
  }
}

export function debounce(action, delay) {
  let timer = 0;
  const later = (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => action(...values), delay);
  };
  later.cancel = () => clearTimeout(timer);
  return later;
}

export function isTyping(event) {
  const node = event.target;
  return node instanceof HTMLElement && (node.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(node.tagName)) && node.type !== "checkbox";
}

/** An icon of the sprite, beside whatever icons the page already shows. */
export function icon(name) {
  const known = $("svg.icon use")?.getAttribute("href") ?? "";
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `${known.split("#")[0]}#${name}`);
  svg.append(use);
  return svg;
}
