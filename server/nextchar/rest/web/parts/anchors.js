// Checkpoints of a session for rollback, thinned out so that the server's limit of names suffices.

const MOST = 12; // the server keeps 16; the rest are for users
const FIRST_GAP = 512;

export class Anchors {
  #positions = new Map(); // by name

  // Returns whether a text of this length is far enough from the last anchor for another.
  due(length) {
    const last = Math.max(0, ...this.#positions.values());
    return length - last >= Math.max(FIRST_GAP, Math.floor(length / MOST));
  }

  // Returns a free name, or the name of the anchor with the smallest gap.
  nameFor() {
    for (let k = 0; k < MOST; k += 1) if (!this.#positions.has(`page-${k}`)) return `page-${k}`;
    const sorted = [...this.#positions].sort((a, b) => a[1] - b[1]);
    const gap = (k) => (sorted[k + 1]?.[1] ?? Infinity) - (sorted[k - 1]?.[1] ?? 0);
    return sorted.reduce((least, [name], k) => (gap(k) < least.gap ? { name, gap: gap(k) } : least), { gap: Infinity }).name;
  }

  set(name, position) {
    this.#positions.set(name, position);
  }

  // Returns the last anchor at or before a position, or null.
  before(length) {
    const found = [...this.#positions].filter(([, position]) => position <= length);
    if (!found.length) return null;
    const [name, position] = found.reduce((a, b) => (b[1] > a[1] ? b : a));
    return { name, position };
  }

  // Forgets the anchors after a position, because the text there has changed.
  forgetAfter(length) {
    for (const [name, position] of this.#positions) if (position > length) this.#positions.delete(name);
  }
}
