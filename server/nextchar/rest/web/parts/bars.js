// The distribution of the next character: the likeliest in large type, twelve bars, and one bar for the rest.
// Where the text is learned, each bar also shows the probability by the network alone.

import { h } from "../dom.js";
import { percent, shown } from "../symbols.js";

const NUM_BARS = 12;
const LEGEND = "Filled: after learning. Outline: the network alone.";

export class Bars extends EventTarget {
  #glyph = h("span", { className: "glyph" });
  #odds = h("div", { className: "odds" });
  #rows = Array.from({ length: NUM_BARS }, () => this.#row("button"));
  #rest = this.#row("div");
  #legend = h("p", { className: "note legend", hidden: true }, LEGEND);
  #summary = h("p", { className: "note figure" });
  element = h("section", { className: "next", "aria-label": "Distribution of the next character" },
    h("div", { className: "specimen", "aria-hidden": "true" }, this.#glyph, this.#odds),
    h("ol", { className: "bars" }, [...this.#rows, this.#rest].map(({ row }) => h("li", {}, row))),
    this.#legend, this.#summary);

  // Draws the distribution after a text: data in falling order of probability, entropy_bits, and how many
  // characters the call read in how many ms.
  draw({ text, data, entropy_bits: entropy, ms, count }) {
    const [first] = data;
    const { glyph } = shown(first.char, first.special);
    this.#glyph.textContent = glyph;
    this.#glyph.classList.toggle("long", glyph.length > 2);
    this.#odds.replaceChildren(h("b", {}, percent(first.probability)), `${entropy.toFixed(2)} bits`, h("br"), "of entropy");
    const learned = first.model_logprob !== undefined;
    this.element.classList.toggle("learned", learned);
    this.#legend.hidden = !learned;
    const drawn = data.slice(0, NUM_BARS);
    const most = Math.max(...drawn.map((item) => Math.max(item.probability, ownOf(item) ?? 0)), 0.001);
    this.#rows.forEach((row, k) => this.#set(row, drawn[k], most));
    const left = data.slice(NUM_BARS);
    const others = left.reduce((sum, { probability }) => sum + probability, 0);
    this.#setRest(others, learned ? left.reduce((sum, item) => sum + ownOf(item), 0) : null, left.length, most);
    const what = count > 1 ? `Reading ${count} characters` : count ? "Reading that character" : "This distribution";
    this.#summary.textContent = `${what} took ${ms.toFixed(0)} ms.`;
    const detail = { text, data: drawn, rest: others, entropy, at: performance.now() };
    this.element.dispatchEvent(new CustomEvent("drawn", { detail, bubbles: true }));
  }

  #row(tag) {
    const symbol = h("span", { className: "symbol", "aria-hidden": "true" });
    const own = h("span", { className: "own" });
    const fill = h("span", { className: "fill" });
    const share = h("span", { className: "share", "aria-hidden": "true" });
    const row = h(tag, { className: tag === "div" ? "bar rest" : "bar", type: "button" },
      symbol, h("span", { className: "track" }, own, fill), share);
    const made = { row, symbol, own, fill, share, item: null };
    if (tag === "button") row.addEventListener("click", () => this.#pick(made.item));
    return made;
  }

  #set(made, item, most) {
    made.row.disabled = !item;
    made.item = item;
    if (!item) return this.#fill(made, "", 0, null, most, "");
    const { glyph, name } = shown(item.char, item.special);
    return this.#fill(made, glyph, item.probability, ownOf(item), most, `${name}, ${percent(item.probability)}`);
  }

  #setRest(probability, own, count, most) {
    const name = `the other ${count}, ${percent(probability)} together`;
    this.#fill(this.#rest, "rest", probability, own, most, name);
    this.#rest.symbol.classList.add("long");
  }

  #fill({ row, symbol, own: outline, fill, share }, glyph, probability, own, most, name) {
    if (symbol.textContent !== glyph) {
      symbol.textContent = glyph;
      symbol.classList.toggle("long", glyph.length > 2);
    }
    fill.style.transform = `scaleX(${Math.min(1, probability / most).toFixed(4)})`;
    outline.style.transform = `translateX(${(100 * Math.min(1, (own ?? 0) / most) - 100).toFixed(2)}%)`;
    share.textContent = glyph ? percent(probability) : "";
    const whole = own === null ? name : `${name}, ${percent(own)} by the network alone`;
    if (row.tagName === "BUTTON") row.setAttribute("aria-label", whole);
    row.title = row.tagName === "BUTTON" && own === null ? "" : whole;
  }

  #pick(item) {
    if (item?.char && !item.char.startsWith("bytes:")) this.dispatchEvent(new CustomEvent("pick", { detail: item.char }));
  }
}

// Returns the probability of an entry by the network alone, or null where nothing is learned.
function ownOf({ model_logprob: logprob }) {
  return logprob === undefined ? null : Math.exp(logprob);
}
