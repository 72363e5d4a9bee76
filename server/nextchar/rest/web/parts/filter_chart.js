// A distribution before and after the filters, with a pair of bars per character.

import { filtered } from "./filters.js";
import { h } from "../dom.js";
import { percent, shown } from "../symbols.js";

const NUM_CHARS = 24;

export class FilterChart {
  #columns = Array.from({ length: NUM_CHARS }, () => {
    const before = h("span", { className: "before" });
    const after = h("span", { className: "after" });
    const label = h("span", { className: "label" });
    return { before, after, label, element: h("div", {}, h("div", { className: "pair" }, before, after), label) };
  });
  #caption = h("figcaption", { className: "note figure" });
  #chart = h("div", { className: "chart", role: "img" }, this.#columns.map(({ element }) => element));
  element = h("figure", { className: "filters" }, this.#chart, this.#caption);

  draw(data, knobs) {
    const after = filtered(data, knobs);
    const most = Math.max(...data.map(({ probability }) => probability), ...after);
    this.#columns.forEach((column, k) => {
      const item = data[k];
      column.label.textContent = item ? shown(item.char, item.special).glyph.slice(0, 2) : "";
      column.before.style.transform = `scaleY(${item ? item.probability / most : 0})`;
      column.after.style.transform = `scaleY(${item ? after[k] / most : 0})`;
      column.element.title = item ? `${shown(item.char, item.special).name}: ${percent(item.probability)} before, ${percent(after[k])} after` : "";
      column.element.classList.toggle("gone", Boolean(item) && after[k] === 0);
    });
    const kept = after.filter((probability) => probability > 0).length;
    this.#caption.textContent = `First character: ${kept} of ${data.length} can be sampled. Outline: ${whose(data)}; filled: after the filters.`;
    this.#chart.setAttribute("aria-label", data.slice(0, 5).map((item, k) => `${shown(item.char, item.special).name} ${percent(item.probability)} before, ${percent(after[k])} after`).join("; "));
  }
}

const whose = ([first]) => (first.model_logprob === undefined ? "the model's distribution" : "the distribution after learning the prompt");
