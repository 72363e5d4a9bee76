// Makes a session of the server follow a text: feeds what is typed, rewinds what is deleted.
//
// `want` sets the text; calls are made one after the other until the session has read it. The session can rewind
// as far as the server allows, and roll back further to checkpoints that were set on the way (`anchors.js`).
// Each move names the revision whose text is known here. A session that has moved by anything else, as by a call whose
// answer was lost, is left, and the text is read again into a new one: it is never wrong, and nothing is read twice.

import { ApiError, get, pause, post } from "../api.js";
import { Anchors } from "./anchors.js";
import { connection } from "../connection.js";
import { journal } from "../journal.js";
import { begin, end, mayBeDone, move } from "../session_calls.js";

const PIECE = 512; // characters per call
const ALWAYS_BACK = 128; // how far a session can always rewind; at most twice as far
const NUM_EXPECTED = 3;
const BUSY_SECONDS = 0.3;
const MOST_DOUBTS = 5; // answers in a row that say nothing of whether a move was done
const PROMPTLY = { patient: false };

export class LiveSession extends EventTarget {
  #model;
  #count;
  #learns;
  #id = null;
  #revision = null; // at which the session has read the characters; null if that is not known
  #read = []; // the characters that the session has read
  #back = 0; // how many of its symbols can be rewound, at least
  #known = null; // the distribution after them
  #doubts = 0;
  #wanted = [];
  #anchors = new Anchors();
  #running = false;
  #closed = false;

  // `count` returns how many symbols of the model some characters are; `learns` says whether the session learns them.
  constructor(model, count, learns) {
    super();
    this.#model = model;
    this.#count = count;
    this.#learns = learns;
  }

  get id() {
    return this.#id;
  }

  // Whether the distribution shown last belongs to the wanted text.
  get settled() {
    return !this.#running;
  }

  // Continues a session that has read these characters.
  adopt(id, revision, chars) {
    this.#id = id;
    this.#revision = revision;
    this.#read = [...chars];
    this.#back = 0;
    this.#known = null;
  }

  want(chars) {
    this.#wanted = chars;
    if (!this.#running && !this.#closed) this.#run();
  }

  close() {
    this.#closed = true;
  }

  async #run() {
    this.#running = true;
    try {
      while (!this.#closed && !(await this.#step()));
    } catch (error) {
      this.#tell("failed", error);
    } finally {
      this.#running = false;
    }
    this.#tell("settled");
  }

  // Makes one call towards the wanted text; returns true if none is needed.
  async #step() {
    const target = this.#wanted;
    const same = sharedLength(this.#read, target);
    try {
      if (this.#id === null) await this.#create();
      else if (this.#revision === null) await this.#lookAgain();
      else if (same < this.#read.length) await this.#goBack(same);
      else if (same < target.length) await this.#feed(target.slice(same));
      else if (this.#known === null) await this.#ask();
      else return true;
    } catch (error) {
      await this.#recover(error);
    }
    return false;
  }

  async #create() {
    const info = await begin({ model: this.#model, ...(this.#learns && { adaptive: true }) });
    this.#id = info.session_id;
    this.#revision = info.revision;
    this.#moveTo([], 0);
    this.#anchors.forgetAfter(-1);
    const { session_id: id, revision, model, model_version: version } = info;
    journal.add({ id, revision, model, version, text: "", by: "Write", learns: this.#learns });
  }

  async #feed(chars) {
    const piece = chars.slice(0, PIECE);
    const whole = piece.length === chars.length;
    const started = performance.now();
    const answer = await this.#move("feed", { text: piece.join(""), return: whole ? "last" : "none" });
    const ms = performance.now() - started;
    const position = this.#read.length;
    const entry = piece.length === 1 ? worth(piece[0], this.#known) : null;
    const back = this.#back + this.#count(piece);
    this.#moveTo([...this.#read, ...piece], back > 2 * ALWAYS_BACK ? ALWAYS_BACK : back);
    if (whole) this.#show({ data: answer.data, entropy_bits: answer.entropy_bits }, ms, piece.length);
    if (entry) this.#tell("priced", { position, entries: [entry] });
    if (this.#anchors.due(this.#read.length)) await this.#anchor();
  }

  async #anchor() {
    const name = this.#anchors.nameFor(this.#read.length);
    await this.#move("checkpoint", { name });
    this.#anchors.set(name, this.#read.length);
    journal.moved(this.#id, this.#revision, this.#read.join(""));
  }

  async #goBack(length) {
    const symbols = this.#count(this.#read.slice(length));
    const anchor = this.#anchors.before(length);
    this.#anchors.forgetAfter(length);
    this.#known = null;
    if (symbols <= this.#back) {
      const info = await this.#move("rewind", { num_chars: symbols });
      this.#moveTo(this.#read.slice(0, length), info.max_rewind);
    } else if (anchor !== null) {
      await this.#move("rollback", { name: anchor.name });
      this.#moveTo(this.#read.slice(0, anchor.position), 0);
    } else {
      const old = this.#id;
      this.#id = null; // starts again, since nothing nearer exists
      end(old).catch(() => {}); // it also expires by itself
      journal.end(old);
    }
  }

  async #ask() {
    const started = performance.now();
    const answer = await post(`/v1/sessions/${this.#id}/next`, {}, PROMPTLY);
    this.#show({ data: answer.data, entropy_bits: answer.entropy_bits }, performance.now() - started, 0);
  }

  async #move(call, body) {
    const answer = await move(this.#id, this.#revision, call, body, PROMPTLY);
    this.#revision = answer.revision;
    this.#doubts = 0;
    return answer;
  }

  #moveTo(chars, back) {
    this.#read = chars;
    this.#back = back;
    this.#known = null;
    journal.moved(this.#id, this.#revision, chars.join(""));
  }

  #show(distribution, ms, count) {
    this.#known = distribution;
    this.#tell("shown", { text: this.#read.join(""), ...distribution, ms, count });
  }

  // Handles an error: waits, checks the session or starts again; rethrows what it cannot handle.
  async #recover(error) {
    if (error instanceof TypeError) {
      await connection.whenBack();
      await this.#lookAgain();
    } else if (!(error instanceof ApiError)) {
      throw error;
    } else if ([404, 410, 412].includes(error.status) && error.code !== "model_not_found") {
      this.#leave();
    } else if (error.status === 409) {
      await this.#lookAgain();
    } else if (this.#id !== null && mayBeDone(error) && this.#doubts < MOST_DOUBTS) {
      this.#doubts += 1;
      await pause(BUSY_SECONDS);
      await this.#lookAgain();
    } else if (error.status === 429 || error.status === 503) {
      await pause(BUSY_SECONDS);
    } else {
      throw error;
    }
  }

  // Keeps the session only if it has not moved, since a call whose answer was lost may have been done. One that is
  // done later, or while nobody can tell, is noticed by the next move, which is refused then.
  async #lookAgain() {
    if (this.#id === null) return;
    try {
      const info = await get(`/v1/sessions/${this.#id}`);
      const isKnown = this.#revision === null ? info.position === this.#count(this.#read) : info.revision === this.#revision;
      if (!isKnown) return this.#leaveMoved();
      this.#revision = info.revision;
      this.#back = info.max_rewind;
    } catch (error) {
      if ([404, 409, 410, 412].includes(error.status)) this.#leave();
      else if (this.#revision === null) throw error;
    }
    return null;
  }

  #leaveMoved() {
    this.#leave();
    connection.readAgain();
  }

  #leave() {
    journal.end(this.#id);
    this.#id = null;
  }

  #tell(name, detail = null) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

// Returns the score of a character, that of the network alone and what was expected in its place; null if unknown.
function worth(char, distribution) {
  if (!distribution) return null;
  const { data } = distribution;
  const found = data.find((item) => item.char === char) ?? data.find((item) => item.special === "unknown");
  return found ? { logprob: found.logprob, own: found.model_logprob, expected: data.slice(0, NUM_EXPECTED) } : null;
}

function sharedLength(a, b) {
  const most = Math.min(a.length, b.length);
  let length = 0;
  while (length < most && a[length] === b[length]) length += 1;
  return length;
}
