"""Scores: strings to a lane or to jobs, and what their symbols were worth to an answer."""

import asyncio
from collections.abc import Sequence

import numpy as np

from nextchar.call import Call
from nextchar.dispatch import run_to_end
from nextchar.errors import InvalidRequest
from nextchar.intake import Intake
from nextchar.lane import Lane, ScoreJob
from nextchar.metrics import Metrics
from nextchar.repository import Model
from nextchar.sampler import Doubles
from nextchar.schemas import Score, ScoreRequest, ScoreResponse, make_usage
from nextchar.scoring import char_scores, joined_logprobs, make_scores
from nextchar.trie import Trie, build_trie, split_sorted
from nextchar.vocabulary import Ids

_AT_ONCE = 64  # strings; more are worth another thread, since the event loop has better use for milliseconds


class Scorer:
    """Runs score requests; see `Service` for what is raised."""

    def __init__(self, intake: Intake, metrics: Metrics) -> None:
        self._intake = intake
        self._metrics = metrics

    async def score(self, request: ScoreRequest, call: Call) -> ScoreResponse:
        """log p of each string, from the begin symbol or after the context."""
        model = self._intake.model(request.model, call)
        self._intake.check_strings(len(request.input))
        context = self._intake.encode(request.context, model=model, call=call, param="context")
        strings = self._intake.encode_all(request.input, model=model, call=call, param="input")
        num_scored, num_fed = sum(map(len, strings)), len(context)
        self._intake.check_total(num_scored + num_fed)
        self._metrics.observe_size(call, num_scored + num_fed)
        if request.include_end:
            end = np.array([_end_id(model)], dtype=np.int64)
            strings = [np.concatenate([ids, end]) for ids in strings]
        logprobs = await self._logprobs(model, call, context, strings)
        data = make_scores(logprobs, strings, model.graph, has_end=request.include_end)
        if request.return_chars:
            data = [_with_chars(score, request, model, strings, logprobs) for score in data]
        self._metrics.observe_scores(call, [score.bits_per_char for score in data])
        self._metrics.count_chars(call, scored=num_scored, fed=num_fed)
        usage = make_usage(num_scored + num_fed)
        return ScoreResponse(model=model.name, model_version=model.version, data=data, usage=usage)

    async def _logprobs(
        self, model: Model, call: Call, context: Ids, strings: Sequence[Ids]
    ) -> list[Doubles]:
        """What each symbol of each string is worth. One string is somebody waiting; many are jobs."""
        if len(strings) == 1:
            lane = Lane(np.concatenate([context, strings[0]]))
            (pieces,) = await run_to_end(model, [lane], call=call, metrics=self._metrics)
            return [joined_logprobs(pieces, len(context))]
        if len(strings) <= _AT_ONCE:
            parts, tries = _tries(model, context, strings)
        else:
            parts, tries = await asyncio.to_thread(_tries, model, context, strings)
        jobs = [ScoreJob(trie) for trie in tries]
        deliveries = await run_to_end(model, jobs, call=call, metrics=self._metrics)
        result: list[Doubles] = [np.empty(0)] * len(strings)
        for part, (delivery,) in zip(parts, deliveries, strict=True):
            end = 0
            for i in part:
                start, end = end, end + len(strings[i])
                result[i] = delivery.logprobs[start:end]
        return result


def _tries(model: Model, context: Ids, strings: Sequence[Ids]) -> tuple[list[list[int]], list[Trie]]:
    """A trie for each engine, and the indices of its strings."""
    parts = split_sorted(strings, len(model.engine))
    begin_id = model.graph.vocabulary.begin_id
    return parts, [build_trie([strings[i] for i in part], begin_id, context) for part in parts]


def _with_chars(
    score: Score, request: ScoreRequest, model: Model, strings: list[Ids], logprobs: list[Doubles]
) -> Score:
    vocabulary, i = model.graph.vocabulary, score.index
    text = vocabulary.normalize(request.input[i])
    return score.model_copy(update={"chars": char_scores(text, strings[i], logprobs[i], vocabulary)})


def _end_id(model: Model) -> int:
    end_id = model.graph.vocabulary.end_id
    if end_id is None:
        raise InvalidRequest(
            f"model {model.name!r} was trained on running text and has no end symbol: "
            "include_end needs a model trained with --unit line",
            param="include_end",
        )
    return end_id
