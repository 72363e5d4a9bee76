"""A row that the host draws for is drawn as if it were alone, by its own parameters and its own past."""

from dataclasses import dataclass, field

import numpy as np
from support.engine_lanes import VOCABULARY, some_ids

from nextchar.engine.host_sampler import HostSampler
from nextchar.engine.lane import Lane, Penalties, Sampling
from nextchar.engine.sampler import Filters, History, draw, drawn_logprobs, penalized, truncated, weigh

SYMBOLS = VOCABULARY.num_outputs


def random_lane(rng: np.random.Generator) -> Lane:
    """Makes a lane with about a third of the parameters, or with none that the host must draw for."""

    def some(value: float, off: float) -> float:
        return value if rng.random() < 0.4 else off

    given = some_ids(int(rng.integers(0, 20)), seed=int(rng.integers(99)))
    if rng.random() < 0.2:
        return Lane(given, sampling=Sampling(50, 1, temperature=0.5) if rng.random() < 0.5 else None)
    biased = rng.permutation(SYMBOLS)[:3].tolist()
    sampling = Sampling(
        max_chars=50,
        seed=1,
        temperature=some(rng.uniform(0.3, 2), 0.0 if rng.random() < 0.2 else 1.0),
        top_k=int(some(rng.integers(1, 9), 0)),
        top_p=some(rng.uniform(0.2, 0.9), 1.0),
        min_p=some(rng.uniform(0.01, 0.3), 0.0),
        typical_p=some(rng.uniform(0.2, 0.9), 1.0),
        bias=tuple((symbol, rng.uniform(-4, 4)) for symbol in biased) if rng.random() < 0.4 else (),
        penalties=Penalties(some(rng.random(), 0.0), some(rng.random(), 0.0), some(rng.uniform(0.7, 2), 1.0)),
        min_chars=int(some(rng.integers(1, 6), 0)),
        end_ids=(4, 5, 6),
        reports_drawn_logprobs=bool(rng.random() < 0.3),
    )
    return Lane(given, sampling=sampling)


@dataclass
class Alone:
    """Draws for one lane by a plain reading of the rules, and keeps what it has drawn."""

    lane: Lane
    drawn: list[int] = field(default_factory=list)

    @property
    def enabled(self) -> bool:
        return self.lane.sampling is not None and self.lane.sampling.needs_host

    def draw(self, logprobs: np.ndarray, uniform: float) -> tuple[int, list[float]]:
        """Returns the symbol drawn and the log-probabilities reported."""
        s = self.lane.sampling
        assert s is not None
        history = History(
            np.bincount(self.drawn, minlength=SYMBOLS).astype(np.float64)[None],
            np.isin(np.arange(SYMBOLS), [*self.lane.given.tolist(), *self.drawn])[None],
            *(np.array([p]) for p in (s.penalties.presence, s.penalties.frequency, s.penalties.repetition)),
        )
        scores = penalized(logprobs[None], history)
        for symbol, bias in s.bias:
            scores[0, symbol] += bias
        if len(self.drawn) < s.min_chars:
            scores[0, list(s.end_ids)] = -np.inf
        weights = weigh(scores, np.array([s.temperature or 1.0]), VOCABULARY.unknown_id)
        greedy = np.array([s.temperature == 0])
        typical_p = 1.0 if s.temperature == 0 else s.typical_p  # the likeliest stays where it must be drawn
        numbers = (s.top_k, s.top_p, s.min_p, typical_p)
        weights = truncated(weights, Filters(*(np.array([number]) for number in numbers)))
        symbol = int(draw(weights, np.array([uniform]), greedy)[0])
        self.drawn.append(symbol)
        return symbol, (drawn_logprobs(weights, greedy)[0] if s.reports_drawn_logprobs else logprobs).tolist()


def test_lanes_that_join_move_and_leave_draw_as_each_does_alone() -> None:
    rng, sampler, rows = np.random.default_rng(0), HostSampler(8, VOCABULARY), list[Alone]()
    for _ in range(300):
        while len(rows) < 8 and rng.random() < 0.7:
            rows.append(Alone(random_lane(rng)))
            sampler.join(len(rows) - 1, rows[-1].lane)
        assert sampler.enabled[: len(rows)].tolist() == [row.enabled for row in rows]
        assert sampler.num_enabled == sum(row.enabled for row in rows)
        chosen = [k for k, row in enumerate(rows) if row.enabled and rng.random() < 0.8]
        if chosen:
            logits, uniforms = rng.standard_normal((len(chosen), SYMBOLS)) * 2, rng.random(len(chosen))
            logprobs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
            expected = [rows[k].draw(logprobs[i].copy(), uniforms[i]) for i, k in enumerate(chosen)]
            drawn = sampler.draw(np.array(chosen), logprobs, uniforms)
            assert drawn.tolist() == [symbol for symbol, _ in expected]
            assert logprobs.tolist() == [reported for _, reported in expected]
        if rows and rng.random() < 0.3:
            hole = int(rng.integers(len(rows)))
            sampler.leave(rows[hole].lane)
            if hole < len(rows) - 1:
                sampler.move(len(rows) - 1, hole)
                rows[hole] = rows[-1]
            rows.pop()
