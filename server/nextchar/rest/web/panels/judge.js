// The Judge panel: strings in, verdicts with reasons out, by one of the judges that the server has.

import { get, post } from "../api.js";
import { debounced, errorLine, field, h, number } from "../dom.js";
import { lines, plural } from "../symbols.js";
import { Verdicts } from "../parts/verdicts.js";

const ASK_MS = 300;
const MOST_STRINGS = 200;
const NONE = "This server has no judges. The command “nextchar judge fit” makes one in the folder judges, beside the folder of models.";

export function panel(root) {
  return new Judge(root);
}

class Judge {
  #judges = [];
  #choice = h("select");
  #rate = number("", { min: "0", max: "1", step: "any", placeholder: "the judge's own" });
  #box = h("textarea", { rows: 5, value: "wikipedia.org\nqmvxkzkwbtjh.biz", spellcheck: false, "aria-label": "Strings to judge, one per line" });
  #about = h("p", { className: "note about" });
  #unread = h("p", { className: "note unread" });
  #errors = errorLine();
  #status = h("p", { className: "note figure", role: "status" });
  #verdicts = new Verdicts();
  #abort = new AbortController();

  constructor(root) {
    root.append(
      h("div", { className: "lead" }, h("div", {}, h("h2", {}, "Is this string normal?"),
        h("p", {}, "A judge flags a string if its p-value, the share of normal strings that are at least as suspicious, is at most the rate of false alarms that you name."))),
      h("div", { className: "form" }, this.#box,
        h("div", { className: "knobs" }, field("Judge", this.#choice), field("False-alarm rate", this.#rate))),
      this.#about, this.#unread, this.#errors.element, this.#status, this.#verdicts.element);
    const askSoon = debounced(() => this.#ask(), ASK_MS);
    this.#box.addEventListener("input", askSoon);
    this.#rate.addEventListener("input", askSoon);
    this.#choice.addEventListener("change", () => this.#ask());
  }

  // Looks each time which judges there are: they come and go while the server runs.
  async enter() {
    try {
      const { data, failures } = await get("/v1/judges");
      const before = this.#choice.value;
      this.#judges = data;
      this.#unread.textContent = Object.entries(failures).map(([name, why]) => `${name} cannot be read: ${why}`).join("\n");
      this.#choice.replaceChildren(...data.map(({ id, ready }) =>
        h("option", { value: id }, ready ? id : `${id} (not ready)`)));
      const wanted = data.find(({ id }) => id === before) ?? data.find(({ ready }) => ready);
      if (wanted) this.#choice.value = wanted.id;
      await this.#ask();
    } catch (error) {
      this.#errors.show(error);
    }
  }

  async #ask() {
    this.#abort.abort();
    this.#abort = new AbortController();
    const { signal } = this.#abort;
    this.#errors.clear();
    this.#status.dataset.done = "false";
    const judge = this.#judges.find(({ id }) => id === this.#choice.value);
    this.#about.textContent = judge ? described(judge) : NONE;
    const strings = lines(this.#box.value);
    if (!judge?.ready || strings.length === 0) return this.#show([], "");
    if (strings.length > MOST_STRINGS) {
      this.#errors.show(new Error(`There are ${strings.length} strings; the first ${MOST_STRINGS} are judged.`));
    }
    const rate = this.#rate.value === "" ? {} : { false_alarm_rate: Number(this.#rate.value) };
    const input = strings.slice(0, MOST_STRINGS);
    try {
      const answer = await post("/v1/judge", { judge: judge.id, input, return_reasons: true, ...rate }, { signal });
      this.#show(answer.data.map((verdict) => ({ text: input[verdict.index], ...verdict })), summary(answer));
    } catch (error) {
      if (error.name === "AbortError") return;
      this.#show([], "");
      this.#errors.show(error);
    }
  }

  #show(verdicts, text) {
    this.#verdicts.show(verdicts);
    this.#status.textContent = text;
    this.#status.dataset.done = "true";
  }
}

function described({ id, ready, reason, model, model_version: version, num_normal: num, kinds, default_rate: rate }) {
  if (!ready) return `${id} cannot be asked: ${reason}`;
  const known = kinds.length ? `knows ${plural(kinds.length, "kind")} of bad strings: ${kinds.join(", ")}` : "knows no bad strings";
  return `Model ${model}:${version}, calibrated on ${plural(num, "normal string")}; ${known}. Its own rate is ${rate}.`;
}

function summary({ data, false_alarm_rate: rate, false_alarm_low: low, false_alarm_high: high, warning }) {
  const flagged = data.filter(({ is_flagged }) => is_flagged).length;
  const told = `${flagged} of ${plural(data.length, "string")} flagged at a false-alarm rate of ${rate} (95% interval: ${low.toPrecision(2)} to ${high.toPrecision(2)})`;
  return warning ? `${told}. Warning: ${warning}` : told;
}
