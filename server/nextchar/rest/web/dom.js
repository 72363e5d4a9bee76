// Creates elements. Text is only ever set as text, so nothing that a model or a person wrote can become markup.

export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element && name !== "list" && name !== "form") element[name] = value;
    else if (value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return element;
}

// Creates a labelled field: the label's text, then the control.
export function field(label, control, note = null) {
  return h("label", { className: "field" }, h("span", {}, label), control, note && h("small", {}, note));
}

export function number(value, attributes = {}) {
  return h("input", { type: "number", value: String(value), inputMode: "decimal", ...attributes });
}

// Creates the line where a panel shows an error, with the API's message.
export function errorLine() {
  const line = h("p", { className: "error", role: "alert", hidden: true });
  return {
    element: line,
    show(error) {
      line.textContent = error.param && !error.message.includes(error.param)
        ? `${error.param}: ${error.message}` : error.message;
      line.hidden = false;
    },
    clear() {
      line.hidden = true;
      line.textContent = "";
    },
  };
}

export function download(name, content, type) {
  const url = URL.createObjectURL(new Blob([content], { type }));
  const link = h("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

// Calls `work` once after a pause in calls.
export function debounced(work, milliseconds) {
  let timer = 0;
  const later = (...args) => {
    clearTimeout(timer);
    timer = setTimeout(() => work(...args), milliseconds);
  };
  later.cancel = () => clearTimeout(timer);
  return later;
}
