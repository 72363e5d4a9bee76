// Calls that begin, move and end sessions. Each is done once, also if its answer is lost on the way.
//
// A call without an answer may have been done. So each carries something by which the server refuses it if it was:
// a move the revision that the page knows, a new session an id of its own. It is repeated by that alone.

import { ApiError, get, pause, send } from "./api.js";
import { connection } from "./connection.js";
import { journal } from "./journal.js";

const PATH = "/v1/sessions";
const MOST_TRIES = 6;
const ID_BYTES = 16;
const ONCE = { patient: false };
const GONE = [404, 410];

// A call of which it is not certain that it was done; `now` is the session as it is, if that is known.
export class AnswerLost extends Error {
  constructor(now = null) {
    super(now
      ? `The server's answer was lost, and the session is at character ${now.position} now: most likely this was done. It was not done twice.`
      : "The server's answer was lost: whether this was done is not known. Try it again; it will not be done twice.");
    Object.assign(this, { name: "AnswerLost", now });
  }
}

export const newSessionId = () => `sess-${hex(crypto.getRandomValues(new Uint8Array(ID_BYTES)))}`;
const hex = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");

// Whether the server may have done a call that ended with this error.
export function mayBeDone(error) {
  if (error instanceof TypeError) return true; // fetch: the connection was lost
  return error instanceof ApiError && (error.status === 500 || (error.status > 500 && error.code === null));
}

// Moves a session that is at `revision`. An impatient call is tried once, and throws the error as it is.
export function move(id, revision, call, body, options) {
  const content = { body: JSON.stringify({ ...body, if_revision: revision }) };
  return moved(id, "POST", `/${id}/${call}`, content, options);
}

// Replaces the state of a session that is at `revision` by exported bytes.
export function replaceState(id, revision, bytes) {
  const content = { body: bytes, type: "application/octet-stream" };
  return moved(id, "PUT", `/${id}/state?if_revision=${revision}`, content);
}

async function moved(id, method, path, content, options) {
  const answer = await once(async () => (await send(method, PATH + path, { ...content, ...ONCE })).json(), "session_moved", options);
  if (answer === DONE_BEFORE) throw new AnswerLost(await get(`${PATH}/${id}`));
  return answer;
}

// Creates a session.
export const begin = (body) => begun("", body);

// Creates a fork of a session, on the server that has this one.
export const fork = (origin) => begun(`/${origin}/fork`, {}, journal.routedBy(origin));

async function begun(path, body, routedBy = null) {
  const id = newSessionId();
  const session = routedBy ?? id;
  const content = { body: JSON.stringify({ ...body, session_id: id }), session, ...ONCE };
  const answer = await once(async () => (await send("POST", PATH + path, content)).json(), "session_exists");
  return answer === DONE_BEFORE ? get(`${PATH}/${id}`, { session }) : answer; // nobody else knows the id
}

export function end(id) {
  const options = { session: journal.routedBy(id), ...ONCE }; // the journal may forget the session before it has ended
  return once(() => send("DELETE", `${PATH}/${id}`, options), "session_not_found");
}

const DONE_BEFORE = Symbol("an earlier attempt was done");

// Makes a call until it has an answer; returns DONE_BEFORE if the server refuses it as done by an earlier attempt.
async function once(attempt, refusedAs, { patient = true } = {}) {
  let doubted = false;
  for (let tries = 1; ; tries += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (doubted && error.code === refusedAs) return DONE_BEFORE;
      if (!patient) throw error;
      doubted ||= mayBeDone(error);
      const passes = mayBeDone(error) || [429, 503].includes(error.status);
      if (passes && tries < MOST_TRIES) await (error instanceof TypeError ? connection.whenBack() : pause(error.retryAfter ?? 1));
      else throw doubted && !GONE.includes(error.status) ? new AnswerLost() : error;
    }
  }
}
