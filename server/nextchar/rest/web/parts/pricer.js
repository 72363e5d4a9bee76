// Scores the characters of a text that the session did not score as it read them: after a paste or an edit.

import { post } from "../api.js";

const MOST_CHARS = 8192; // per call, so that a long text is tinted piece by piece
const NUM_EXPECTED = 3;

export class Pricer {
  #abort = new AbortController();

  // `learning` is the field of a request whose text is learned, or empty.
  constructor(model, perLine, learning) {
    this.model = model;
    this.perLine = perLine;
    this.learning = learning;
  }

  // Scores an ink from its first unknown character on; a later call replaces this one.
  async price(ink) {
    this.#abort.abort();
    const { signal } = (this.#abort = new AbortController());
    while (ink.firstUnknown < ink.chars.length) {
      const chars = ink.chars;
      const start = ink.firstUnknown;
      const [context, input] = this.#cut(chars, start);
      const answer = await post("/v1/score", {
        model: this.model, context: context.join(""), input: [input.join("")], return_chars: true, ...this.learning,
      }, { signal });
      if (ink.chars !== chars) return; // the text has changed meanwhile; the next call scores it
      const entries = answer.data[0].chars.map(({ logprob, model_logprob: own }) => ({ logprob, own, expected: null }));
      const end = { logprob: 0, own: this.learning.adaptive ? 0 : undefined, expected: [] };
      const ends = this.perLine && chars[start + input.length] === "\n" ? [end] : [];
      if (entries.length + ends.length === 0) return;
      ink.price(start, [...entries, ...ends]);
    }
  }

  #cut(chars, start) {
    const from = this.perLine ? chars.lastIndexOf("\n", start - 1) + 1 : 0;
    const lineEnd = this.perLine ? chars.indexOf("\n", start) : -1;
    const end = Math.min(lineEnd < 0 ? chars.length : lineEnd, start + MOST_CHARS);
    return [start ? chars.slice(from, start) : [], chars.slice(start, end)];
  }

  // Returns what was expected at a position.
  async expected(chars, index) {
    const from = this.perLine ? chars.lastIndexOf("\n", index - 1) + 1 : 0;
    const body = { model: this.model, input: (index ? chars.slice(from, index) : []).join(""), top: NUM_EXPECTED, ...this.learning };
    return (await post("/v1/next", body)).data;
  }

  stop() {
    this.#abort.abort();
  }
}
