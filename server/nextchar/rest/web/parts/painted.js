// A string whose characters are tinted by their surprise, each with its number.

import { h } from "../dom.js";
import { bits, shown, surprise } from "../symbols.js";

const MOST_CHARS = 160;

// `chars` as `/v1/score` gives them, or null while they are not known.
export function painted(text, chars) {
  if (!chars) return h("span", { className: "painted" }, text.slice(0, MOST_CHARS));
  return h("span", { className: "painted" }, chars.slice(0, MOST_CHARS).map(({ char, logprob, special }) => {
    const { glyph, name } = shown(char, special);
    const worth = bits(logprob);
    return h("span", { className: `s${surprise(worth)}`, title: `${name}: ${worth.toFixed(2)} bits` }, char === " " ? " " : glyph);
  }));
}
