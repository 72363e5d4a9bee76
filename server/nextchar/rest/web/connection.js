// Whether the server answers. A call that gets no answer reports it here, and this retries until there is one.

import { at } from "./base.js";

const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 2000;
const BACK_SHOWN_MS = 2500;
const REREAD_SHOWN_MS = 10_000;
const REREAD = "An answer of the server was lost. Your text was read again into a new session, so that nothing counts twice.";

class Connection extends EventTarget {
  #restored = null;

  get lost() {
    return this.#restored !== null;
  }

  // Reports that the server did not answer; resolves when it does.
  whenBack() {
    this.#restored ??= this.#wait();
    return this.#restored;
  }

  // Reports that a text was read again, since its session may have moved by a call whose answer was lost.
  readAgain() {
    this.dispatchEvent(new Event("reread"));
  }

  async #wait() {
    this.dispatchEvent(new Event("lost"));
    for (let wait = FIRST_WAIT_MS; !(await answers()); wait = Math.min(2 * wait, LONGEST_WAIT_MS)) {
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
    this.#restored = null;
    this.dispatchEvent(new Event("back"));
  }
}

async function answers() {
  try {
    return (await fetch(at("/v2/health/ready"), { cache: "no-store" })).ok;
  } catch {
    return false;
  }
}

export const connection = new Connection();

export function showConnection(line) {
  let hide = 0;
  const say = (text, state) => {
    clearTimeout(hide);
    line.textContent = text;
    line.dataset.state = state;
    line.hidden = false;
  };
  const sayFor = (milliseconds, text) => {
    say(text, "back");
    hide = setTimeout(() => (line.hidden = true), milliseconds);
  };
  connection.addEventListener("lost", () => say("The server does not answer. Retrying…", "lost"));
  connection.addEventListener("back", () => {
    sayFor(BACK_SHOWN_MS, "The server is back. Continuing where you were.");
  });
  connection.addEventListener("reread", () => sayFor(REREAD_SHOWN_MS, REREAD));
}
