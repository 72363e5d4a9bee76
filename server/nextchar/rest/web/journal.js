// The sessions of this tab: their model, origin and text. Kept in the tab's session storage.

import { stored } from "./base.js";

const NAME = stored("nextchar-sessions");
const MOST_CHARS_KEPT = 100_000;
const SAVE_MS = 400;

class Journal extends EventTarget {
  live = null; // the session that Write uses
  wanted = null; // an entry that Write is to continue
  #entries = new Map(JSON.parse(sessionStorage.getItem(NAME) ?? "[]"));
  #timer = 0;

  get all() {
    return [...this.#entries.values()];
  }

  get(id) {
    return this.#entries.get(id);
  }

  // The name by which a proxy finds the server of a session: a fork is on that of its origin.
  routedBy(id) {
    return this.#entries.get(id)?.routedBy ?? id;
  }

  // Adds a session; `learns` says whether it learns its text.
  add({ id, revision, model, version, text, by, parent = null, learns = false }) {
    const entry = { id, revision, model, version, text, by, parent, learns, since: Date.now(), steps: [], ended: false };
    this.#entries.set(id, { ...entry, astray: false, routedBy: parent === null ? id : this.routedBy(parent) });
    this.#changed();
  }

  // Records the text that a session has at a revision.
  moved(id, revision, text) {
    const entry = this.#entries.get(id);
    if (!entry || (entry.text === text && entry.revision === revision)) return;
    entry.revision = revision;
    if (entry.text.length > text.length) this.#step(entry, `back to ${text.length}`);
    entry.text = text;
    this.#changed();
  }

  // Records an action on a session, to be shown in its tree.
  note(id, step) {
    const entry = this.#entries.get(id);
    if (entry) this.#step(entry, step);
    this.#changed();
  }

  // Records that a session was moved by somebody else, so that its text is not known here.
  lose(id) {
    const entry = this.#entries.get(id);
    if (entry) entry.astray = true;
    this.#changed();
  }

  end(id) {
    const entry = this.#entries.get(id);
    if (!entry) return;
    entry.ended = true;
    const isParent = this.all.some((other) => other.parent === id);
    if (!isParent) this.#entries.delete(id);
    this.#changed();
  }

  // Adds a step; consecutive rewinds count as one.
  #step(entry, step) {
    const last = entry.steps.at(-1);
    if (step.startsWith("back to") && last?.startsWith("back to")) entry.steps.pop();
    entry.steps.push(step);
    if (entry.steps.length > 12) entry.steps.shift();
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#save(), SAVE_MS);
  }

  #save() {
    const kept = [...this.#entries].filter(([, entry]) => entry.text.length <= MOST_CHARS_KEPT);
    sessionStorage.setItem(NAME, JSON.stringify(kept));
  }
}

export const journal = new Journal();
