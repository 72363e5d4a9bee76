// The page and its panels. A panel is created when it is first shown; the address says which one is shown.

import { ApiError } from "./api.js";
import { connection, showConnection } from "./connection.js";
import { h } from "./dom.js";
import { models } from "./models.js";

const PANELS = ["write", "compare", "judge", "generate", "inside", "sessions", "server"];
const made = new Map();
const select = document.getElementById("model");

const tab = (name) => document.getElementById(`tab-${name}`);
const section = (name) => document.getElementById(name);
const fromAddress = () => PANELS.find((name) => `#${name}` === location.hash) ?? PANELS[0];

function mark(name) {
  for (const other of PANELS) {
    tab(other).setAttribute("aria-selected", String(other === name));
    tab(other).tabIndex = other === name ? 0 : -1;
  }
}

async function show(name) {
  mark(name);
  for (const other of PANELS) section(other).hidden = other !== name;
  tab(name).scrollIntoView({ block: "nearest", inline: "nearest" });
  made.get(document.body.dataset.panel)?.leave?.();
  document.body.dataset.panel = name;
  if (!made.has(name)) {
    const { panel } = await import(`./panels/${name}.js`);
    if (!made.has(name)) made.set(name, panel(section(name)));
  }
  if (document.body.dataset.panel === name) made.get(name).enter?.();
}

// The usual keys of tabs: arrows, Home and End.
function onTabKey(event) {
  const now = PANELS.indexOf(fromAddress());
  const to = { ArrowRight: now + 1, ArrowLeft: now - 1, Home: 0, End: PANELS.length - 1 }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  location.hash = PANELS[(to + PANELS.length) % PANELS.length];
  mark(fromAddress()); // hashchange fires a moment later, and a quick Tab must not find the previous tab
  tab(fromAddress()).focus();
}

async function start() {
  showConnection(document.getElementById("connection"));
  await models.load();
  select.replaceChildren(...models.options());
  select.addEventListener("change", () => models.choose(select.value));
  models.addEventListener("change", () => (select.value = models.current.id));
  connection.addEventListener("back", () => models.load().then(() => select.replaceChildren(...models.options())));
  addEventListener("hashchange", () => show(fromAddress()));
  document.querySelector(".tabs").addEventListener("keydown", onTabKey);
  await show(fromAddress());
}

start().catch((error) => {
  const text = error instanceof ApiError ? error.message : `the page could not start: ${error.message}`;
  document.querySelector("main").prepend(h("p", { className: "error", role: "alert" }, text));
});
