// The Write panel: a text, the distribution after the caret, and the surprise of each character.

import { Bars } from "../parts/bars.js";
import { stored } from "../base.js";
import { debounced, errorLine, h } from "../dom.js";
import { Editor } from "../parts/editor.js";
import { imagine } from "../parts/ghost.js";
import { journal } from "../journal.js";
import { LearningSwitch } from "../learning.js";
import { LiveSession } from "../parts/live_session.js";
import { models, reader } from "../models.js";
import { Pricer } from "../parts/pricer.js";
import { bits, characters, percent, plural, shown } from "../symbols.js";

const GHOST_MS = 220;
const PRICE_MS = 120;
const REST_MS = 700; // a pause in typing, after which a whole text is scored again
const LONG_CHARS = 500;
const TELL_MS = 60;
const KEPT = stored("nextchar-text");
const LEARNS = "Learn from what is written";
const SENTENCES = {
  text: "What the text repeats becomes likelier: counts of it are mixed with what the network expects.",
  line: "What a line repeats becomes likelier: counts of it are mixed with what the network expects.",
};
const STARTS = { text: "To be, or not to b", line: "nextch" };

export function panel(root) {
  return new Write(root);
}

class Write {
  #editor = new Editor();
  #bars = new Bars();
  #errors = errorLine();
  #looked = h("span", { className: "looked-at" });
  #sum = h("span");
  #learning = new LearningSwitch(LEARNS, SENTENCES.text, () => this.#begin());
  #gain = h("div", { className: "gain figure", id: "write-gain" });
  #live = null;
  #pricer = null;
  #reader = null;
  #imagined = new AbortController();
  #look = -1; // the character under the pointer
  #told = -1;
  #going = null;
  #priceSoon = debounced(() => this.#price(), PRICE_MS);
  #priceAtRest = debounced(() => this.#price(), REST_MS);
  #explainAtRest = debounced(() => this.#explain(this.#told), REST_MS);
  #tellSoon = debounced(() => this.#tellAll(), TELL_MS);
  #imagineSoon = debounced(() => this.#imagine(), GHOST_MS);

  constructor(root) {
    const hint = "Tab accepts the grey text, Esc dismisses it. Click a bar to insert its character.";
    root.append(
      h("div", { className: "lead" }, h("div", {}, h("h2", {}, "Every character, before you type it"),
        h("p", {}, "The bars show what the model expects after the text before the caret. The redder a character, the less the model expected it.")),
        h("div", { className: "learns" }, this.#learning.element, this.#gain)),
      h("div", { className: "write" },
        h("div", {}, this.#editor.element, h("div", { className: "reading", id: "reading" }, this.#sum, this.#looked),
          this.#errors.element, h("p", { className: "note", id: "write-hint" }, hint)),
        this.#bars.element));
    this.#editor.addEventListener("changed", () => this.#changed());
    this.#editor.addEventListener("moved", () => this.#moved());
    this.#editor.addEventListener("looked", ({ detail }) => this.#lookAt(detail));
    this.#bars.addEventListener("pick", ({ detail }) => this.#editor.insert(detail));
    models.addEventListener("change", () => {
      this.#begin(this.#going);
      this.#going = null;
    });
    if (!journal.wanted) this.#begin();
  }

  enter() {
    const wanted = journal.wanted;
    if (wanted) this.#continue(wanted);
    if (document.activeElement === document.body) this.#editor.focus(); // unless the focus is elsewhere, such as on the tabs
  }

  // Starts a session of the selected model over the current text, or continues an existing session (`going`).
  async #begin(going = null) {
    const { id } = models.current;
    const card = (await models.card(id)).card;
    if (models.current.id !== id) return;
    this.#live?.close();
    this.#pricer?.stop();
    this.#reader = reader(card);
    if (going) this.#learning.on = going.learns;
    this.#learning.sentence = SENTENCES[card.vocabulary.unit];
    this.#pricer = new Pricer(id, this.#reader.perLine, this.#learning.field);
    const live = new LiveSession(id, this.#reader.count, this.#learning.on);
    if (going) live.adopt(going.id, going.revision ?? null, characters(this.#reader.perLine ? going.text.slice(going.text.lastIndexOf("\n") + 1) : going.text));
    const text = going?.text ?? this.#start(card.vocabulary.unit);
    this.#live = null; // until the editor has its text
    this.#editor.text = "";
    this.#live = this.#listen(live);
    this.#editor.text = text;
  }

  // Returns the first text: the current one or the one kept with the tab, unless it is another kind of model's example.
  #start(unit) {
    const kept = this.#editor.text || sessionStorage.getItem(KEPT);
    return kept === null || Object.values(STARTS).includes(kept) ? STARTS[unit] : kept;
  }

  async #continue(entry) {
    journal.wanted = null;
    if (models.current.id === entry.model) return this.#begin(entry);
    this.#going = entry; // the change of the model calls #begin
    models.choose(entry.model);
    return null;
  }

  #listen(live) {
    const mine = (work) => ({ detail }) => this.#live === live && work(detail);
    live.addEventListener("shown", mine((found) => this.#bars.draw(found)));
    live.addEventListener("priced", mine(({ position, entries }) => this.#priced(position, entries)));
    live.addEventListener("failed", mine((error) => this.#errors.show(error)));
    live.addEventListener("settled", mine(() => ((journal.live = live.id), this.#imagineSoon())));
    return live;
  }

  #changed() {
    this.#errors.clear();
    this.#pricer?.stop();
    if (this.#editor.chars.length > LONG_CHARS) this.#priceAtRest();
    else this.#priceSoon();
    this.#tellSoon();
  }

  #moved() {
    this.#imagined.abort();
    const { start, caret } = this.#place();
    this.#live?.want(characters(this.#reader.normal(this.#editor.chars.slice(start, caret).join(""))));
    this.#tellSoon();
  }

  // Returns the caret, and the start of its string: models of lines read each line separately.
  #place() {
    const caret = this.#editor.caret;
    const { chars } = this.#editor;
    return { caret, start: this.#reader?.perLine && caret ? chars.lastIndexOf("\n", caret - 1) + 1 : 0 };
  }

  #priced(position, entries) {
    this.#editor.ink.price(this.#place().start + position, entries);
    this.#tellSoon();
  }

  async #price() {
    try {
      await this.#pricer.price(this.#editor.ink);
      this.#tellSoon();
    } catch (error) {
      if (error.name !== "AbortError") this.#errors.show(error);
    }
  }

  async #imagine() {
    if (!this.#live?.id || !this.#live.settled || !this.#editor.atEnd || this.#editor.ghosted) return;
    this.#imagined.abort();
    const { signal } = (this.#imagined = new AbortController());
    try {
      const text = await imagine(this.#live.id, signal);
      if (!signal.aborted && this.#editor.atEnd) this.#editor.ghost = text;
    } catch {
      // The page works without a suggestion, and an error appears where it matters.
    }
  }

  #lookAt(index) {
    if (index === this.#look) return;
    this.#look = index;
    this.#tell(index < 0 ? this.#editor.caret - 1 : index);
  }

  // Shows the surprise of a character and what was expected in its place.
  #tell(index) {
    this.#told = index;
    const { ink } = this.#editor;
    ink.look(this.#look);
    const entry = ink.entry(index);
    if (!entry) return this.#looked.replaceChildren(index < 0 ? "Nothing before the caret yet." : "…");
    const { name, glyph } = shown(ink.chars[index]);
    const said = [h("span", { className: "char", title: name }, glyph), " ", h("b", {}, `${bits(entry.logprob).toFixed(2)} bits`)];
    if (entry.own !== undefined) said.push(h("span", { className: "own-bits" }, ` (${bits(entry.own).toFixed(2)} by the network alone)`));
    const list = (items) => items.map((item) => `${shown(item.char, item.special).glyph} ${percent(item.probability)}`).join(", ");
    if (entry.expected) return this.#looked.replaceChildren(...said, entry.expected.length ? `, expected ${list(entry.expected)}` : "");
    this.#looked.replaceChildren(...said);
    if (index === this.#look) this.#explain(index);
    else this.#explainAtRest();
    return null;
  }

  // Requests what was expected in place of a character if the session has not returned it.
  async #explain(index) {
    const { ink } = this.#editor;
    const { chars } = ink;
    const entry = ink.entry(index);
    if (!entry || entry.expected) return;
    const expected = await this.#pricer.expected(chars, index).catch(() => null); // the surprise alone is still useful
    if (!expected || ink.chars !== chars) return;
    entry.expected = expected;
    if (index === this.#told) this.#tell(index);
  }

  #tellAll() {
    if (this.#live) sessionStorage.setItem(KEPT, this.#editor.text);
    if (this.#look < 0) this.#tell(this.#editor.caret - 1);
    const { ink } = this.#editor;
    const mean = ink.bitsPerChar;
    const count = plural(ink.chars.length, "character");
    this.#sum.textContent = mean === null ? count : `${count}, ${mean.toFixed(2)} bits each`;
    this.#gain.replaceChildren(...(mean === null || !this.#learning.on ? [] : gain(ink.ownBitsPerChar, mean)));
  }
}

// Says what learning brings: the bits per character by the network alone, and after learning.
function gain(own, learned) {
  const percentage = own > 0 ? Math.round(100 * (1 - learned / own)) : 0;
  const change = percentage === 0 ? "" : `, ${Math.abs(percentage)}% ${percentage > 0 ? "fewer" : "more"}`;
  return [h("b", {}, own.toFixed(2)), " bits per character become ", h("b", {}, learned.toFixed(2)), change];
}
