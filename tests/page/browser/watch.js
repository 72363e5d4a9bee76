// In every window from its first moment on: what the page drew, what moved, what held the main thread.
window.seen = { drawn: [], shifts: [], tasks: [], inputs: [] };

addEventListener("drawn", ({ detail }) => seen.drawn.push(detail));
let pressed = 0; // when the key went down that this input is of
addEventListener("keydown", ({ timeStamp }) => (pressed = timeStamp), true);
addEventListener("input", ({ target }) => seen.inputs.push({ at: pressed, length: target.value?.length }), true);

const place = ({ node }) => {
  const element = node?.nodeType === Node.ELEMENT_NODE ? node : node?.parentElement;
  return element?.closest(".editor") ? "editor" : element?.outerHTML.slice(0, 120) ?? "gone";
};

new PerformanceObserver((list) => {
  for (const { value, sources } of list.getEntries()) seen.shifts.push({ value, nodes: [...new Set(sources.map(place))] });
}).observe({ type: "layout-shift", buffered: true });

new PerformanceObserver((list) => {
  for (const { duration } of list.getEntries()) seen.tasks.push(duration);
}).observe({ type: "longtask", buffered: true });
