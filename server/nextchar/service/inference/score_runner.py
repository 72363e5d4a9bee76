"""Runs scores in three steps: prepares lanes or jobs, runs them, computes scores from log-probabilities."""

from dataclasses import dataclass

import numpy as np

from nextchar.engine.adaptive.memory import Memory
from nextchar.engine.cooperative import Cooperative, run_cooperatively
from nextchar.engine.lane import Lane, LaneState, ScoreJob
from nextchar.engine.sampler import Doubles
from nextchar.engine.trie import Trie, build_trie, split_sorted
from nextchar.engine.work import Work
from nextchar.errors import InvalidRequest
from nextchar.model.vocabulary import Ids
from nextchar.repository.model import Model
from nextchar.schemas.base import make_usage
from nextchar.schemas.score import BeginsAfter, Score, ScoreFields, ScoreRequest, ScoreResponse
from nextchar.service.inference.answer_weight import score_weight
from nextchar.service.inference.score_math import joined_logprobs, joined_model_logprobs, make_scores
from nextchar.service.inference.score_rows import CharScores
from nextchar.service.inference.submission import run_to_end
from nextchar.service.inference.validation import EncodedText, Validation
from nextchar.telemetry.metrics import Metrics
from nextchar.telemetry.request_context import RequestContext

_A_SLICE = 256  # strings


@dataclass(frozen=True, slots=True)
class _Prepared:
    """What a request runs: ids, and the tries made of them, each with its strings' indices.

    With a `memory`, strings are learned while they are read, each by itself: there are no tries.
    """

    model: Model
    context: Ids
    start: LaneState | None
    strings: list[Ids]
    after_return: bool
    num_scored: int
    parts: list[list[int]]
    tries: list[Trie]
    memory: Memory | None = None

    @property
    def num_chars(self) -> int:
        return self.num_scored + len(self.context)


class ScoreRunner:
    """Scores strings after any start; raises what `Service` raises."""

    def __init__(self, validation: Validation, metrics: Metrics) -> None:
        self._validation = validation
        self._metrics = metrics

    async def score(self, request: ScoreRequest, ctx: RequestContext) -> ScoreResponse:
        """Returns log p of each string, from the begin symbol or after the context."""
        self._validation.check_strings(len(request.input))
        return await self.score_with(self._validation.model(request.model, ctx), request, ctx)

    async def score_with(self, model: Model, request: ScoreRequest, ctx: RequestContext) -> ScoreResponse:
        """Returns what `score` does, of a model that was looked up before."""
        context = self._validation.encode_next(
            request.context, model=model, ctx=ctx, param="context", after_return=False
        )
        return await self.score_after(request, model, context, None, ctx)

    async def score_after(
        self,
        request: ScoreFields,
        model: Model,
        context: EncodedText,
        start: LaneState | None,
        ctx: RequestContext,
        *,
        memory: Memory | None = None,
    ) -> ScoreResponse:
        """Returns log p of each string after a state, or the begin symbol, and a context.

        With the memory of an adaptive state, each string is learned while it is read, and none of the others.
        """
        self._validation.check_strings(len(request.input))
        prepared = await run_cooperatively(self._prepare(request, model, context, start, ctx, memory))
        self._metrics.observe_size(ctx, prepared.num_chars)
        logprobs, own = await self._run(prepared, ctx)
        answer = await run_cooperatively(self._answer(request, prepared, logprobs, own, ctx))
        self._metrics.count_chars(ctx, scored=prepared.num_scored, fed=len(prepared.context))
        return answer

    async def symbol_logprobs(
        self, request: ScoreFields, model: Model, ctx: RequestContext
    ) -> tuple[list[Doubles], int]:
        """Returns log p of each string's symbols from the begin symbol, and the number of their characters.

        They are float64 [symbols], with the end symbol's last if the request includes it.
        """
        self._validation.check_strings(len(request.input))
        nothing = EncodedText(np.empty(0, dtype=np.int64), after_return=False)
        prepared = await run_cooperatively(self._prepare(request, model, nothing, None, ctx, None))
        self._metrics.observe_size(ctx, prepared.num_chars)
        logprobs, _ = await self._run(prepared, ctx)
        self._metrics.count_chars(ctx, scored=prepared.num_scored)
        return _by_string(prepared, logprobs), prepared.num_scored

    def _prepare(
        self,
        request: ScoreFields,
        model: Model,
        before: EncodedText,
        start: LaneState | None,
        ctx: RequestContext,
        memory: Memory | None,
    ) -> Cooperative[_Prepared]:
        context, after_return, strings = before.ids, before.after_return, list[Ids]()
        for first in range(0, len(request.input), _A_SLICE):
            texts = request.input[first : first + _A_SLICE]
            strings += self._validation.encode_all(
                texts, model=model, ctx=ctx, param="input", first=first, after_return=after_return
            )
            yield
        num_scored = sum(map(len, strings))
        self._validation.check_total(num_scored + len(context))
        num_returned = num_scored + len(strings) * request.include_end
        learned, listed = memory is not None, request.return_chars
        weight = score_weight(len(strings), num_returned, return_chars=listed, learned=learned)
        self._validation.check_answer(
            weight, ctx, "return_chars", "send fewer strings, or leave return_chars out"
        )
        if request.include_end:
            end = np.array([end_id(model)], dtype=np.int64)
            strings = [np.concatenate([ids, end]) for ids in strings]
        parts: list[list[int]] = []
        if len(strings) > 1 and memory is None:
            parts = split_sorted(strings, len(model.engine))
        first_id = model.graph.vocabulary.begin_id if start is None else start.last_id
        tries = []
        for part in parts:
            trie = yield from build_trie([strings[i] for i in part], first_id, context)
            tries.append(trie)
        return _Prepared(model, context, start, strings, after_return, num_scored, parts, tries, memory)

    async def _run(
        self, prepared: _Prepared, ctx: RequestContext
    ) -> tuple[list[Doubles], list[Doubles] | None]:
        """Returns log-probabilities: of the symbols of strings in lanes of their own, or of the tries' nodes.

        With a memory, also the network's own.
        """
        start, context, memory = prepared.start, prepared.context, prepared.memory
        works: list[Work] = [ScoreJob(trie, start=start) for trie in prepared.tries]
        if not works:
            works = [
                Lane(np.concatenate([context, ids]), start=start, memory=memory) for ids in prepared.strings
            ]
        deliveries = await run_to_end(prepared.model, works, ctx=ctx, metrics=self._metrics)
        mixed = [joined_logprobs(pieces) for pieces in deliveries]
        if memory is None:
            return mixed, None
        # An empty string has no step, and so none of either.
        own = [np.empty(0) if found is None else found for found in map(joined_model_logprobs, deliveries)]
        return mixed, [values[len(context) :] for values in own]

    def _answer(
        self,
        request: ScoreFields,
        prepared: _Prepared,
        results: list[Doubles],
        own: list[Doubles] | None,
        ctx: RequestContext,
    ) -> Cooperative[ScoreResponse]:
        model, strings = prepared.model, prepared.strings
        logprobs = _by_string(prepared, results)
        yield
        begins_after = _begins_after(prepared)
        data = yield from make_scores(
            logprobs,
            strings,
            model.graph,
            has_end=request.include_end,
            from_begin=begins_after == "begin" and own is None,
            model_logprobs=own,
        )
        self._metrics.observe_scores(ctx, np.array([score.bits_per_char for score in data]))
        if request.return_chars:
            for i, score in enumerate(data):
                data[i] = _with_chars(score, request, prepared, logprobs, own)
                yield
        usage = make_usage(prepared.num_chars)
        return ScoreResponse(
            model=model.name,
            model_version=model.version,
            begins_after=begins_after,
            includes_end=request.include_end,
            data=data,
            usage=usage,
            case_folding=model.graph.vocabulary.told_folding,
        )


def _begins_after(prepared: _Prepared) -> BeginsAfter:
    if len(prepared.context):
        return "context"
    return "begin" if prepared.start is None else "state"


def _by_string(prepared: _Prepared, results: list[Doubles]) -> list[Doubles]:
    """Returns each string's log-probabilities, in the order of the request."""
    strings = prepared.strings
    if not prepared.tries:
        return [values[len(prepared.context) :] for values in results]
    by_string: list[Doubles] = [np.empty(0)] * len(strings)
    for part, trie, nodes in zip(prepared.parts, prepared.tries, results, strict=True):
        values, end = trie.gather(nodes), 0
        for i in part:
            start, end = end, end + len(strings[i])
            by_string[i] = values[start:end]
    return by_string


def _with_chars(
    score: Score,
    request: ScoreFields,
    prepared: _Prepared,
    logprobs: list[Doubles],
    own: list[Doubles] | None,
) -> Score:
    vocabulary, i = prepared.model.graph.vocabulary, score.index
    text = vocabulary.normalize(request.input[i], after_return=prepared.after_return)
    chars = CharScores(text, logprobs[i], vocabulary, None if own is None else own[i])
    return score.model_copy(update={"chars": chars})


def end_id(model: Model) -> int:
    """Returns the id of the end symbol; raises InvalidRequest for a model without one."""
    symbol_id = model.graph.vocabulary.end_id
    if symbol_id is None:
        raise InvalidRequest(
            f"include_end must be false for model {model.name!r}, which was trained on running text and has "
            "no end symbol; models trained with --unit line have one",
            param="include_end",
        )
    return symbol_id
