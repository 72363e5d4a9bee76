"""Runs scores in three steps: prepares lanes or jobs, runs them, computes scores from log-probabilities."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from nextchar.engine.adaptive.memory import Memory
from nextchar.engine.cooperative import Cooperative, run_cooperatively
from nextchar.engine.lane import Lane, LaneState, ScoreJob
from nextchar.engine.sampler import Doubles
from nextchar.engine.trie import Trie, build_trie, split_sorted
from nextchar.engine.work import Work
from nextchar.errors import InvalidRequest
from nextchar.model.strings import Ids, Strings
from nextchar.repository.model import Model
from nextchar.schemas.base import make_usage
from nextchar.schemas.score import BeginsAfter, Score, ScoreFields, ScoreRequest, ScoreResponse
from nextchar.service.inference.answer_weight import score_weight
from nextchar.service.inference.score_math import joined_logprobs, joined_model_logprobs, make_scores
from nextchar.service.inference.score_rows import CharScores, ScoreRows
from nextchar.service.inference.submission import run_to_end
from nextchar.service.inference.validation import EncodedText, Validation
from nextchar.telemetry.metrics import Metrics
from nextchar.telemetry.request_context import RequestContext

_A_SLICE, _SLICE_CHARS = 1024, 16_384  # strings, and their characters, that are encoded at once


@dataclass(frozen=True, slots=True)
class EncodedStrings:
    """Holds the strings of a request that is within the limits: ids, with those of the end symbol if scored.

    `after_return` says that the text before each ended in a carriage return that was read as a newline.
    """

    strings: Strings
    num_scored: int
    after_return: bool


@dataclass(frozen=True, slots=True)
class _Prepared:
    """What a request runs: ids, and the tries made of them.

    With a `memory`, strings are learned while they are read, each by itself: there are no tries.
    """

    model: Model
    context: Ids
    start: LaneState | None
    strings: Strings
    after_return: bool
    num_scored: int
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
        encoded = await self.encoded(request, model, context, ctx, learned=memory is not None)
        return await self.score_encoded(request, model, encoded, context.ids, start, ctx, memory=memory)

    async def encoded(
        self, request: ScoreFields, model: Model, context: EncodedText, ctx: RequestContext, *, learned: bool
    ) -> EncodedStrings:
        """Encodes the strings of a request; raises for all that is wrong with it and its context."""
        self._validation.check_strings(len(request.input))
        return await run_cooperatively(self._encode(request, model, context, ctx, learned=learned))

    async def score_encoded(
        self,
        request: ScoreFields,
        model: Model,
        encoded: EncodedStrings,
        context: Ids,
        start: LaneState | None,
        ctx: RequestContext,
        *,
        memory: Memory | None = None,
    ) -> ScoreResponse:
        """Returns what `score_after` does, of strings that `encoded` has returned."""
        prepared = await run_cooperatively(_prepare(model, encoded, context, start, memory))
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
        nothing = EncodedText(np.empty(0, dtype=np.int64), after_return=False)
        encoded = await self.encoded(request, model, nothing, ctx, learned=False)
        prepared = await run_cooperatively(_prepare(model, encoded, nothing.ids, None, None))
        self._metrics.observe_size(ctx, prepared.num_chars)
        logprobs, _ = await self._run(prepared, ctx)
        self._metrics.count_chars(ctx, scored=prepared.num_scored)
        flat = await run_cooperatively(_by_string(prepared, logprobs))
        return [flat[a:b] for a, b in pairwise(prepared.strings.starts.tolist())], prepared.num_scored

    def _encode(
        self, request: ScoreFields, model: Model, before: EncodedText, ctx: RequestContext, *, learned: bool
    ) -> Cooperative[EncodedStrings]:
        after_return, encoded = before.after_return, list[Strings]()
        for first, last in _slices(request.input):
            texts = request.input[first:last]
            encoded.append(
                self._validation.encode_all(
                    texts, model=model, ctx=ctx, param="input", first=first, after_return=after_return
                )
            )
            yield
        strings = Strings.joined(encoded)
        num_scored = len(strings.flat)
        self._validation.check_total(num_scored + len(before.ids))
        num_returned = num_scored + len(strings) * request.include_end
        listed = request.return_chars
        weight = score_weight(len(strings), num_returned, return_chars=listed, learned=learned)
        self._validation.check_answer(
            weight, ctx, "return_chars", "send fewer strings, or leave return_chars out"
        )
        if request.include_end:
            strings = strings.ending_in(end_id(model))
        return EncodedStrings(strings, num_scored, after_return)

    async def _run(self, prepared: _Prepared, ctx: RequestContext) -> tuple[list[Doubles], Doubles | None]:
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
        self._metrics.count_adaptive(ctx, np.concatenate(mixed), np.concatenate(own))
        return mixed, np.concatenate([values[len(context) :] for values in own])

    def _answer(
        self,
        request: ScoreFields,
        prepared: _Prepared,
        results: list[Doubles],
        own: Doubles | None,
        ctx: RequestContext,
    ) -> Cooperative[ScoreResponse]:
        model, strings = prepared.model, prepared.strings
        logprobs = yield from _by_string(prepared, results)
        begins_after = _begins_after(prepared)
        rows = yield from make_scores(
            logprobs,
            strings,
            model.graph,
            has_end=request.include_end,
            from_begin=begins_after == "begin" and own is None,
            model_logprobs=own,
        )
        self._metrics.observe_scores(ctx, np.array(rows.column("bits_per_char")))
        data: Sequence[Score] = rows
        if request.return_chars:
            data = yield from _with_chars(rows, request, prepared, logprobs, own)
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


def _prepare(
    model: Model, encoded: EncodedStrings, context: Ids, start: LaneState | None, memory: Memory | None
) -> Cooperative[_Prepared]:
    strings, tries = encoded.strings, list[Trie]()
    if len(strings) > 1 and memory is None:
        yield
        parts = split_sorted(strings, model.engine.num_parts)
        yield
        first_id = model.graph.vocabulary.begin_id if start is None else start.last_id
        for part in parts:
            trie = yield from build_trie(strings, first_id, context, part)
            tries.append(trie)
    return _Prepared(model, context, start, strings, encoded.after_return, encoded.num_scored, tries, memory)


def _begins_after(prepared: _Prepared) -> BeginsAfter:
    if len(prepared.context):
        return "context"
    return "begin" if prepared.start is None else "state"


def _slices(texts: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yields the first and the last number of texts that are encoded at once: one, or few characters."""
    first = num_chars = 0
    for number, length in enumerate(map(len, texts)):
        if number > first and (num_chars + length > _SLICE_CHARS or number - first == _A_SLICE):
            yield first, number
            first, num_chars = number, 0
        num_chars += length
    yield first, len(texts)


def _by_string(prepared: _Prepared, results: list[Doubles]) -> Cooperative[Doubles]:
    """Returns the log-probabilities of all strings' symbols, string after string."""
    if not prepared.tries:
        return np.concatenate([values[len(prepared.context) :] for values in results])
    into = np.empty(len(prepared.strings.flat))
    for trie, nodes in zip(prepared.tries, results, strict=True):
        yield from trie.gather(nodes, into, prepared.strings.starts)
    return into


def _with_chars(
    rows: ScoreRows, request: ScoreFields, prepared: _Prepared, logprobs: Doubles, own: Doubles | None
) -> Cooperative[list[Score]]:
    """Returns scores with those of their characters."""
    vocabulary, starts = prepared.model.graph.vocabulary, prepared.strings.starts
    scores: list[Score] = []
    for score in rows:
        text = vocabulary.normalize(request.input[score.index], after_return=prepared.after_return)
        symbols = slice(starts[score.index], starts[score.index + 1])
        chars = CharScores(text, logprobs[symbols], vocabulary, None if own is None else own[symbols])
        scores.append(score.model_copy(update={"chars": chars}))
        yield
    return scores


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
