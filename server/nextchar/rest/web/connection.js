// Whether the server answers. A call that gets no answer reports it here, and this retries until there is one.

const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 2000;
const BACK_SHOWN_MS = 2500;

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
    return (await fetch("/v2/health/ready", { cache: "no-store" })).ok;
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
  connection.addEventListener("lost", () => say("The server does not answer. Retrying…", "lost"));
  connection.addEventListener("back", () => {
    say("The server is back. Continuing where you were.", "back");
    hide = setTimeout(() => (line.hidden = true), BACK_SHOWN_MS);
  });
}
