// Types into sessions as the page's Write panel does. Sets `window.fed` to a promise of what was read where.
async ({ todo, model, starts }) => {
  const web = document.querySelector("script[type=module]").src.replace(/app\.js$/, "");
  const { LiveSession } = await import(`${web}parts/live_session.js`);
  const { connection } = await import(`${web}connection.js`);
  const counts = {};
  const count = (what) => (counts[what] = (counts[what] ?? 0) + 1);

  if (!window.plainFetch) {
    window.plainFetch = window.fetch;
    window.fetch = async (path, options) => {
      const moves = options?.method === "POST" && /\/(feed|checkpoint|rewind|rollback)$/.test(path);
      if (moves) window.count("calls");
      const response = await window.plainFetch(path, options);
      if (!response.ok) {
        const code = (await response.clone().json().catch(() => null))?.error?.code ?? `status ${response.status}`;
        window.count(code);
        if (moves && response.status === 500) window.count("in doubt");
      }
      return response;
    };
    connection.addEventListener("reread", () => window.count("done")); // as far as it can know
  }
  window.count = count;

  const began = performance.now();
  const until = (second) => new Promise((go) => setTimeout(go, Math.max(0, began + 1000 * (second - starts) - performance.now())));
  const pause = () => new Promise((go) => setTimeout(go, 500));

  // Types one text and returns when the session has read it, whatever it takes.
  async function typed(live, text) {
    const chars = Array.from(text);
    for (let read = ""; read !== text; ) {
      read = await new Promise((settled) => {
        let shown = "";
        const ending = new AbortController();
        const on = (name, work) => live.addEventListener(name, work, { signal: ending.signal });
        on("shown", ({ detail }) => (shown = detail.text));
        on("failed", ({ detail }) => count(`failed: ${detail.code ?? detail.name}`));
        on("settled", () => (ending.abort(), settled(shown)));
        live.want(chars);
      });
      if (read !== text) await pause();
    }
  }

  async function one({ id, revision, text, pieces }) {
    const live = new LiveSession(model, (chars) => chars.length);
    if (id !== null) live.adopt(id, revision, Array.from(text));
    for (const [at, piece] of pieces) {
      await until(at);
      text += piece;
      await typed(live, text);
    }
    return { id: live.id, revision: null, text };
  }

  window.fed = Promise.all(todo.map(one)).then((sessions) => ({ sessions, counts }));
}
