// The suggestion in grey, sampled from a fork of the session, so that the session stays unchanged.

import { post, remove } from "../api.js";
import { journal } from "../journal.js";

const MAX_CHARS = 28;

// Returns a likely continuation of a session's text up to the end of a word, or an empty string.
export async function imagine(sessionId, signal) {
  const here = { session: journal.routedBy(sessionId), patient: false }; // the fork is on the session's own server
  const fork = await post(`/v1/sessions/${sessionId}/fork`, {}, { signal, patient: false });
  try {
    const body = { max_tokens: MAX_CHARS, temperature: 0 };
    const answer = await post(`/v1/sessions/${fork.session_id}/sample`, body, { signal, ...here });
    const { text, finish_reason: reason } = answer.choices[0];
    return reason === "stop" ? text : wholeWords(text);
  } finally {
    remove(`/v1/sessions/${fork.session_id}`, here).catch(() => {}); // it also expires by itself
  }
}

function wholeWords(text) {
  const line = text.search(/\S\n/);
  const whole = line >= 0 ? text.slice(0, line + 1) : text.replace(/(\S)\s+\S*$/, "$1");
  return whole.trimEnd() ? whole : "";
}
