// A list of verdicts, each with its reasons, which open with a click.

import { h } from "../dom.js";
import { share, shown } from "../symbols.js";

const NAMES = {
  mean_surprise: "surprise per character",
  total_surprise: "surprise of the whole",
  part_surprise: "surprise of the longest part",
  window_surprise: "most surprising stretch",
  unknown_characters: "unknown characters",
  references: "likeness to known bad strings",
};

export class Verdicts {
  element = h("ol", { className: "verdicts" });

  show(verdicts) {
    this.element.replaceChildren(...verdicts.map(entry));
  }
}

function entry({ text, is_flagged: flagged, p_value: p, low, high, kind, reasons }) {
  const head = h("summary", {},
    h("strong", { className: flagged ? "flagged" : "" }, flagged ? "flagged" : "normal"),
    h("code", {}, text),
    h("span", { className: "figure" }, `p = ${share(p)}`),
    h("span", { className: "note" }, `95% interval: ${share(low)} to ${share(high)}`),
    kind ? h("span", { className: "note" }, `like ${kind}`) : null);
  return h("li", {}, h("details", {}, head, why(reasons)));
}

function why({ characters, evidence }) {
  const found = characters.map(({ char, offset, bits }) =>
    h("li", {}, char === null ? "the end" : `${shown(char).glyph} at ${offset}`, `: ${bits.toFixed(1)} bits`));
  const kinds = Object.entries(evidence).toSorted(([, a], [, b]) => b - a).map(([name, nats]) =>
    h("li", {}, `${NAMES[name] ?? name}: ${asMany(Math.round(Math.exp(nats)))}`));
  return h("div", { className: "why" },
    h("div", {}, h("h3", {}, "What surprised most"), h("ol", {}, found)),
    h("div", {}, h("h3", {}, "How many normal strings are as unusual"), h("ol", {}, kinds)));
}

const asMany = (one) => (one > 1 ? `one in ${one.toLocaleString("en")}` : "most");
