// A table of many rows of equal height. Only the rows on the screen exist in the document.

import { h } from "../dom.js";

const ROW_PX = 34;
const MARGIN_ROWS = 8;

// `columns`: {key, label, value(item) to sort by, cell(item) to show, numeric}. `onVisible` is called with the shown items.
export class Table {
  #head = h("tr");
  #body = h("tbody");
  #rows = [];
  #columns = [];
  #order = { key: null, descending: false };
  #scheduled = false;
  #table = h("table", { className: "many" }, h("thead", {}, this.#head), this.#body);
  element = h("div", { className: "scroller", tabIndex: 0, role: "region", "aria-label": "Scores" }, this.#table);

  constructor(onVisible) {
    this.onVisible = onVisible;
    this.element.addEventListener("scroll", () => this.refresh(), { passive: true });
    new ResizeObserver(() => this.refresh()).observe(this.element);
  }

  set columns(columns) {
    this.#columns = columns;
    this.#table.style.setProperty("--columns", columns.length);
    this.#head.replaceChildren(...columns.map((column) => this.#heading(column)));
  }

  get columns() {
    return this.#columns;
  }

  get order() {
    return this.#order;
  }

  // Shows items in the chosen order; those without a value come last.
  show(items) {
    const column = this.#columns.find(({ key }) => key === this.#order.key);
    const sign = this.#order.descending ? -1 : 1;
    this.#rows = column ? items.toSorted((a, b) => sign * compare(column.value(a), column.value(b), sign)) : items;
    this.#table.setAttribute("aria-rowcount", String(this.#rows.length + 1));
    this.refresh();
  }

  get rows() {
    return this.#rows;
  }

  sortBy(key, descending) {
    this.#order = { key, descending };
    for (const heading of this.#head.children) {
      const mine = heading.dataset.key === key;
      heading.setAttribute("aria-sort", mine ? (descending ? "descending" : "ascending") : "none");
    }
  }

  refresh() {
    if (this.#scheduled) return;
    this.#scheduled = true;
    requestAnimationFrame(() => {
      this.#scheduled = false;
      this.#draw();
    });
  }

  #draw() {
    const { scrollTop, clientHeight } = this.element;
    const first = Math.max(0, Math.floor(scrollTop / ROW_PX) - MARGIN_ROWS);
    const last = Math.min(this.#rows.length, Math.ceil((scrollTop + clientHeight) / ROW_PX) + MARGIN_ROWS);
    const visible = this.#rows.slice(first, last);
    this.#body.replaceChildren(this.#space(first), ...visible.map((item, k) => this.#row(item, first + k)),
      this.#space(this.#rows.length - last));
    this.onVisible(visible);
  }

  #space(count) {
    const row = h("tr", { className: "space", "aria-hidden": "true" });
    row.style.height = `${count * ROW_PX}px`;
    return row;
  }

  #row(item, index) {
    return h("tr", { "aria-rowindex": String(index + 2) },
      this.#columns.map(({ cell, numeric }) => h("td", { className: numeric ? "num" : "" }, cell(item))));
  }

  #heading({ key, label, numeric, title }) {
    const sort = () => {
      const { key: now, descending } = this.#order;
      this.sortBy(key, now === key ? !descending : Boolean(numeric));
      this.onSort?.();
    };
    const button = h("button", { className: "sort", type: "button", onclick: sort, title: title ?? "" }, label);
    const heading = h("th", { scope: "col", className: numeric ? "num" : "", "aria-sort": "none" }, button);
    heading.dataset.key = key;
    return heading;
  }
}

function compare(a, b, sign) {
  if (a === b) return 0;
  if (a === undefined || a === null) return sign;
  if (b === undefined || b === null) return -sign;
  return a < b ? -1 : 1;
}
