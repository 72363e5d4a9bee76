// The API key, where the server wants one: asked for once, kept for this tab only.

const NAME = "nextchar-key";
let asking = null;

export function authorization() {
  const key = sessionStorage.getItem(NAME);
  return key ? { Authorization: `Bearer ${key}` } : {};
}

// Resolves when the person has given a key; `reason` is what the server said.
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
