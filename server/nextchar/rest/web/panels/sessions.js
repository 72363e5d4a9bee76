// The Sessions panel: the tree of this tab's sessions, to fork, rewind, export and import.

import { send } from "../api.js";
import { download, errorLine, h } from "../dom.js";
import { journal } from "../journal.js";
import { AnswerLost, begin, end, fork, move, replaceState } from "../session_calls.js";
import { fromFile, toFile } from "../parts/session_file.js";
import { inline, plural } from "../symbols.js";

const SHOWN_CHARS = 90;
const BACK_CHARS = 10;
const ASTRAY = "moved by another tab or program, or by a call whose answer was lost: its text is not known here";

export function panel(root) {
  return new Sessions(root);
}

class Sessions {
  #tree = h("ul", { className: "tree" });
  #errors = errorLine();
  #said = h("p", { className: "note", role: "status" });
  #last = Promise.resolve(); // the action before, since each starts from where the one before left the session
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
    const head = `${entry.model}${entry.learns ? ", learning" : ""}, ${plural(Array.from(entry.text).length, "character")}${entry.by ? `, from ${entry.by}` : ""}`;
    return h("li", {},
      h("div", { className: "node" },
        h("p", { className: "note" }, head, h("span", { className: "mono" }, ` ${entry.id.slice(0, 12)}`)),
        h("p", { className: "told" }, inline(tail) || "nothing read yet"),
        entry.steps.length ? h("p", { className: "note" }, entry.steps.join(" → ")) : null,
        entry.astray ? h("p", { className: "note" }, ASTRAY) : null,
        entry.ended ? h("p", { className: "note" }, "ended") : this.#actions(entry)),
      children.length ? h("ul", {}, children.map((child) => this.#node(child, entries))) : null);
  }

  #actions(entry) {
    const button = (label, said, work) => h("button", { type: "button", onclick: () => this.#do(said, () => work(entry), entry) }, label);
    if (entry.astray) return h("div", { className: "actions" }, button("End", "ended", (e) => this.#end(e)));
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

  #do(said, work, entry = null) {
    this.#last = this.#last.then(() => this.#done(said, work, entry));
    return this.#last;
  }

  async #done(said, work, entry) {
    this.#errors.clear();
    this.#said.textContent = "";
    try {
      this.#said.textContent = (await work()) ?? said;
    } catch (error) {
      if (error.code === "session_moved" && entry) journal.lose(entry.id);
      if (error.name !== "AbortError") this.#errors.show(error);
    }
  }

  // Moves a session to a text. Where the answer was lost and the session is one revision further, this is what moved
  // it: then that is said, and the text is the session's.
  async #move(entry, call, body, text) {
    let { revision } = entry;
    let said = null;
    try {
      ({ revision } = await move(entry.id, revision, call, body));
    } catch (error) {
      if (!(error instanceof AnswerLost) || error.now?.revision !== revision + 1) throw error;
      ({ revision } = error.now);
      said = error.message;
    }
    journal.moved(entry.id, revision, text);
    if (journal.live === entry.id) journal.wanted = entry; // Write uses this session, and continues from here
    return said;
  }

  #write(entry) {
    journal.wanted = entry;
    location.hash = "write";
  }

  async #fork(entry) {
    const { session_id: id, revision, model_version: version } = await fork(entry.id);
    journal.add({ id, revision, model: entry.model, version, text: entry.text, by: "a fork", parent: entry.id, learns: entry.learns });
    journal.get(id).marks = { ...entry.marks };
  }

  async #checkpoint(entry) {
    const name = `mark-${Object.keys(entry.marks ?? {}).length + 1}`;
    const said = await this.#move(entry, "checkpoint", { name }, entry.text);
    entry.marks = { ...entry.marks, [name]: entry.text };
    journal.note(entry.id, `${name} at ${Array.from(entry.text).length}`);
    return said;
  }

  #rollback(entry, name) {
    return this.#move(entry, "rollback", { name }, entry.marks[name]);
  }

  #rewind(entry) {
    const chars = Array.from(entry.text);
    const count = Math.min(BACK_CHARS, chars.length);
    return this.#move(entry, "rewind", { num_chars: count }, chars.slice(0, chars.length - count).join(""));
  }

  async #export(entry) {
    const response = await send("GET", `/v1/sessions/${entry.id}/state`);
    download(`nextchar-${entry.model}-${entry.id.slice(0, 8)}.json`, toFile(entry, await response.arrayBuffer()), "application/json");
  }

  async #import(file) {
    const found = fromFile(await file.arrayBuffer());
    const { session_id: id, revision: first, model_version: version } = await begin({ model: `${found.model}:${found.model_version}` });
    const { revision, adaptive } = await replaceState(id, first, found.state).catch(async (error) => {
      await end(id);
      throw error;
    });
    journal.add({ id, revision, model: found.model, version, text: found.text, by: "a file", learns: Boolean(adaptive) });
    this.#file.value = "";
  }

  async #end(entry) {
    await end(entry.id);
    journal.end(entry.id);
  }
}
