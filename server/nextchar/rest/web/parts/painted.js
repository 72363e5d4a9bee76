// A string with characters tinted by their surprise, each with its value as a title.

import { h } from "../dom.js";
import { bits, shown, surprise } from "../symbols.js";

const MOST_CHARS = 160;

// `chars` is as `/v1/score` returns them, or null while unknown.
export function painted(text, chars) {
  if (!chars) return h("span", { className: "painted" }, text.slice(0, MOST_CHARS));
  return h("span", { className: "painted" }, chars.slice(0, MOST_CHARS).map(({ char, logprob, special }) => {
    const { glyph, name } = shown(char, special);
    const worth = bits(logprob);
    return h("span", { className: `s${surprise(worth)}`, title: `${name}: ${worth.toFixed(2)} bits` }, char === " " ? " " : glyph);
  }));
}
