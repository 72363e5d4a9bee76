// The distribution of the next character: the likeliest in large type, twelve bars, and one bar for the rest.

import { h } from "../dom.js";
import { percent, shown } from "../symbols.js";

const NUM_BARS = 12;

export class Bars extends EventTarget {
  #glyph = h("span", { className: "glyph" });
  #odds = h("div", { className: "odds" });
  #rows = Array.from({ length: NUM_BARS }, () => this.#row("button"));
  #rest = this.#row("div");
  #summary = h("p", { className: "note figure" });
  element = h("section", { className: "next", "aria-label": "Distribution of the next character" },
    h("div", { className: "specimen", "aria-hidden": "true" }, this.#glyph, this.#odds),
    h("ol", { className: "bars" }, [...this.#rows, this.#rest].map(({ row }) => h("li", {}, row))),
    this.#summary);

  // Draws the distribution after a text: data in falling order of probability, entropy_bits, and how many
  // characters the call read in how many ms.
  draw({ text, data, entropy_bits: entropy, ms, count }) {
    const [first] = data;
    const { glyph } = shown(first.char, first.special);
    this.#glyph.textContent = glyph;
    this.#glyph.classList.toggle("long", glyph.length > 2);
    this.#odds.replaceChildren(h("b", {}, percent(first.probability)), `${entropy.toFixed(2)} bits`, h("br"), "of entropy");
    const most = Math.max(first.probability, 0.001);
    this.#rows.forEach((row, k) => this.#set(row, data[k], most));
    const others = data.slice(NUM_BARS).reduce((sum, { probability }) => sum + probability, 0);
    this.#setRest(others, data.length - NUM_BARS, most);
    const what = count > 1 ? `Reading ${count} characters` : count ? "Reading that character" : "This distribution";
    this.#summary.textContent = `${what} took ${ms.toFixed(0)} ms.`;
    const detail = { text, data: data.slice(0, NUM_BARS), rest: others, entropy, at: performance.now() };
    this.element.dispatchEvent(new CustomEvent("drawn", { detail, bubbles: true }));
  }

  #row(tag) {
    const symbol = h("span", { className: "symbol", "aria-hidden": "true" });
    const fill = h("span", { className: "fill" });
    const share = h("span", { className: "share", "aria-hidden": "true" });
    const row = h(tag, { className: tag === "div" ? "bar rest" : "bar", type: "button" },
      symbol, h("span", { className: "track" }, fill), share);
    const made = { row, symbol, fill, share, item: null };
    if (tag === "button") row.addEventListener("click", () => this.#pick(made.item));
    return made;
  }

  #set(made, item, most) {
    made.row.disabled = !item;
    made.item = item;
    if (!item) return this.#fill(made, "", 0, most, "");
    const { glyph, name } = shown(item.char, item.special);
    return this.#fill(made, glyph, item.probability, most, `${name}, ${percent(item.probability)}`);
  }

  #setRest(probability, count, most) {
    const name = `the other ${Math.max(0, count)}, ${percent(probability)} together`;
    this.#fill(this.#rest, "rest", probability, most, name);
    this.#rest.symbol.classList.add("long");
  }

  #fill({ row, symbol, fill, share }, glyph, probability, most, name) {
    if (symbol.textContent !== glyph) {
      symbol.textContent = glyph;
      symbol.classList.toggle("long", glyph.length > 2);
    }
    fill.style.transform = `scaleX(${Math.min(1, probability / most).toFixed(4)})`;
    share.textContent = glyph ? percent(probability) : "";
    row.setAttribute(row.tagName === "BUTTON" ? "aria-label" : "title", name);
  }

  #pick(item) {
    if (item?.char && !item.char.startsWith("bytes:")) this.dispatchEvent(new CustomEvent("pick", { detail: item.char }));
  }
}
