// The switch that makes a request or a session learn its text, and the sentence that says what this does.

import { h } from "./dom.js";

let made = 0;

export class LearningSwitch {
  #box = h("input", { type: "checkbox", role: "switch", autocomplete: "off" });
  #sentence = h("small", { className: "sentence", id: `learning-${(made += 1)}` });
  element;

  // `changed` is called when it is switched by hand.
  constructor(label, sentence, changed) {
    this.sentence = sentence;
    this.#box.setAttribute("aria-describedby", this.#sentence.id);
    this.#box.addEventListener("change", () => changed());
    this.element = h("div", { className: "learning" },
      h("label", { className: "check" }, this.#box, ` ${label}`), this.#sentence);
  }

  get on() {
    return this.#box.checked;
  }

  set on(value) {
    this.#box.checked = value;
  }

  set sentence(text) {
    this.#sentence.textContent = text;
  }

  // The field of a request, which is left out where nothing is learned. It is an object without choices in place of
  // true, since a message of gRPC has no other.
  get field() {
    return this.on ? { adaptive: {} } : {};
  }
}
