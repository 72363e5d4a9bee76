// A session in a file: the server's sealed bytes, and the text, which only the page has.

const FORMAT = "nextchar-session";

export function toFile(entry, state) {
  const { model, version, text } = entry;
  return JSON.stringify({ format: FORMAT, model, model_version: version, text, state: base64(new Uint8Array(state)) });
}

// Reads a session file. Raw bytes of a state are refused, because their text is unknown.
export function fromFile(bytes) {
  try {
    const found = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    if (found.format !== FORMAT) throw new TypeError();
    return { ...found, state: Uint8Array.from(atob(found.state), (c) => c.charCodeAt(0)) };
  } catch {
    throw new Error("This file is not a session that this page exported.");
  }
}

function base64(bytes) {
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}
