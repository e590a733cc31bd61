// Charts: Plotly is loaded only where a chart is; figures come finished from the server.
import { $$, el, ownAddress } from "./lib.js";

const base = new URL("../vendor/", import.meta.url);
const chinese = document.documentElement.lang.startsWith("zh");
const css = getComputedStyle(document.documentElement);
const colour = (name) => css.getPropertyValue(name).trim();
let library = null;

function script(name) {
  return new Promise((resolve, reject) => {
    const node = el("script", { src: new URL(name, base).href });
    node.addEventListener("load", resolve);
    node.addEventListener("error", reject);
    document.head.append(node);
  });
}

function load() {
  library ??= (async () => {
    // Tells Plotly that its few rules are in our style sheet, as the security policy wants it.
    document.head.append(el("meta", { id: "plotly.js-style-global", className: "no-inline-styles" }));
    await script("plotly-basic.min.js");
    if (chinese) await script("plotly-zh-cn.js");
    return window.Plotly;
  })();
  return library;
}

const LABELS = new Set(["x", "y", "text", "labels", "name", "parents", "hovertext"]);

/** Names in a figure are shown as they are: Plotly would read < as markup. */
function plain(value) {
  if (typeof value === "string") return value.replace(/&/g, "&amp;").replace(/</g, "&lt;");
  return Array.isArray(value) ? value.map(plain) : value;
}

const traces = (data) => data.map((trace) => Object.fromEntries(Object.entries(trace).map(([key, value]) => [key, LABELS.has(key) ? plain(value) : value])));

const AXIS = () => ({ gridcolor: colour("--line"), linecolor: colour("--line-2"), zerolinecolor: colour("--line-2"), automargin: true, fixedrange: true });

function layout(given, small) {
  const common = {
    font: { family: getComputedStyle(document.body).fontFamily, size: 13, color: colour("--ink-2") },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    colorway: [colour("--accent"), "#7a8ba6", "#2f8f83", "#b7791f", "#7a5ea8", "#4a90c2"],
    margin: small ? { l: 2, r: 2, t: 2, b: 2 } : { l: 48, r: 16, t: 24, b: 36 },
    showlegend: small ? false : given.showlegend,
    legend: { orientation: "h", y: 1.12, x: 0 },
    hovermode: "closest",
    separators: ".,",
  };
  const hidden = small ? { visible: false, fixedrange: true } : {};
  return { ...common, ...given, template: undefined, xaxis: { ...AXIS(), ...given.xaxis, ...hidden }, yaxis: { ...AXIS(), ...given.yaxis, ...hidden } };
}

export async function draw(root) {
  const places = $$("[data-chart]:not([data-drawn])", root);
  for (const place of places) place.dataset.drawn = "1";
  if (!places.length) return;
  const Plotly = await load();
  for (const place of places) {
    const figure = JSON.parse(document.getElementById(place.dataset.chart).textContent);
    const small = "chartSmall" in place.dataset;
    const config = { displayModeBar: false, responsive: true, staticPlot: small, locale: chinese ? "zh-CN" : "en" };
    await Plotly.newPlot(place, traces(figure.data ?? []), layout(figure.layout ?? {}, small), config);
    if (!small) place.on("plotly_click", (event) => follow(event.points?.[0]?.customdata));
  }
}

function follow(data) {
  const address = Array.isArray(data) ? data[0] : data;
  if (typeof address === "string" && address.startsWith("/") && ownAddress(address)) location.assign(address);
}
