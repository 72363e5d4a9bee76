// What the model would write next, in grey: drawn from a fork of the session, so that the session stays.

import { post, remove } from "../api.js";

const MAX_CHARS = 28;

// A likely continuation of a session's text, to the end of a word; nothing if there is none.
export async function imagine(sessionId, signal) {
  const fork = await post(`/v1/sessions/${sessionId}/fork`, {}, { signal, patient: false });
  try {
    const body = { max_tokens: MAX_CHARS, temperature: 0 };
    const answer = await post(`/v1/sessions/${fork.session_id}/sample`, body, { signal, patient: false });
    const { text, finish_reason: reason } = answer.choices[0];
    return reason === "stop" ? text : wholeWords(text);
  } finally {
    remove(`/v1/sessions/${fork.session_id}`, { patient: false }).catch(() => {}); // it ends by itself too
  }
}

function wholeWords(text) {
  const line = text.search(/\S\n/);
  const whole = line >= 0 ? text.slice(0, line + 1) : text.replace(/(\S)\s+\S*$/, "$1");
  return whole.trimEnd() ? whole : "";
}
