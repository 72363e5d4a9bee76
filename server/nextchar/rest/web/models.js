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

// Returns how a model reads text: per line or not, normalised as its card says, and in how many symbols.
export function reader(card) {
  const { normalization, symbols } = card.vocabulary;
  const encoder = symbols === "bytes" ? new TextEncoder() : null;
  return {
    perLine: card.vocabulary.unit === "line",
    normal: (text) => (normalization === "none" ? text : text.normalize(normalization)),
    count: (chars) => (encoder ? encoder.encode(chars.join("")).length : chars.length),
  };
}
