// The served models and the selected one.

import { get } from "./api.js";
import { h } from "./dom.js";

const FAVOURITE = "shakespeare";

class Models extends EventTarget {
  #cards = new Map();
  all = [];
  current = null;

  async load() {
    this.all = (await get("/v1/models")).data;
    this.current ??= this.all.find((model) => model.id === FAVOURITE) ?? this.all[0] ?? null;
    return this;
  }

  choose(id) {
    this.current = this.all.find((model) => model.id === id);
    this.dispatchEvent(new Event("change"));
  }

  // Returns a model with its card.
  card(id) {
    if (!this.#cards.has(id)) this.#cards.set(id, get(`/v1/models/${encodeURIComponent(id)}`));
    return this.#cards.get(id);
  }

  options(chosen = this.current?.id) {
    return this.all.map(({ id }) => h("option", { value: id, selected: id === chosen }, id));
  }
}

export const models = new Models();

// Returns how a model reads text: per line or not, in the form that its card says, and in how many symbols.
// The form is that of nextchar/model/text_form.py.
export function reader(card) {
  const { characters, normalization, symbols, case_folding: folding } = card.vocabulary;
  const encoder = symbols === "bytes" ? new TextEncoder() : null;
  const keepsReturns = characters.includes("\r");
  const folded = (text) => (folding === "lower" ? text.replaceAll("\u03a3", "\u03c3").toLowerCase() : text);
  const composed = (text) => (normalization === "none" ? text : text.normalize(normalization));
  return {
    perLine: card.vocabulary.unit === "line",
    normal: (text) => composed(folded(keepsReturns ? text : text.replace(/\r\n?/g, "\n"))),
    count: (chars) => (encoder ? encoder.encode(chars.join("")).length : chars.length),
  };
}
