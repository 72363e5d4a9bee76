// The form with the parameters of a completion.

import { field, h, number } from "../dom.js";

const MAX_STOPS = 4;

export class SamplingForm extends EventTarget {
  prompt = h("textarea", { rows: 3, value: "ROMEO:\nMy love is ", spellcheck: false, "aria-label": "Prompt" });
  #controls = {
    temperature: slider(0.8, 2, 0.05),
    top_k: number(0, { min: 0, step: 1 }),
    top_p: slider(1, 1, 0.01, 0.01),
    min_p: slider(0, 1, 0.01),
    max_tokens: number(240, { min: 0, step: 1 }),
    seed: number("", { step: 1, placeholder: "random" }),
  };
  #stop = h("input", { placeholder: "\\n\\n", spellcheck: false });
  #regex = h("input", { placeholder: "any text", spellcheck: false });
  element;

  constructor() {
    super();
    const { temperature, top_k: topK, top_p: topP, min_p: minP, max_tokens: maxTokens, seed } = this.#controls;
    this.element = h("div", { className: "form" }, this.prompt,
      h("div", { className: "knobs" },
        shownValue("Temperature", temperature), shownValue("Top-p", topP), shownValue("Min-p", minP),
        field("Top-k", topK, "0 is no limit"), field("Characters", maxTokens), field("Seed", seed),
        field("Stop", this.#stop, `up to ${MAX_STOPS}, separated by |`),
        field("Regex", this.#regex, "must match the whole text")));
    this.element.addEventListener("input", () => this.dispatchEvent(new Event("change")));
  }

  // The parameters that the chart's filters need.
  get filters() {
    const { temperature, top_k: topK, top_p: topP, min_p: minP } = this.#controls;
    return { temperature: Number(temperature.value), top_k: Number(topK.value), top_p: Number(topP.value), min_p: Number(minP.value) };
  }

  // Returns the body of a completion request without parameters at their defaults.
  body(model) {
    const { filters } = this;
    const stop = this.#stop.value ? this.#stop.value.split("|").map(unescaped).filter(Boolean) : [];
    return {
      model,
      prompt: this.prompt.value.toWellFormed(),
      max_tokens: Number(this.#controls.max_tokens.value),
      temperature: filters.temperature,
      ...(filters.top_k > 0 && { top_k: filters.top_k }),
      ...(filters.top_p < 1 && { top_p: filters.top_p }),
      ...(filters.min_p > 0 && { min_p: filters.min_p }),
      ...(this.#controls.seed.value !== "" && { seed: Number(this.#controls.seed.value) }),
      ...(stop.length && { stop }),
      ...(this.#regex.value && { regex: this.#regex.value }),
    };
  }
}

function slider(value, max, step, min = 0) {
  return h("input", { type: "range", min: String(min), max: String(max), step: String(step), value: String(value) });
}

function shownValue(label, control) {
  const value = h("span", { className: "figure" }, control.value);
  control.addEventListener("input", () => (value.textContent = control.value));
  return h("label", { className: "field" }, h("span", {}, label, " ", value), control);
}

const unescaped = (text) => text.replace(/\\([nt\\|])/g, (_, c) => ({ n: "\n", t: "\t" })[c] ?? c);
