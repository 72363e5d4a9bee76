// Calls the public API. The page uses nothing else.

import { at } from "./base.js";
import { connection } from "./connection.js";
import { journal } from "./journal.js";
import { askForKey, authorization } from "./key.js";

const MOST_RETRIES = 5;
const OF_SESSION = /^\/v1\/sessions\/([^/?]+)/;

// An error of the API, with the server's message, and after how many seconds to retry, if it says so.
export class ApiError extends Error {
  constructor(status, { message, code = null, param = null }, retryAfter = null) {
    super(message);
    Object.assign(this, { name: "ApiError", status, code, param, retryAfter });
  }
}

export const post = (path, body, options) => json("POST", path, { ...options, body: JSON.stringify(body) });
export const get = (path, options) => json("GET", path, options);
export const remove = (path, options) => send("DELETE", path, options);

async function json(method, path, options = {}) {
  return (await send(method, path, options)).json();
}

// Returns a successful response. Waits for a server that is gone, and retries when it is busy (429, 503): but never
// a call that may change a session, which could be done twice. session_calls.js makes those.
// `session` is the name by which a proxy finds the server of a session: by default, what the journal knows of the
// session in the path.
export async function send(method, path, { body, signal, type = "application/json", session = routedBy(path), ...options } = {}) {
  const patient = (options.patient ?? true) && (method === "GET" || !path.startsWith("/v1/sessions"));
  for (let tries = 0; ; tries += 1) {
    const own = { ...(body === undefined ? {} : { "Content-Type": type }), ...(session === undefined ? {} : { "X-Session-Id": session }) };
    const response = await answered(method, path, body, signal, own, patient);
    if (response.ok) return response;
    const error = await explained(response);
    if (response.status === 401) await askForKey(error.message);
    else if (!patient || tries >= MOST_RETRIES || ![429, 503].includes(response.status)) throw error;
    else await pause(error.retryAfter ?? 1, signal);
  }
}

function routedBy(path) {
  const id = OF_SESSION.exec(path)?.[1];
  return id === undefined ? undefined : journal.routedBy(id);
}

async function answered(method, path, body, signal, own, patient) {
  const headers = { ...authorization(), ...own };
  for (;;) {
    try {
      return await fetch(at(path), { method, body, signal, headers, cache: "no-store" });
    } catch (error) {
      if (error.name === "AbortError" || !patient) throw error;
      await connection.whenBack();
      signal?.throwIfAborted();
    }
  }
}

async function explained(response) {
  const retryAfter = Number(response.headers.get("Retry-After")) || null;
  try {
    const { error } = await response.json();
    return new ApiError(response.status, typeof error === "string" ? { message: error } : error, retryAfter);
  } catch {
    return new ApiError(response.status, { message: `the server answered with status ${response.status}` });
  }
}

export function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, 1000 * Math.min(seconds, 10));
    signal?.addEventListener("abort", () => (clearTimeout(timer), reject(signal.reason)), { once: true });
  });
}

// Yields the parsed events of a stream, and throws an event that holds an error.
export async function* stream(path, body, { signal } = {}) {
  const response = await send("POST", path, { body: JSON.stringify({ ...body, stream: true }), signal });
  let rest = "";
  for await (const piece of pieces(response.body)) {
    const events = (rest + piece).split("\n\n");
    rest = events.pop();
    for (const event of events) {
      if (!event.startsWith("data: ") || event === "data: [DONE]") continue;
      const data = JSON.parse(event.slice("data: ".length));
      if (data.error) throw new ApiError(response.status, data.error);
      yield data;
    }
  }
}

async function* pieces(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  try {
    for (let read = await reader.read(); !read.done; read = await reader.read()) yield read.value;
  } finally {
    await reader.cancel().catch(() => {}); // an aborted stream is cancelled already
  }
}
