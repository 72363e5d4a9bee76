// The API key, if the server requires one. The page prompts for it once and keeps it for this tab only.

import { stored } from "./base.js";

const NAME = stored("nextchar-key");
let asking = null;

export function authorization() {
  const key = sessionStorage.getItem(NAME);
  return key ? { Authorization: `Bearer ${key}` } : {};
}

// Prompts for a key and resolves when there is one; `reason` is the server's message.
export function askForKey(reason) {
  asking ??= ask(reason).finally(() => (asking = null));
  return asking;
}

function ask(reason) {
  const dialog = document.getElementById("key-dialog");
  const input = document.getElementById("key");
  document.getElementById("key-reason").textContent = reason;
  input.value = "";
  dialog.showModal();
  return new Promise((resolve, reject) => {
    dialog.addEventListener("close", () => {
      if (!input.value) return reject(new DOMException("no key was given", "AbortError"));
      sessionStorage.setItem(NAME, input.value);
      resolve();
    }, { once: true });
  });
}
