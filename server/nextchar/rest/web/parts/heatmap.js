// The map of states over time: characters across, units down, with the chosen character and unit marked.

import { h } from "../dom.js";
import { shown } from "../symbols.js";

const CELL_PX = 13;
const UNIT_PX = 5;
const HEAD_PX = 22;
const SPAN = 4; // a colour's parts: red, green, blue, opacity

export class HeatMap extends EventTarget {
  #canvas = h("canvas", { tabIndex: 0, role: "img", ariaLabel: "Heat map: nothing read yet" });
  element = h("div", { className: "heatmap" }, this.#canvas);
  #trace = null;
  #order = [];
  #character = 0;
  #unit = 0;

  constructor() {
    super();
    this.#canvas.addEventListener("click", (event) => this.#onClick(event));
    this.#canvas.addEventListener("keydown", (event) => this.#onKey(event));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#draw());
  }

  show(trace, { order, character, unit }) {
    this.#trace = trace;
    this.#order = order;
    this.#character = character;
    this.#unit = unit;
    const { name } = shown(trace.chars[character]?.char);
    this.#canvas.setAttribute("aria-label", `Heat map of ${trace.numUnits} units over ${trace.chars.length} characters; at character ${character + 1}, ${name}, unit ${unit} is ${trace.at(character, unit).toFixed(2)}. Arrow keys move.`);
    this.#draw();
  }

  #draw() {
    const trace = this.#trace;
    if (!trace) return;
    const width = trace.chars.length * CELL_PX;
    const height = HEAD_PX + trace.numUnits * UNIT_PX;
    const scale = Math.min(devicePixelRatio, 2);
    Object.assign(this.#canvas, { width: width * scale, height: height * scale });
    Object.assign(this.#canvas.style, { width: `${width}px`, height: `${height}px` });
    const context = this.#canvas.getContext("2d");
    context.scale(scale, scale);
    context.imageSmoothingEnabled = false;
    context.drawImage(this.#pixels(), 0, HEAD_PX, width, height - HEAD_PX);
    this.#marks(context, width, height);
  }

  // Returns an image with one pixel per cell, to be enlarged.
  #pixels() {
    const trace = this.#trace;
    const [hot, cold] = [this.#colour("--tint"), this.#colour("--cold")];
    const canvas = new OffscreenCanvas(trace.chars.length, trace.numUnits);
    const context = canvas.getContext("2d");
    const image = context.createImageData(canvas.width, canvas.height);
    this.#order.forEach((unit, row) => {
      for (let character = 0; character < canvas.width; character += 1) {
        const share = trace.share(character, unit);
        const at = SPAN * (row * canvas.width + character);
        image.data.set([...(share > 0 ? hot : cold), Math.round(255 * Math.abs(share))], at);
      }
    });
    context.putImageData(image, 0, 0);
    return canvas;
  }

  #marks(context, width, height) {
    const style = getComputedStyle(this.#canvas);
    const soft = `rgb(${this.#colour("--soft").join(" ")})`;
    context.font = "13px ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace";
    context.textAlign = "center";
    this.#trace.chars.forEach(({ char, special }, k) => {
      context.fillStyle = k === this.#character ? style.color : soft;
      context.fillText(shown(char, special).glyph.slice(0, 1), (k + 0.5) * CELL_PX, 14);
    });
    context.strokeStyle = style.color;
    context.strokeRect(this.#character * CELL_PX + 0.5, HEAD_PX - 0.5, CELL_PX - 1, height - HEAD_PX);
    context.strokeRect(0.5, HEAD_PX + this.#order.indexOf(this.#unit) * UNIT_PX - 0.5, width - 1, UNIT_PX + 1);
  }

  // Returns a colour of the page as numbers.
  #colour(name) {
    const context = new OffscreenCanvas(1, 1).getContext("2d");
    const probe = h("span", { className: name.slice(2) });
    this.element.append(probe);
    context.fillStyle = getComputedStyle(probe).color;
    probe.remove();
    context.fillRect(0, 0, 1, 1);
    return [...context.getImageData(0, 0, 1, 1).data.slice(0, 3)];
  }

  #onClick(event) {
    const box = this.#canvas.getBoundingClientRect();
    const character = Math.floor((event.clientX - box.left) / CELL_PX);
    const row = Math.floor((event.clientY - box.top - HEAD_PX) / UNIT_PX);
    this.#choose(character, row < 0 ? this.#unit : this.#order[row]);
  }

  #onKey(event) {
    const row = this.#order.indexOf(this.#unit);
    const [across, down] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key] ?? [0, 0];
    if (!across && !down) return;
    event.preventDefault();
    this.#choose(this.#character + across, this.#order[row + down] ?? this.#unit);
  }

  #choose(character, unit) {
    if (!this.#trace || character < 0 || character >= this.#trace.chars.length || unit === undefined) return;
    this.dispatchEvent(new CustomEvent("chosen", { detail: { character, unit } }));
  }
}
