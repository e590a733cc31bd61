// Forms: sent once, empty filters left out, dates by shortcut, notes dismissed.
import { $, $$, on } from "./lib.js";

on("submit", "form[data-once]", (event, form) => {
  if (event.defaultPrevented) return;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "1";
  for (const button of $$("button", form)) button.classList.add("is-busy");
  setTimeout(() => {
    delete form.dataset.sent;
    for (const button of $$("button", form)) button.classList.remove("is-busy");
  }, 8000);
});

on("change", "[data-autosubmit]", (_event, field) => field.form.requestSubmit());
on("click", "[data-dismiss]", (_event, button) => button.closest(".note")?.remove());
on("click", "[data-print]", () => window.print());

document.addEventListener("formdata", (event) => {
  if (event.target.method !== "get") return;
  for (const name of new Set(event.formData.keys())) {
    const values = event.formData.getAll(name).filter((value) => value !== "");
    event.formData.delete(name);
    for (const value of values) event.formData.append(name, value);
  }
});

const iso = (day) => [day.getFullYear(), String(day.getMonth() + 1).padStart(2, "0"), String(day.getDate()).padStart(2, "0")].join("-");

function range(code) {
  const now = new Date();
  const [year, month, day] = [now.getFullYear(), now.getMonth(), now.getDate()];
  const monday = new Date(year, month, day - ((now.getDay() + 6) % 7));
  return {
    today: [now, now],
    week: [monday, new Date(monday.getFullYear(), monday.getMonth(), monday.getDate() + 6)],
    month: [new Date(year, month, 1), new Date(year, month + 1, 0)],
    "last-month": [new Date(year, month - 1, 1), new Date(year, month, 0)],
    year: [new Date(year, 0, 1), new Date(year, 11, 31)],
  }[code];
}

on("click", "[data-range]", (_event, button) => {
  const fields = $$('input[type="date"]', button.closest(".menu-body"));
  range(button.dataset.range).forEach((day, index) => (fields[index].value = iso(day)));
  button.closest("form")?.requestSubmit();
});

on("dragover", "[data-drop]", (event, box) => {
  event.preventDefault();
  box.classList.add("is-over");
});
on("dragleave", "[data-drop]", (_event, box) => box.classList.remove("is-over"));
on("drop", "[data-drop]", (event, box) => {
  event.preventDefault();
  box.classList.remove("is-over");
  const field = $('input[type="file"]', box);
  field.files = event.dataTransfer.files;
  field.dispatchEvent(new Event("change", { bubbles: true }));
});
