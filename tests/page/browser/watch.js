// In every window from its first moment on: what the page drew, what moved, what held the main thread.
window.seen = { drawn: [], shifts: [], tasks: [], inputs: [], since: 0 };

// Forget what was seen, when what was last written is on the screen: a shift is told a frame after its cause.
window.forget = async () => {
  for (let frame = 0; frame < 2; frame++) await new Promise(requestAnimationFrame);
  seen.since = performance.now();
  for (const key of ["drawn", "shifts", "tasks", "inputs"]) seen[key].length = 0;
};

addEventListener("drawn", ({ detail }) => seen.drawn.push(detail));
let pressed = 0; // when the key went down that this input is of
addEventListener("keydown", ({ timeStamp }) => (pressed = timeStamp), true);
addEventListener("input", ({ target }) => seen.inputs.push({ at: pressed, length: target.value?.length }), true);

const place = ({ node }) => {
  const element = node?.nodeType === Node.ELEMENT_NODE ? node : node?.parentElement;
  return element?.closest(".editor") ? "editor" : element?.outerHTML.slice(0, 120) ?? "gone";
};

new PerformanceObserver((list) => {
  for (const { startTime, value, sources } of list.getEntries()) {
    if (startTime < seen.since) continue;
    seen.shifts.push({ value, nodes: [...new Set(sources.map(place))] });
  }
}).observe({ type: "layout-shift", buffered: true });

new PerformanceObserver((list) => {
  for (const { duration } of list.getEntries()) seen.tasks.push(duration);
}).observe({ type: "longtask", buffered: true });
