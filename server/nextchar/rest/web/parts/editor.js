// The text area with the coloured text behind it, and the suggestion that Tab accepts.

import { h } from "../dom.js";
import { Ink } from "./ink.js";
import { characters } from "../symbols.js";

export class Editor extends EventTarget {
  ink = new Ink();
  chars = [];
  #ghost = "";
  #area = h("textarea", {
    spellcheck: false, autocomplete: "off", autocapitalize: "off", "aria-label": "Your text",
    "aria-describedby": "write-hint", rows: 1,
  });
  element = h("div", { className: "editor" }, h("div", { className: "sheet" }, this.ink.element, this.#area));

  constructor() {
    super();
    this.#area.addEventListener("input", () => this.#changed());
    this.#area.addEventListener("keydown", (event) => this.#onKey(event));
    document.addEventListener("selectionchange", () => {
      if (document.activeElement === this.#area) this.dispatchEvent(new Event("moved"));
    });
    this.#area.addEventListener("mousemove", (event) => this.#look(this.ink.at(event.clientX, event.clientY)));
    this.#area.addEventListener("mouseleave", () => this.#look(-1));
  }

  get text() {
    return this.#area.value;
  }

  set text(text) {
    this.#area.value = text;
    this.#area.setSelectionRange(text.length, text.length);
    this.#changed();
  }

  // The number of characters before the caret.
  get caret() {
    if (this.atEnd) return this.chars.length;
    return characters(this.#area.value.slice(0, this.#area.selectionStart)).length;
  }

  get atEnd() {
    return this.#area.selectionStart === this.#area.value.length;
  }

  // Focuses the text area without scrolling, and without opening the keyboard on a phone.
  focus() {
    if (matchMedia("(hover: hover)").matches) this.#area.focus({ preventScroll: true });
  }

  insert(text) {
    this.#area.focus({ preventScroll: true });
    // The only way that keeps undo intact; deprecated, but supported everywhere.
    if (document.execCommand("insertText", false, text)) return;
    this.#area.setRangeText(text, this.#area.selectionStart, this.#area.selectionEnd, "end");
    this.#changed();
  }

  get ghosted() {
    return this.#ghost !== "";
  }

  set ghost(text) {
    this.#ghost = text;
    this.ink.setGhost(text);
    this.#area.setAttribute("aria-description", text ? `Tab inserts: ${text}` : "");
  }

  // Starts the model's reading first, because that takes a while, and then redraws.
  #changed() {
    const before = this.chars.length;
    this.chars = characters(this.#area.value);
    this.dispatchEvent(new Event("moved"));
    const ghost = this.#ghost;
    this.ink.update(this.chars);
    const typed = this.chars.slice(before).join("");
    this.ghost = typed && this.atEnd && ghost.startsWith(typed) ? ghost.slice(typed.length) : "";
    this.dispatchEvent(new Event("changed"));
  }

  #onKey(event) {
    if (!this.#ghost || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    if (event.key === "Tab") {
      event.preventDefault();
      this.insert(this.#ghost);
    } else if (event.key === "Escape") {
      this.ghost = "";
    }
  }

  #look(index) {
    this.dispatchEvent(new CustomEvent("looked", { detail: index }));
  }
}
