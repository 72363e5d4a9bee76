// In every window from its first moment on: what the page drew, what held the main thread.
window.seen = { drawn: [], tasks: [], inputs: [] };

// Forget what was seen, when what was last written is on the screen.
window.forget = async () => {
  for (let frame = 0; frame < 2; frame++) await new Promise(requestAnimationFrame);
  for (const key of ["drawn", "tasks", "inputs"]) seen[key].length = 0;
};

addEventListener("drawn", ({ detail }) => seen.drawn.push(detail));
let pressed = 0; // when the key went down that this input is of
addEventListener("keydown", ({ timeStamp }) => (pressed = timeStamp), true);
addEventListener("input", ({ target }) => seen.inputs.push({ at: pressed, length: target.value?.length }), true);

new PerformanceObserver((list) => {
  for (const { duration } of list.getEntries()) seen.tasks.push(duration);
}).observe({ type: "longtask", buffered: true });
