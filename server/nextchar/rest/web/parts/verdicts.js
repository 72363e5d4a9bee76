// A list of verdicts, each with its reasons, which open with a click.

import { h } from "../dom.js";
import { shown } from "../symbols.js";

const NAMES = {
  mean_surprise: "surprise per character",
  total_surprise: "surprise of the whole",
  part_surprise: "longest part",
  window_surprise: "most surprising stretch",
  unknown_characters: "unknown characters",
  references: "like known bad strings",
};

export class Verdicts {
  element = h("ol", { className: "verdicts" });

  show(verdicts) {
    this.element.replaceChildren(...verdicts.map(entry));
  }
}

export const lines = (text) => text.toWellFormed().split(/\r\n?|\n/).filter((line) => line !== "");

function entry({ text, is_flagged: flagged, p_value: p, low, high, kind, reasons }) {
  const head = h("summary", {},
    h("strong", { className: flagged ? "flagged" : "" }, flagged ? "flagged" : "normal"),
    h("code", {}, text),
    h("span", { className: "figure" }, `p = ${share(p)}`),
    h("span", { className: "note" }, `95 %: ${share(low)} to ${share(high)}`),
    kind ? h("span", { className: "note" }, `like ${kind}`) : null);
  return h("li", {}, h("details", {}, head, why(reasons)));
}

function why({ characters, evidence }) {
  const found = characters.map(({ char, offset, bits }) =>
    h("li", {}, char === null ? "the end" : `${shown(char).glyph} at ${offset}`, `: ${bits.toFixed(1)} bits`));
  const kinds = Object.entries(evidence).toSorted(([, a], [, b]) => b - a).map(([name, nats]) =>
    h("li", {}, `${NAMES[name] ?? name}: one normal string in ${Math.max(1, Math.round(Math.exp(nats))).toLocaleString("en")}`));
  return h("div", { className: "why" },
    h("div", {}, h("h3", {}, "What surprised most"), h("ol", {}, found)),
    h("div", {}, h("h3", {}, "How unusual it is"), h("ol", {}, kinds)));
}

const share = (value) => (value >= 0.001 ? value.toFixed(3) : value.toExponential(1));
