// The states or gates of a text as `/v1/inspect` returns them: values [characters, units].

import { post } from "../api.js";

export class Trace {
  #values;
  #numUnits;
  #isGate;

  constructor({ chars, data, gates }) {
    this.#isGate = gates !== undefined;
    const [{ values, num_units: numUnits }] = gates ?? data;
    const bytes = Uint8Array.from(atob(values), (c) => c.charCodeAt(0));
    this.#values = new Float32Array(bytes.buffer);
    this.#numUnits = numUnits;
    this.chars = chars;
    this.most = this.#values.reduce((most, value) => Math.max(most, Math.abs(value)), 0) || 1;
  }

  // Reads a text with a state, or with a gate in its place.
  static async of({ model, text, layer, state, gate }, options) {
    const wanted = gate ? { gates: [gate] } : { states: [state] };
    const body = { model, input: text, layers: [layer], ...wanted, encoding_format: "base64" };
    return new Trace(await post("/v1/inspect", body, options));
  }

  get numUnits() {
    return this.#numUnits;
  }

  at(character, unit) {
    return this.#values[character * this.#numUnits + unit];
  }

  // Returns the value of a unit from -1 to 1: a state over the largest magnitude, a gate from closed to open.
  share(character, unit) {
    const value = this.at(character, unit);
    return this.#isGate ? 2 * value - 1 : value / this.most;
  }

  // Returns the units in order of activity at a character: those furthest from their mean first.
  litUpAt(character) {
    const means = this.#means();
    const units = Array.from({ length: this.#numUnits }, (_, unit) => unit);
    const light = units.map((unit) => Math.abs(this.at(character, unit) - means[unit]));
    return units.sort((a, b) => light[b] - light[a] || a - b);
  }

  #means() {
    const sums = new Float64Array(this.#numUnits);
    this.#values.forEach((value, k) => (sums[k % this.#numUnits] += value));
    return sums.map((sum) => sum / this.chars.length);
  }
}
