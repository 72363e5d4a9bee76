// Shows a model's card: its origin and its quality.

import { h } from "../dom.js";

export function modelCard({ id, version, cell, precision, unit, vocab_size: size, state_bytes: bytes, ready, digest, card }) {
  const facts = {
    network: `${cell.replaceAll("_", " ")}, ${precision}, over ${unit === "line" ? "single lines" : "running text"}`,
    characters: String(size),
    state: `${(bytes / 1024).toFixed(1)} KB`,
    digest: digest.slice(0, 16),
    ...flat(card.provenance),
  };
  return h("article", { className: "card" },
    h("h3", {}, `${id.split(":")[0]} `, h("span", { className: "quiet" }, `version ${version}${ready ? "" : ", not ready"}`)),
    card.quality.length ? quality(card.quality) : null,
    h("dl", {}, Object.entries(facts).map(([name, value]) => [h("dt", {}, name.replaceAll("_", " ")), h("dd", {}, value)])));
}

function quality(measured) {
  const best = Math.min(...measured.map(({ bits_per_char: bits }) => bits));
  const most = Math.max(...measured.map(({ bits_per_char: bits }) => bits));
  const rows = measured.map(({ name, protocol, bits_per_char: bits, num_chars: count }) => {
    const fill = h("span", { className: bits === best ? "fill best" : "fill" });
    fill.style.transform = `scaleX(${bits / most})`;
    return h("tr", { title: protocol }, h("td", {}, name), h("td", { className: "num" }, bits.toFixed(4)),
      h("td", { className: "meter" }, h("span", { className: "track" }, fill)),
      h("td", { className: "num quiet" }, count.toLocaleString("en")));
  });
  return h("table", {}, h("caption", {}, "Held-out text; fewer bits per character are better"),
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "measured"), h("th", { scope: "col", className: "num" }, "bits per character"),
      h("td", {}), h("th", { scope: "col", className: "num" }, "characters"))), h("tbody", {}, rows));
}

// Flattens nested facts; the key of each is its path.
function flat(facts, path = "") {
  return Object.entries(facts).reduce((all, [name, value]) => {
    const key = path ? `${path} ${name}` : name;
    const nested = value !== null && typeof value === "object" && !Array.isArray(value);
    return { ...all, ...(nested ? flat(value, key) : { [key]: Array.isArray(value) ? value.join(", ") : String(value) }) };
  }, {});
}
