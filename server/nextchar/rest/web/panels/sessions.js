// The Sessions panel: the tree of this tab's sessions, to fork, rewind, export and import.

import { post, remove, send } from "../api.js";
import { download, errorLine, h } from "../dom.js";
import { journal } from "../journal.js";
import { fromFile, toFile } from "../parts/session_file.js";
import { inline, plural } from "../symbols.js";

const SHOWN_CHARS = 90;
const BACK_CHARS = 10;
const BYTES = "application/octet-stream";

export function panel(root) {
  return new Sessions(root);
}

class Sessions {
  #tree = h("ul", { className: "tree" });
  #errors = errorLine();
  #said = h("p", { className: "note", role: "status" });
  #file = h("input", { type: "file", hidden: true, accept: "application/json,.json" });

  constructor(root) {
    const open = h("button", { type: "button", onclick: () => this.#file.click() }, "Import a file");
    root.append(
      h("div", { className: "lead" }, h("div", {}, h("h2", {}, "Sessions of this tab"),
        h("p", {}, "A session keeps the model's state after its text, in a few kilobytes. Fork it, rewind it, or move it to another browser or server.")),
        h("div", { className: "actions" }, open, this.#file)),
      this.#errors.element, this.#said, this.#tree);
    this.#file.addEventListener("change", () => this.#do("imported", () => this.#import(this.#file.files[0])));
    journal.addEventListener("change", () => this.#draw());
    this.#draw();
  }

  #draw() {
    if (this.#tree.closest("[hidden]")) return;
    const entries = journal.all;
    const ids = new Set(entries.map(({ id }) => id));
    const roots = entries.filter(({ parent }) => !ids.has(parent));
    this.#tree.replaceChildren(...roots.map((entry) => this.#node(entry, entries)));
    if (!roots.length) this.#tree.replaceChildren(h("li", { className: "quiet" }, "No sessions yet. Write something first."));
  }

  enter() {
    this.#draw();
  }

  #node(entry, entries) {
    const children = entries.filter(({ parent }) => parent === entry.id);
    const tail = entry.text.length > SHOWN_CHARS ? `…${entry.text.slice(-SHOWN_CHARS)}` : entry.text;
    const head = `${entry.model}, ${plural(Array.from(entry.text).length, "character")}${entry.by ? `, from ${entry.by}` : ""}`;
    return h("li", {},
      h("div", { className: "node" },
        h("p", { className: "note" }, head, h("span", { className: "mono" }, ` ${entry.id.slice(0, 12)}`)),
        h("p", { className: "told" }, inline(tail) || "nothing read yet"),
        entry.steps.length ? h("p", { className: "note" }, entry.steps.join(" → ")) : null,
        entry.ended ? h("p", { className: "note" }, "ended") : this.#actions(entry)),
      children.length ? h("ul", {}, children.map((child) => this.#node(child, entries))) : null);
  }

  #actions(entry) {
    const button = (label, said, work) => h("button", { type: "button", onclick: () => this.#do(said, () => work(entry)) }, label);
    const marks = Object.keys(entry.marks ?? {});
    return h("div", { className: "actions" },
      h("button", { type: "button", onclick: () => this.#write(entry) }, "Continue in Write"),
      button("Fork", "forked", (e) => this.#fork(e)),
      button("Checkpoint", "checkpoint added", (e) => this.#checkpoint(e)),
      marks.map((name) => button(`Back to ${name}`, `rolled back to ${name}`, (e) => this.#rollback(e, name))),
      button(`Rewind ${BACK_CHARS}`, "rewound", (e) => this.#rewind(e)),
      button("Export", "exported", (e) => this.#export(e)),
      button("End", "ended", (e) => this.#end(e)));
  }

  async #do(said, work) {
    this.#errors.clear();
    try {
      await work();
      this.#said.textContent = said;
    } catch (error) {
      if (error.name !== "AbortError") this.#errors.show(error);
    }
  }

  #write(entry) {
    journal.wanted = entry;
    location.hash = "write";
  }

  async #fork(entry) {
    const info = await post(`/v1/sessions/${entry.id}/fork`, {});
    journal.add({ id: info.session_id, model: entry.model, version: info.model_version, text: entry.text, by: "a fork", parent: entry.id });
    journal.get(info.session_id).marks = { ...entry.marks };
  }

  async #checkpoint(entry) {
    const name = `mark-${Object.keys(entry.marks ?? {}).length + 1}`;
    await post(`/v1/sessions/${entry.id}/checkpoint`, { name });
    entry.marks = { ...entry.marks, [name]: entry.text };
    journal.note(entry.id, `${name} at ${Array.from(entry.text).length}`);
  }

  async #rollback(entry, name) {
    await post(`/v1/sessions/${entry.id}/rollback`, { name });
    this.#moved(entry, entry.marks[name]);
  }

  async #rewind(entry) {
    const chars = Array.from(entry.text);
    const count = Math.min(BACK_CHARS, chars.length);
    await post(`/v1/sessions/${entry.id}/rewind`, { num_chars: count });
    this.#moved(entry, chars.slice(0, chars.length - count).join(""));
  }

  // If Write uses this session, it continues from the new text.
  #moved(entry, text) {
    journal.moved(entry.id, text);
    if (journal.live === entry.id) journal.wanted = entry;
  }

  async #export(entry) {
    const response = await send("GET", `/v1/sessions/${entry.id}/state`);
    download(`nextchar-${entry.model}-${entry.id.slice(0, 8)}.json`, toFile(entry, await response.arrayBuffer()), "application/json");
  }

  async #import(file) {
    const found = fromFile(await file.arrayBuffer());
    const info = await post("/v1/sessions", { model: `${found.model}:${found.model_version}` });
    try {
      await send("PUT", `/v1/sessions/${info.session_id}/state`, { body: found.state, type: BYTES });
    } catch (error) {
      await remove(`/v1/sessions/${info.session_id}`);
      throw error;
    }
    journal.add({ id: info.session_id, model: found.model, version: info.model_version, text: found.text, by: "a file" });
    this.#file.value = "";
  }

  async #end(entry) {
    await remove(`/v1/sessions/${entry.id}`);
    journal.end(entry.id);
  }
}
