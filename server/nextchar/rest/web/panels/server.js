// The Server panel: the models' cards and the server's activity, from `/metrics`.

import { send } from "../api.js";
import { connection } from "../connection.js";
import { errorLine, h } from "../dom.js";
import { Exposition } from "../parts/exposition.js";
import { modelCard } from "../parts/model_card.js";
import { models } from "../models.js";
import { Sparkline } from "../parts/sparkline.js";

const ASK_MS = 2000;
const NUM_POINTS = 60;
const ROUTES = "nextchar_request_duration_seconds";

export function panel(root) {
  return new ServerPanel(root);
}

class ServerPanel {
  #errors = errorLine();
  #figures = new Map();
  #line = new Sparkline("Characters per second over the last two minutes", NUM_POINTS);
  #latency = h("tbody");
  #cards = h("div", { className: "cards" });
  #timer = 0;
  #last = null;

  constructor(root) {
    const names = ["characters per second", "lanes per step", "running requests", "waiting strings", "total characters", "unexpired sessions"];
    const figures = names.map((name) => {
      const value = h("dd", { className: "figure" }, "0");
      this.#figures.set(name, value);
      return h("div", {}, h("dt", {}, name), value);
    });
    root.append(
      h("div", { className: "lead" }, h("div", {}, h("h2", {}, "Models and server activity"),
        h("p", {}, "The figures come from /metrics, every two seconds."))),
      this.#errors.element,
      h("dl", { className: "figures" }, figures), this.#line.element,
      h("table", { className: "latency" }, h("caption", {}, "Response time since the server started: half, 95% and 99% of calls took less"),
        h("thead", {}, h("tr", {}, ["route", "calls", "median", "95%", "99%"].map((name, k) => h("th", { scope: "col", className: k ? "num" : "" }, name)))),
        this.#latency),
      this.#cards);
    models.addEventListener("change", () => this.#drawCards());
    connection.addEventListener("back", () => this.#drawCards());
    this.#drawCards();
  }

  enter() {
    this.#ask();
  }

  leave() {
    clearTimeout(this.#timer);
    this.#last = null;
  }

  async #ask() {
    clearTimeout(this.#timer);
    try {
      const response = await send("GET", "/metrics");
      this.#draw(new Exposition(await response.text()), performance.now());
      this.#errors.clear();
    } catch (error) {
      if (error.name !== "AbortError") this.#errors.show(error);
    }
    if (document.body.dataset.panel === "server") this.#timer = setTimeout(() => this.#ask(), ASK_MS);
  }

  #draw(now, at) {
    const last = this.#last ?? { now, at };
    const since = (name) => now.sum(name) - last.now.sum(name);
    const seconds = (at - last.at) / 1000 || 1;
    const rate = Math.max(0, since("nextchar_chars_total") / seconds);
    const steps = since("nextchar_batch_size_count");
    this.#set("characters per second", rate, 0);
    this.#set("lanes per step", steps > 0 ? since("nextchar_batch_size_sum") / steps : 0, 1);
    this.#set("running requests", now.sum("nextchar_requests_in_progress"), 0);
    this.#set("waiting strings", now.sum("nextchar_queue_depth"), 0);
    this.#set("total characters", now.sum("nextchar_chars_total"), 0);
    this.#set("unexpired sessions", now.sum("nextchar_sessions_active"), 0);
    this.#line.push(rate);
    this.#latency.replaceChildren(...now.values(`${ROUTES}_count`, "route").map((route) => this.#route(now, route)));
    this.#last = { now, at };
  }

  #route(now, route) {
    const quantiles = [0.5, 0.95, 0.99].map((share) => now.quantile(ROUTES, share, { route }));
    return h("tr", {}, h("td", {}, route), h("td", { className: "num" }, now.sum(`${ROUTES}_count`, { route }).toLocaleString("en")),
      quantiles.map((value) => h("td", { className: "num" }, value === null ? "" : `${(1000 * value).toFixed(1)} ms`)));
  }

  #set(name, value, digits) {
    const text = value.toLocaleString("en", { maximumFractionDigits: digits });
    const element = this.#figures.get(name);
    element.textContent = text;
    element.dataset.value = String(value);
  }

  async #drawCards() {
    try {
      const cards = await Promise.all(models.all.map(({ id }) => models.card(id)));
      this.#cards.replaceChildren(...cards.map(modelCard));
    } catch (error) {
      this.#errors.show(error);
    }
  }
}
