// Applies temperature, top-k, top-p and min-p to a distribution, in the server's order. Pure.

// Returns the probability of each entry of `data` after the filters. `data` is in falling order of probability.
export function filtered(data, { temperature, top_k: topK, top_p: topP, min_p: minP }) {
  const best = Math.max(...data.filter(drawable).map(({ logprob }) => logprob));
  let weights = data.map((item) => (drawable(item) ? weight(item.logprob - best, temperature) : 0));
  if (temperature === 0) weights = weights.map((w, k) => (k === weights.indexOf(1) ? w : 0));
  const order = weights.map((_, k) => k).sort((a, b) => weights[b] - weights[a] || data[a].id - data[b].id);
  const keep = (test) => {
    const kept = order.map((k, rank) => test(weights[k], rank, order));
    order.forEach((k, rank) => (weights[k] = kept[rank] ? weights[k] : 0));
  };
  if (topK > 0) keep((_, rank) => rank < topK);
  if (topP < 1) {
    const total = sum(weights);
    let before = 0;
    keep((w) => {
      const kept = before < topP * total;
      before += w;
      return kept;
    });
  }
  if (minP > 0) keep((w) => w >= minP * weights[order[0]]);
  const total = sum(weights);
  return weights.map((w) => w / total);
}

const drawable = ({ special }) => special !== "unknown";
const weight = (difference, temperature) => (temperature === 0 ? Number(difference === 0) : Math.exp(difference / temperature));
const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);
