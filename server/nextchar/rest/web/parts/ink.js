// The text behind the text area: one span per character, tinted by its surprise.

import { h } from "../dom.js";
import { bits, surprise } from "../symbols.js";

export class Ink {
  element = h("div", { className: "ink", "aria-hidden": "true" });
  chars = [];
  #entries = []; // {logprob, own, expected} per character; null if unknown
  #stale = 0; // from here on, entries belong to another preceding text
  #spans = [];
  #lines = []; // line elements
  #ghost = null;
  #looked = null;

  constructor() {
    this.#rebuild(0, []);
  }

  // Takes a new text. Unchanged characters keep their tint until they are scored again.
  update(chars) {
    const [head, tail] = ends(this.chars, chars);
    if (head === this.chars.length && head === chars.length) return;
    this.setGhost("");
    const kept = this.#entries.slice(this.#entries.length - tail);
    const cut = this.chars.length - tail;
    const inLine = !this.chars.slice(head, cut).includes("\n") && !chars.slice(head, chars.length - tail).includes("\n");
    const added = chars.slice(head, chars.length - tail);
    this.chars = chars;
    this.#entries = [...this.#entries.slice(0, head), ...added.map(() => null), ...kept];
    this.#stale = Math.min(this.#stale, head + (tail ? added.length : 0));
    if (!tail) this.#stale = Math.min(this.#stale, head);
    if (inLine) this.#patch(head, cut, added);
    else this.#rebuild(head, chars);
    this.#tell();
  }

  entry(index) {
    return this.#entries[index];
  }

  // The first character whose score for this text is unknown.
  get firstUnknown() {
    const missing = this.#entries.indexOf(null);
    const first = missing < 0 ? this.#entries.length : missing;
    return Math.min(first, this.#stale);
  }

  // The mean surprise of the characters whose score is known, and that by the network alone; null if none is.
  get bitsPerChar() {
    return this.#mean(({ logprob }) => logprob);
  }

  get ownBitsPerChar() {
    return this.#mean(({ own }) => own);
  }

  #mean(logprob) {
    const known = this.#entries.filter((entry) => entry !== null);
    return known.length ? known.reduce((sum, entry) => sum + bits(logprob(entry)), 0) / known.length : null;
  }

  // Sets the scores of characters from a position on, and moves the stale mark past them if they reach it.
  price(position, entries) {
    entries.forEach((entry, k) => {
      if (entry === null || position + k >= this.chars.length) return;
      this.#entries[position + k] = entry;
      this.#tint(position + k);
    });
    if (position <= this.#stale && position + entries.length > this.#stale && !entries.includes(null)) {
      this.#stale = position + entries.length;
    }
    this.#tell();
  }

  setGhost(text) {
    this.#ghost?.remove();
    this.#ghost = text ? h("span", { className: "ghost" }, text, h("kbd", {}, "Tab")) : null;
    if (this.#ghost) this.#lines.at(-1).append(this.#ghost);
  }

  // Returns which character is under a point, or -1.
  at(x, y) {
    const holds = ({ left, right, top, bottom }) => x >= left && x < right && y >= top && y < bottom;
    const line = this.#lines.find((element) => holds(element.getBoundingClientRect()));
    const found = line && [...line.children].find((span) => holds(span.getBoundingClientRect()));
    return found ? this.#spans.indexOf(found) : -1;
  }

  look(index) {
    this.#looked?.classList.remove("looked");
    this.#looked = this.#spans[index] ?? null;
    this.#looked?.classList.add("looked");
  }

  // Publishes how much of the text has scores that belong to it, and not to the text before an edit.
  #tell() {
    this.element.dataset.known = String(this.firstUnknown);
  }

  #span(char) {
    return h("span", {}, char === "\n" ? "" : char);
  }

  // A change inside one line touches only its own spans.
  #patch(head, cut, added) {
    const spans = added.map((char) => this.#span(char));
    const before = this.#spans[head - 1];
    const atStart = head === 0 || this.chars[head - 1] === "\n";
    const line = atStart ? this.#lines[this.#lineOf(head)] : before.parentElement;
    for (const old of this.#spans.slice(head, cut)) old.remove();
    if (atStart) line.prepend(...spans);
    else before.after(...spans);
    this.#spans.splice(head, cut - head, ...spans);
  }

  #lineOf(index) {
    let line = 0;
    for (let k = 0; k < index; k += 1) line += this.chars[k] === "\n";
    return line;
  }

  // Creates the lines from the changed one on again.
  #rebuild(head, chars) {
    const first = this.#lineOf(Math.min(head, chars.length));
    for (const line of this.#lines.splice(first)) line.remove();
    let start = 0;
    for (let line = 0; line < first; line += 1) start = chars.indexOf("\n", start) + 1;
    this.#spans.length = start;
    let line = this.#addLine();
    for (let k = start; k < chars.length; k += 1) {
      const span = this.#span(chars[k]);
      this.#spans.push(span);
      line.append(span);
      if (chars[k] === "\n") line = this.#addLine();
    }
    for (let k = start; k < chars.length; k += 1) this.#tint(k);
  }

  #addLine() {
    const line = h("div");
    this.#lines.push(line);
    this.element.append(line);
    return line;
  }

  #tint(index) {
    const entry = this.#entries[index];
    this.#spans[index].className = entry ? `s${surprise(bits(entry.logprob))}` : "";
  }
}

// Returns how many characters two texts share from their starts and from their ends.
function ends(a, b) {
  const most = Math.min(a.length, b.length);
  let head = 0;
  while (head < most && a[head] === b[head]) head += 1;
  let tail = 0;
  while (tail < most - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail += 1;
  return [head, tail];
}
