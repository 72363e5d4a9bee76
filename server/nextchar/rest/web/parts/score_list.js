// Strings and their scores by one or two models, requested in batches and shown as they arrive.
//
// With a text before them, or where they are learned, each string goes on from the state after that text. The text is
// read once for each model, and no string is read after another.

import { ApiError, post } from "../api.js";

const MOST_STRINGS = 200;
const MOST_CHARS = 60_000;

export class ScoreList extends EventTarget {
  items = []; // {index, text, scores: [Score, Score], error}
  numDone = 0;
  #abort = new AbortController();
  #states = []; // after the text before the strings, for each model; empty where there is none

  // Scores strings by models; `includeEnd` also scores their end symbol (models of lines), `before` is the text before
  // each of them, and `learning` the field of a request whose text is learned.
  async score(texts, modelIds, { includeEnd, before, learning }) {
    this.#abort.abort();
    const { signal } = (this.#abort = new AbortController());
    this.items = texts.map((text, index) => ({ index, text, scores: [], chars: null, error: null }));
    this.numDone = 0;
    this.options = { modelIds, includeEnd };
    this.#states = [];
    this.dispatchEvent(new Event("progress"));
    if (before || learning.adaptive) {
      const states = await Promise.all(modelIds.map((model) => stateAfter(model, before, learning, { signal })));
      signal.throwIfAborted();
      this.#states = states;
    }
    for (const batch of batches(this.items)) await this.#batch(batch, signal);
  }

  async #batch(batch, signal) {
    const { modelIds, includeEnd } = this.options;
    try {
      const answers = await Promise.all(modelIds.map((_, k) => this.#ask(k, batch, includeEnd, { signal })));
      batch.forEach((item, k) => (item.scores = answers.map(({ data }) => data[k])));
    } catch (error) {
      if (!(error instanceof ApiError) || signal.aborted) throw error;
      if (batch.length > 1) return this.#halves(batch, signal);
      batch[0].error = error.message;
    }
    this.numDone += batch.length;
    this.dispatchEvent(new Event("progress"));
    return null;
  }

  // Splits a batch that was refused, so that one wrong string does not affect the others.
  async #halves(batch, signal) {
    const middle = batch.length >> 1;
    await this.#batch(batch.slice(0, middle), signal);
    await this.#batch(batch.slice(middle), signal);
  }

  // Requests the scores per character of items that are on the screen.
  async colour(items) {
    const wanted = items.filter((item) => item.scores[0] && !item.chars);
    if (!wanted.length) return false;
    const { signal } = this.#abort;
    const answer = await this.#ask(0, wanted, false, { signal }, true);
    wanted.forEach((item, k) => (item.chars = answer.data[k].chars));
    return true;
  }

  #ask(which, items, includeEnd, options, returnChars = false) {
    const begin = { model: this.options.modelIds[which], ...(this.#states.length && { state: this.#states[which] }) };
    const body = { ...begin, input: items.map(({ text }) => text), include_end: includeEnd, return_chars: returnChars };
    return post("/v1/score", body, options);
  }

  stop() {
    this.#abort.abort();
  }
}

// Returns the state of a model after a text, from which each string goes on.
async function stateAfter(model, text, learning, options) {
  const body = { model, input: text, top: 1, return_state: true, ...learning };
  return (await post("/v1/next", body, options)).state;
}

// Splits items into batches. The first is small, so that results appear at once.
function* batches(items) {
  let first = 0;
  for (let most = 20; first < items.length; most = MOST_STRINGS) {
    let last = first;
    let size = 0;
    while (last < items.length && last - first < most && (size < MOST_CHARS || last === first)) size += items[last++].text.length;
    yield items.slice(first, last);
    first = last;
  }
}
