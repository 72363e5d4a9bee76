// The Generate panel: completions as they are sampled, four side by side, and the effect of the parameters.

import { post, stream } from "../api.js";
import { origin } from "../base.js";
import { debounced, errorLine, field, h } from "../dom.js";
import { FilterChart } from "../parts/filter_chart.js";
import { authorization } from "../key.js";
import { LearningSwitch } from "../learning.js";
import { models } from "../models.js";
import { SamplingForm } from "../parts/sampling_form.js";
import { snippets } from "../parts/snippets.js";

const NUM_SIDE_BY_SIDE = 4;
const CHART_MS = 150;
const LEARNS = "Learn from the prompt";
const SENTENCE = "What the prompt repeats becomes likelier: counts of it are mixed with what the network expects.";
const SEEDS = 1_000_000;

export function panel(root) {
  return new Generate(root);
}

class Generate {
  #form = new SamplingForm();
  #chart = new FilterChart();
  #errors = errorLine();
  #outputs = h("div", { className: "outputs" });
  #learning = new LearningSwitch(LEARNS, SENTENCE, () => (this.#drawSoon(), this.#write()));
  #count = h("select", {}, h("option", { value: "1" }, "one sample"), h("option", { value: "4", selected: true }, "four samples"));
  #go = h("button", { type: "button", className: "primary", onclick: () => this.#start() }, "Generate");
  #halt = h("button", { type: "button", disabled: true, onclick: () => this.#abort?.abort() }, "Stop");
  #code = h("pre", { tabIndex: 0, "aria-label": "This request as a command" });
  #language = "curl";
  #languages = h("div", { className: "actions", role: "group", "aria-label": "Copy as" });
  #abort = null;
  #distribution = { key: null, data: null };
  #drawSoon = debounced(() => this.#draw(), CHART_MS);

  constructor(root) {
    root.append(
      h("div", { className: "lead" }, h("div", {}, h("h2", {}, "Let it write"),
        h("p", {}, "The same seed gives the same text, regardless of other requests."))),
      h("div", { className: "generate" },
        h("div", {}, this.#form.element, this.#learning.element,
          h("div", { className: "actions go" }, this.#go, this.#halt, field("Show", this.#count)), this.#errors.element),
        this.#chart.element),
      this.#outputs,
      h("section", { className: "snippets", "aria-label": "Run this request elsewhere" },
        h("h3", {}, "Run this request elsewhere"), this.#languages, this.#code));
    this.#form.addEventListener("change", () => (this.#drawSoon(), this.#write()));
    this.#form.prompt.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.#start();
    });
    models.addEventListener("change", () => (this.#drawSoon(), this.#write()));
    this.#draw();
    this.#write();
  }

  leave() {
    this.#abort?.abort();
  }

  async #start() {
    this.#abort?.abort();
    const abort = (this.#abort = new AbortController());
    this.#errors.clear();
    const body = this.#body();
    const first = body.seed ?? Math.floor(Math.random() * SEEDS);
    const count = this.#count.value === "4" ? NUM_SIDE_BY_SIDE : 1;
    const outputs = Array.from({ length: count }, (_, k) => output(body.prompt, first + k));
    this.#outputs.replaceChildren(...outputs.map(({ element }) => element));
    this.#halt.disabled = false;
    const runs = outputs.map((made, k) => this.#run({ ...body, seed: first + k }, made, abort.signal));
    const results = await Promise.allSettled(runs);
    const failed = results.find(({ reason }) => reason && reason.name !== "AbortError");
    if (failed && !abort.signal.aborted) this.#errors.show(failed.reason);
    if (this.#abort === abort) this.#halt.disabled = true;
  }

  async #run(body, { text, state }, signal) {
    try {
      for await (const { choices } of stream("/v1/completions", body, { signal })) {
        for (const choice of choices) {
          text.append(choice.text);
          if (choice.finish_reason) state.textContent = choice.finish_reason === "stop" ? "reached a stop" : "reached its length";
        }
      }
    } catch (error) {
      state.textContent = error.name === "AbortError" ? "stopped" : "failed";
      throw error;
    }
  }

  async #draw() {
    const prompt = this.#form.prompt.value.toWellFormed();
    const { field: learning } = this.#learning;
    const key = `${models.current.id} ${this.#learning.on} ${prompt}`;
    try {
      if (this.#distribution.key !== key) {
        const { data } = await post("/v1/next", { model: models.current.id, input: prompt, ...learning });
        this.#distribution = { key, data };
      }
      this.#chart.draw(this.#distribution.data, this.#form.filters);
    } catch (error) {
      this.#errors.show(error);
    }
  }

  #body() {
    return { ...this.#form.body(models.current.id), ...this.#learning.field };
  }

  #write() {
    const body = this.#body();
    const grpcPort = document.querySelector("meta[name=nextchar-grpc-port]").content;
    const { hostname, protocol } = location;
    const place = { origin, hostname, secure: protocol === "https:", grpcPort, needsKey: "Authorization" in authorization() };
    const all = snippets(body, place);
    this.#code.textContent = all[this.#language];
    const choices = Object.keys(all).map((name) => h("button", {
      type: "button", className: "plain", "aria-pressed": String(name === this.#language),
      onclick: () => ((this.#language = name), this.#write()),
    }, name));
    const copy = h("button", { type: "button" }, "Copy");
    copy.addEventListener("click", async () => {
      await navigator.clipboard.writeText(this.#code.textContent);
      copy.textContent = "Copied";
    });
    this.#languages.replaceChildren(...choices, copy);
  }
}

function output(prompt, seed) {
  const text = h("span", { className: "drawn" });
  const state = h("span", {}, "");
  const element = h("article", { "aria-label": `Sample with seed ${seed}` },
    h("p", { className: "note figure" }, `seed ${seed} `, state),
    h("p", { className: "sample" }, h("span", { className: "prompt" }, prompt), text));
  return { element, text, state };
}
