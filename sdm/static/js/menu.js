// Menus (<details class="menu">) and the navigation on small screens.
import { $, $$, on } from "./lib.js";

function closeOthers(kept) {
  for (const menu of $$("details.menu[open]")) if (!menu.contains(kept)) menu.open = false;
}

document.addEventListener("click", (event) => {
  if (!event.target.closest?.(".ts-dropdown")) closeOthers(event.target);
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const open = $("details.menu[open]");
  if (open) {
    open.open = false;
    $("summary", open)?.focus();
    event.stopPropagation();
  }
  showNavigation(false);
});
document.addEventListener("toggle", (event) => {
  const menu = event.target;
  if (menu instanceof HTMLDetailsElement && menu.matches("details.menu[open]")) {
    const body = $(".menu-body", menu);
    keepInside(body);
    $('input:not([type="hidden"]):not([type="checkbox"]):not([type="radio"]), .ts-control input', body)?.focus();
  }
}, true);

/** A menu that would leave the window is moved back inside. */
function keepInside(body) {
  if (!body) return;
  body.style.marginLeft = "";
  const box = body.getBoundingClientRect();
  if (box.right > innerWidth - 8) body.style.marginLeft = `${Math.floor(innerWidth - 8 - box.right)}px`;
  else if (box.left < 8) body.style.marginLeft = `${Math.ceil(8 - box.left)}px`;
}

function showNavigation(shown) {
  document.body.classList.toggle("nav-open", shown);
  $("[data-nav-open]")?.setAttribute("aria-expanded", String(shown));
  const shade = $("[data-nav-close]");
  if (shade) shade.hidden = !shown;
}

on("click", "[data-nav-open]", () => showNavigation(!document.body.classList.contains("nav-open")));
on("click", "[data-nav-close]", () => showNavigation(false));
