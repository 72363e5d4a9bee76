// The Compare panel: strings in a table, ranked by likelihood under one or two models.

import { csv } from "../parts/csv.js";
import { debounced, download, errorLine, field, h } from "../dom.js";
import { LearningSwitch } from "../learning.js";
import { models } from "../models.js";
import { painted } from "../parts/painted.js";
import { ScoreList } from "../parts/score_list.js";
import { lines, plural, share } from "../symbols.js";
import { Table } from "../parts/table.js";

const MOST_STRINGS = 10_000;
const MOST_IN_BOX = 200; // more lines would make the text area slow, so they go only to the table
const SHOW_MS = 150;
const LEARNS = "Learn the text before, then each string";
const SENTENCE = "What they repeat becomes likelier. No string learns from another.";

export function panel(root) {
  return new Compare(root);
}

class Compare {
  #list = new ScoreList();
  #table = new Table((visible) => this.#onVisible(visible));
  #errors = errorLine();
  #box = h("textarea", { rows: 4, value: "hello\nhtktt", spellcheck: false, "aria-label": "Strings, one per line" });
  #before = h("textarea", { rows: 2, spellcheck: false, placeholder: "nothing", className: "before" });
  #learning = new LearningSwitch(LEARNS, SENTENCE, () => this.#score());
  #pasted = null;
  #other = h("select");
  #ends = h("input", { type: "checkbox" });
  #endsField = h("label", { className: "check", hidden: true }, this.#ends, " score the end of the string");
  #filter = h("input", { type: "search", placeholder: "part of a string" });
  #progress = h("p", { className: "note figure", role: "status" });
  #file = h("input", { type: "file", accept: ".txt,.csv,text/plain", hidden: true });
  #showSoon = throttled(() => this.#show(), SHOW_MS);
  #colourSoon = debounced((visible) => this.#colour(visible), SHOW_MS);

  constructor(root) {
    const open = h("button", { type: "button", onclick: () => this.#file.click() }, "Open a file");
    const save = h("button", { type: "button", onclick: () => this.#save() }, "Download CSV");
    root.append(
      h("div", { className: "lead" }, h("div", {}, h("h2", {}, "Which string is likelier?"),
        h("p", {}, "log p covers the whole string, from its first character on. The percentile is the percentage of normal, held-out strings of about its length that surprise less; p is the share of those of exactly its length that surprise at least as much."))),
      h("div", { className: "compare-input" }, this.#box,
        h("div", { className: "knobs" }, field("Second model", this.#other), field("Filter", this.#filter), this.#endsField,
          h("div", { className: "actions" }, open, save, this.#file)),
        h("div", { className: "given" }, field("Text before each string", this.#before), this.#learning.element)),
      this.#errors.element, this.#progress, this.#table.element);
    const scoreSoon = debounced(() => this.#score(), 250);
    this.#box.addEventListener("input", () => ((this.#pasted = null), scoreSoon()));
    this.#before.addEventListener("input", () => scoreSoon());
    this.#box.addEventListener("paste", (event) => this.#onPaste(event));
    this.#file.addEventListener("change", () => this.#open(this.#file.files[0]));
    this.#other.addEventListener("change", () => this.#score());
    this.#ends.addEventListener("change", () => this.#score());
    this.#filter.addEventListener("input", () => this.#showSoon());
    this.#list.addEventListener("progress", () => this.#showSoon());
    this.#table.onSort = () => this.#show();
    models.addEventListener("change", () => this.#begin());
    this.#table.sortBy("logprob", true);
    this.#begin();
  }

  get #ids() {
    return [models.current.id, this.#other.value].filter(Boolean);
  }

  #begin() {
    const others = models.options(null).filter((option) => option.value !== models.current.id);
    this.#other.replaceChildren(h("option", { value: "" }, "none"), ...others);
    this.#endsField.hidden = models.current.unit !== "line";
    if (this.#endsField.hidden) this.#ends.checked = false;
    this.#score();
  }

  #onPaste(event) {
    const text = event.clipboardData.getData("text/plain");
    if (text.split("\n", MOST_IN_BOX + 1).length <= MOST_IN_BOX) return;
    event.preventDefault();
    this.#take(text);
  }

  async #open(file) {
    const bytes = await file.arrayBuffer();
    this.#file.value = ""; // the same file may be opened again
    let text;
    try {
      text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    } catch {
      this.#errors.show(new Error(`${file.name} is not UTF-8 text: save it as UTF-8 first.`));
      return;
    }
    this.#take(text);
  }

  // Takes many strings at once.
  #take(text) {
    this.#pasted = lines(text);
    this.#box.value = this.#pasted.slice(0, MOST_IN_BOX).join("\n");
    this.#score();
  }

  async #score() {
    this.#errors.clear();
    this.#progress.dataset.done = "false";
    const texts = this.#pasted ?? lines(this.#box.value);
    if (texts.length > MOST_STRINGS) {
      this.#errors.show(new Error(`There are ${texts.length} strings; the table shows the first ${MOST_STRINGS}.`));
    }
    const before = this.#before.value.toWellFormed();
    this.#table.columns = columns(this.#ids, { learned: this.#learning.on, ranked: !before && !this.#learning.on });
    this.#table.sortBy(this.#table.order.key, this.#table.order.descending);
    try {
      const how = { includeEnd: this.#ends.checked, before, learning: this.#learning.field };
      await this.#list.score(texts.slice(0, MOST_STRINGS), this.#ids, how);
    } catch (error) {
      if (error.name !== "AbortError") this.#errors.show(error);
    }
  }

  #show() {
    const { items, numDone } = this.#list;
    const wanted = this.#filter.value.toLowerCase();
    const found = wanted ? items.filter(({ text }) => text.toLowerCase().includes(wanted)) : items;
    this.#table.show(found);
    const parts = [plural(items.length, "string")];
    if (numDone < items.length) parts.push(`${numDone.toLocaleString("en")} scored`);
    if (wanted) parts.push(`${found.length.toLocaleString("en")} shown`);
    this.#progress.textContent = parts.join(", ");
    this.#progress.dataset.done = String(numDone === items.length);
  }

  #onVisible(visible) {
    if (visible.some((item) => item.scores[0] && !item.chars)) this.#colourSoon(visible);
  }

  async #colour(visible) {
    try {
      if (await this.#list.colour(visible)) this.#table.refresh();
    } catch (error) {
      if (error.name !== "AbortError") this.#errors.show(error);
    }
  }

  #save() {
    const { columns: shown, rows } = this.#table;
    const cells = rows.map((item) => shown.map(({ value }) => value(item)));
    download("nextchar-scores.csv", csv(shown.map(({ label }) => label), cells), "text/csv;charset=utf-8");
  }
}

// The columns of one or two models. Where strings are `learned` there is one of the network alone; only where they are
// `ranked`, which is from their first character on and by the network, do they have a percentile.
function columns([first, second], { learned, ranked }) {
  const of = (which, name) => (item) => item.scores[which]?.[name];
  const shown = (value, digits) => (item) => (value(item) === undefined ? "" : value(item).toFixed(digits));
  const numeric = (key, label, value, digits, title) => ({ key, label, value, cell: shown(value, digits), numeric: true, title });
  const pValue = of(0, "p_value");
  const ratio = (item) => (item.scores[1] ? item.scores[0].logprob - item.scores[1].logprob : undefined);
  return [
    {
      key: "text", label: "string", value: (item) => item.text,
      cell: (item) => (item.error ? h("span", { className: "error" }, item.text.slice(0, 60), ": ", item.error) : painted(item.text, item.chars)),
    },
    numeric("logprob", second ? `log p, ${first}` : "log p", of(0, "logprob"), 2),
    ...(learned ? [numeric("own", "network alone", of(0, "model_logprob"), 2, "log p by the network alone, without what was learned")] : []),
    numeric("bits", "bits / char", of(0, "bits_per_char"), 3),
    ...(ranked ? [
      numeric("percentile", "percentile", of(0, "percentile"), 1),
      {
        key: "p_value", label: "p", value: pValue, numeric: true, title: "share of normal strings of this length that surprise at least as much",
        cell: (item) => (pValue(item) === undefined ? "" : share(pValue(item))),
      },
    ] : []),
    ...(second ? [
      numeric("other", `log p, ${second}`, of(1, "logprob"), 2),
      numeric("ratio", "log ratio", ratio, 2, `log p under ${first} minus log p under ${second}`),
    ] : []),
  ];
}

function throttled(work, milliseconds) {
  let timer = 0;
  return () => {
    timer ||= setTimeout(() => ((timer = 0), work()), milliseconds);
  };
}
