// Characters in a form that can be seen and read aloud.

const SPACES = { " ": ["␣", "space"], "\n": ["↵", "end of line"], "\t": ["⇥", "tab"], "\r": ["␍", "carriage return"] };
const SPECIAL = { end: ["∎", "end of the string"], unknown: ["�", "unknown character"] };
const UNSEEN = /^[\p{C}\p{Z}\p{M}]/u;

// Returns how a character, or an entry of a distribution, is drawn and read aloud.
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

// Returns the lines of a text that are not empty.
export const lines = (text) => text.toWellFormed().split(/\r\n?|\n/).filter((line) => line !== "");

// Returns a text on one line, with visible line ends and visible spaces at both ends.
export function inline(text) {
  return text.replace(/[\n\r\t]/g, (c) => SPACES[c][0]).replace(/^ +| +$/g, (run) => "␣".repeat(run.length));
}

export function percent(probability) {
  if (probability >= 0.9995) return "100%";
  const value = 100 * probability;
  return value >= 9.95 ? `${value.toFixed(0)}%` : value >= 0.095 ? `${value.toFixed(1)}%` : "<0.1%";
}

// Returns a p-value, or another share of strings of which small ones matter.
export function share(value) {
  return value === 0 ? "0" : value >= 0.001 ? value.toFixed(3) : value.toExponential(1);
}

export const bits = (logprob) => Math.max(0, -logprob / Math.LN2);

// Returns the class that tints a character: 0 if it was expected, 9 if it was not at all.
export function surprise(ofBits) {
  return Math.max(0, Math.min(9, Math.round(ofBits) - 1));
}

export const plural = (count, word) => `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;
