// Parses the text of `/metrics`. Pure.

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;

export class Exposition {
  #samples = new Map();

  constructor(text) {
    for (const line of text.split("\n")) {
      const found = LINE.exec(line);
      if (!found) continue;
      const labels = Object.fromEntries([...(found[2] ?? "").matchAll(LABEL)].map(([, name, value]) => [name, value]));
      const samples = this.#samples.get(found[1]) ?? [];
      samples.push({ labels, value: found[3] === "+Inf" ? Infinity : Number(found[3]) });
      this.#samples.set(found[1], samples);
    }
  }

  // Returns the sum of a metric's samples that have these labels.
  sum(name, labels = {}) {
    return this.#matching(name, labels).reduce((sum, { value }) => sum + value, 0);
  }

  // Returns the values of a label among a metric's samples.
  values(name, label) {
    return [...new Set((this.#samples.get(name) ?? []).map(({ labels }) => labels[label]))].filter(Boolean);
  }

  // Returns a quantile of a histogram, estimated from its buckets as Prometheus does; null if nothing was observed.
  quantile(name, share, labels = {}) {
    const counts = new Map();
    for (const { labels: own, value } of this.#matching(`${name}_bucket`, labels)) {
      const bound = own.le === "+Inf" ? Infinity : Number(own.le);
      counts.set(bound, (counts.get(bound) ?? 0) + value);
    }
    const buckets = [...counts].sort((a, b) => a[0] - b[0]);
    const total = buckets.at(-1)?.[1] ?? 0;
    if (!total) return null;
    const k = buckets.findIndex(([, count]) => count >= share * total);
    const [low, before] = k ? buckets[k - 1] : [0, 0];
    const [high, count] = buckets[k];
    return high === Infinity ? low : low + ((high - low) * (share * total - before)) / (count - before);
  }

  #matching(name, wanted) {
    const entries = Object.entries(wanted);
    return (this.#samples.get(name) ?? []).filter(({ labels }) => entries.every(([key, value]) => labels[key] === value));
  }
}
