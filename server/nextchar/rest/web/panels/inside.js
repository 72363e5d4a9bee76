// The Inside panel: the network's states after each character, or its gates, and the text coloured by one unit.

import { debounced, errorLine, field, h } from "../dom.js";
import { HeatMap } from "../parts/heatmap.js";
import { models } from "../models.js";
import { shown } from "../symbols.js";
import { Trace } from "../parts/trace.js";

const ASK_MS = 300;
const NUM_LIT = 10;
const STARTS = { text: "ROMEO:\nIf I profane with my unworthiest hand\nThis holy shrine, the gentle sin is this:", line: "nextchar" };
const MOST_LEVEL = 5;
const GATES = {
  lstm: ["input", "forget", "output"],
  lstm_coupled: ["forget", "output"],
  gru: ["reset", "update"],
  gru_reset_first: ["reset", "update"],
};
const GATE = " gate";

export function panel(root) {
  return new Inside(root);
}

class Inside {
  #text = h("textarea", { rows: 3, spellcheck: false, "aria-label": "Text to inspect" });
  #layer = h("select");
  #state = h("select");
  #unit = h("input", { type: "number", min: "0", step: "1", value: "0" });
  #sort = h("input", { type: "checkbox", checked: true });
  #errors = errorLine();
  #map = new HeatMap();
  #paint = h("p", { className: "paint" });
  #lit = h("ol", { className: "lit" });
  #saying = h("p", { className: "note figure", role: "status" });
  #trace = null;
  #chosen = { character: 0, unit: 0 };
  #abort = new AbortController();

  constructor(root) {
    root.append(
      h("div", { className: "lead" }, h("div", {}, h("h2", {}, "States after each character"),
        h("p", {}, "Red is positive, blue is negative; of a gate, red is open and blue is closed. Choose a character to see its most active units, those furthest from their mean. Choose a unit to colour the text by it."))),
      h("div", { className: "form" }, this.#text,
        h("div", { className: "knobs" }, field("Layer", this.#layer), field("State or gate", this.#state), field("Unit", this.#unit),
          h("label", { className: "check" }, this.#sort, " most active units first"))),
      this.#errors.element,
      h("div", { className: "inside" },
        h("div", {}, this.#paint, this.#map.element),
        h("aside", { "aria-label": "Most active units at the chosen character" }, h("h3", {}, "Most active here"), this.#saying, this.#lit)));
    const askSoon = debounced(() => this.#ask(), ASK_MS);
    this.#text.addEventListener("input", askSoon);
    this.#layer.addEventListener("change", () => this.#ask());
    this.#state.addEventListener("change", () => this.#ask());
    this.#sort.addEventListener("change", () => this.#draw());
    this.#unit.addEventListener("input", () => this.#choose({ unit: Number(this.#unit.value) }));
    this.#map.addEventListener("chosen", ({ detail }) => this.#choose(detail));
    models.addEventListener("change", () => this.#begin());
    this.#begin();
  }

  async #begin() {
    const { card } = await models.card(models.current.id);
    const names = Object.keys(card.states);
    const layers = [...new Set(names.map((name) => name.split("_").at(-1)))];
    this.#layer.replaceChildren(...layers.map((layer) => h("option", { value: layer, selected: layer === layers.at(-1) }, `layer ${Number(layer) + 1}`)));
    const cell = names.some((name) => name.startsWith("c"));
    const gates = (GATES[card.cell] ?? []).map((name) => name + GATE);
    this.#state.replaceChildren(...["hidden", ...(cell ? ["cell"] : []), ...gates].map((name) => h("option", { value: name }, name)));
    if (!this.#text.value || Object.values(STARTS).includes(this.#text.value)) this.#text.value = STARTS[card.vocabulary.unit];
    await this.#ask();
  }

  async #ask() {
    this.#abort.abort();
    const { signal } = (this.#abort = new AbortController());
    this.#errors.clear();
    const text = this.#text.value.toWellFormed();
    if (!text) return;
    try {
      const state = this.#state.value;
      const gate = state.endsWith(GATE) ? state.slice(0, -GATE.length) : undefined;
      const wanted = { model: models.current.id, text, layer: Number(this.#layer.value), state, gate };
      this.#trace = await Trace.of(wanted, { signal });
      this.#unit.max = String(this.#trace.numUnits - 1);
      const character = this.#trace.chars.length - 1;
      this.#choose({ character, unit: this.#trace.litUpAt(character)[0] });
    } catch (error) {
      if (error.name !== "AbortError") this.#errors.show(error);
    }
  }

  #choose(chosen) {
    const next = { ...this.#chosen, ...chosen };
    if (!this.#trace || !(next.unit >= 0 && next.unit < this.#trace.numUnits)) return;
    this.#chosen = next;
    this.#unit.value = String(next.unit);
    this.#draw();
  }

  #draw() {
    const trace = this.#trace;
    if (!trace) return;
    const { character, unit } = this.#chosen;
    const lit = trace.litUpAt(character);
    const order = this.#sort.checked ? lit : lit.toSorted((a, b) => a - b);
    this.#map.show(trace, { order, character, unit });
    const { name } = shown(trace.chars[character].char);
    this.#saying.textContent = `after character ${character + 1}, ${name}`;
    this.#lit.replaceChildren(...lit.slice(0, NUM_LIT).map((other) => this.#litUnit(other)));
    this.#paint.replaceChildren(...trace.chars.map((char, k) => this.#painted(char, k)));
  }

  #litUnit(unit) {
    const value = this.#trace.at(this.#chosen.character, unit);
    const pressed = String(unit === this.#chosen.unit);
    return h("li", {}, h("button", { type: "button", className: "plain figure", "aria-pressed": pressed, onclick: () => this.#choose({ unit }) },
      `unit ${unit}`), h("span", { className: "figure quiet" }, value.toFixed(2)));
  }

  #painted({ char, special }, index) {
    const share = this.#trace.share(index, this.#chosen.unit);
    const level = Math.round(MOST_LEVEL * Math.abs(share));
    const tint = level ? `${share > 0 ? "on" : "off"}${level}` : "";
    const here = index === this.#chosen.character ? " here" : "";
    const text = char === "\n" ? "↵\n" : char ?? shown(char, special).glyph;
    return h("span", { className: tint + here, title: this.#trace.at(index, this.#chosen.unit).toFixed(3), onclick: () => this.#choose({ character: index }) }, text);
  }
}
