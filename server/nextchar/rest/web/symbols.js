// Characters as a person can see and hear them.

const SPACES = { " ": ["␣", "space"], "\n": ["↵", "line end"], "\t": ["⇥", "tab"], "\r": ["␍", "carriage return"] };
const SPECIAL = { end: ["∎", "end of the string"], unknown: ["�", "a character the model does not know"] };
const UNSEEN = /^[\p{C}\p{Z}\p{M}]/u;

// How a character, or an entry of a distribution, is drawn and read aloud.
export function shown(character, special = null) {
  const [glyph, name] = SPECIAL[special] ?? SPACES[character] ?? plain(character ?? "");
  return { glyph, name };
}

function plain(character) {
  if (character.startsWith("bytes:")) return [character.slice("bytes:".length), `byte ${character.slice(8)}`];
  if (!UNSEEN.test(character)) return [character, character];
  const code = `U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
  return [code, code];
}

export const characters = (text) => Array.from(text.toWellFormed());

// A text in one line, its spaces at the ends and its line ends made visible.
export function inline(text) {
  return text.replace(/[\n\r\t]/g, (c) => SPACES[c][0]).replace(/^ +| +$/g, (run) => "␣".repeat(run.length));
}

export function percent(probability) {
  if (probability >= 0.9995) return "100%";
  const value = 100 * probability;
  return value >= 9.95 ? `${value.toFixed(0)}%` : value >= 0.095 ? `${value.toFixed(1)}%` : "<0.1%";
}

export const bits = (logprob) => Math.max(0, -logprob / Math.LN2);

// 0 for what was expected to 9 for what was not at all: the class that tints a character.
export function surprise(ofBits) {
  return Math.max(0, Math.min(9, Math.round(ofBits) - 1));
}

export const plural = (count, word) => `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;
