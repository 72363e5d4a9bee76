// Draws the last minutes of a figure as a line.

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 240;
const HEIGHT = 44;

export class Sparkline {
  #values = [];
  #line = document.createElementNS(SVG, "polyline");
  element = document.createElementNS(SVG, "svg");

  constructor(label, numValues) {
    this.numValues = numValues;
    this.element.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
    this.element.setAttribute("class", "sparkline");
    this.element.setAttribute("preserveAspectRatio", "none");
    this.element.setAttribute("role", "img");
    this.element.setAttribute("aria-label", label);
    this.element.append(this.#line);
  }

  push(value) {
    this.#values = [...this.#values, value].slice(-this.numValues);
    const most = Math.max(1, ...this.#values);
    const step = WIDTH / (this.numValues - 1);
    const first = this.numValues - this.#values.length;
    const points = this.#values.map((v, k) => `${((first + k) * step).toFixed(1)},${(HEIGHT - 2 - (v / most) * (HEIGHT - 4)).toFixed(1)}`);
    this.#line.setAttribute("points", points.join(" "));
  }
}
