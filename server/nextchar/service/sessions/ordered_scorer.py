"""Scores strings of an adaptive text in their order: each after those before it, which were learned.

A model of lines reads each string as a line: the network begins anew, and what was learned goes on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from nextchar.engine.cooperative import Cooperative, run_cooperatively
from nextchar.engine.sampler import Doubles
from nextchar.model.strings import Ids, Strings
from nextchar.repository.model import Model
from nextchar.schemas.base import make_usage
from nextchar.schemas.score import BeginsAfter, Score, ScoreRequest, ScoreResponse
from nextchar.service.inference.answer_weight import score_weight
from nextchar.service.inference.score_math import make_scores
from nextchar.service.inference.score_rows import CharScores
from nextchar.service.inference.score_runner import end_id
from nextchar.service.inference.validation import EncodedText, Validation
from nextchar.service.sessions.memories import passed_over
from nextchar.service.sessions.state import SessionState
from nextchar.service.sessions.stepper import Fed, SessionStepper
from nextchar.telemetry.metrics import Metrics
from nextchar.telemetry.request_context import RequestContext

_A_SLICE = 64  # strings
_NOTHING: Ids = np.empty(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class _Text:
    """Holds the context and the strings of a request as one text.

    `after_return` [strings] is how the text before each ended.
    """

    context: EncodedText
    strings: list[Ids]
    after_return: list[bool]
    ends_in_return: bool

    @property
    def num_scored(self) -> int:
        return sum(map(len, self.strings))


@dataclass(frozen=True, slots=True, eq=False)
class ReadStrings:
    """Holds strings that were read one after the other, and the state after them.

    `ids` are those of their characters, `logprobs` those of their symbols under the mixture, with the end
    symbol's last if it was read. `after_return` [strings] says how the text before each ended.
    """

    ids: list[Ids]
    logprobs: list[Doubles]
    after_return: list[bool]
    state: SessionState

    @property
    def num_chars(self) -> int:
        """How many characters they have."""
        return sum(map(len, self.ids))


class OrderedScorer:
    """Scores strings one after the other, in one lane; raises what `Service` raises."""

    def __init__(self, validation: Validation, metrics: Metrics) -> None:
        self._validation, self._metrics = validation, metrics

    async def score(
        self, request: ScoreRequest, model: Model, state: SessionState, ctx: RequestContext
    ) -> tuple[ScoreResponse, SessionState]:
        """Returns the scores after a state, and the state after the last string."""
        text, strings, fed = await self._read_through(request, model, state, ctx)
        answer = await run_cooperatively(self._answer(request, model, state, text, strings, fed, ctx))
        self._metrics.count_chars(ctx, scored=text.num_scored, fed=len(text.context.ids))
        return answer, fed.state

    async def symbol_logprobs(
        self, request: ScoreRequest, model: Model, state: SessionState, ctx: RequestContext
    ) -> ReadStrings:
        """Returns log p of each string's symbols after a state and the strings before it."""
        text, strings, fed = await self._read_through(request, model, state, ctx)
        mixed = fed.logprobs[len(text.context.ids) :]
        self._metrics.count_chars(ctx, scored=text.num_scored, fed=len(text.context.ids))
        logprobs = [mixed[first:last] for first, last in pairwise(strings.starts.tolist())]
        return ReadStrings(text.strings, logprobs, text.after_return, fed.state)

    async def _read_through(
        self, request: ScoreRequest, model: Model, state: SessionState, ctx: RequestContext
    ) -> tuple[_Text, Strings, Fed]:
        """Reads the context and the strings; returns them, the strings' symbols, and what the lane found."""
        self._validation.check_strings(len(request.input))
        text = await run_cooperatively(self._read(request, model, state, ctx))
        self._metrics.observe_size(ctx, len(text.context.ids) + text.num_scored)
        strings = Strings.of(text.strings)
        if request.include_end:
            strings = strings.ending_in(end_id(model))
        stepper = SessionStepper(model, ctx, self._metrics)
        if (end := model.graph.vocabulary.end_id) is not None:
            fed = await _feed_lines(stepper, state, text.context.ids, strings, end)
        else:
            everything = np.concatenate([text.context.ids, strings.flat])
            fed = await stepper.feed(state, everything, after_return=text.ends_in_return)
        return text, strings, fed

    def _read(
        self, request: ScoreRequest, model: Model, state: SessionState, ctx: RequestContext
    ) -> Cooperative[_Text]:
        encode = self._validation.encode_next
        context = encode(
            request.context, model=model, ctx=ctx, param="context", after_return=state.here.after_return
        )
        is_running = model.graph.vocabulary.end_id is None  # a line goes on from none
        before, strings, after_return = context.after_return, list[Ids](), list[bool]()
        for i, given in enumerate(request.input):
            found = encode(given, model=model, ctx=ctx, param=f"input.{i}", after_return=before)
            strings.append(found.ids)
            after_return.append(before)
            before = found.after_return and is_running
            if i % _A_SLICE == 0:
                yield
        num_scored = sum(map(len, strings))
        self._validation.check_total(num_scored + len(context.ids))
        num_returned = num_scored + len(strings) * request.include_end
        listed = request.return_chars
        weight = score_weight(len(strings), num_returned, return_chars=listed, learned=True)
        self._validation.check_answer(
            weight, ctx, "return_chars", "send fewer strings, or leave return_chars out"
        )
        return _Text(context, strings, after_return, before)

    def _answer(
        self,
        request: ScoreRequest,
        model: Model,
        state: SessionState,
        text: _Text,
        strings: Strings,
        fed: Fed,
        ctx: RequestContext,
    ) -> Cooperative[ScoreResponse]:
        assert fed.model_logprobs is not None
        num_context, has_end = len(text.context.ids), request.include_end
        mixed, own = fed.logprobs[num_context:], fed.model_logprobs[num_context:]
        rows = yield from make_scores(
            mixed, strings, model.graph, has_end=has_end, from_begin=False, model_logprobs=own
        )
        self._metrics.observe_scores(ctx, np.array(rows.column("bits_per_char")))
        data: Sequence[Score] = rows
        if request.return_chars:
            listed = list[Score]()
            for i, (score, (first, last)) in enumerate(zip(rows, pairwise(strings.starts), strict=True)):
                symbols = slice(first, last)
                chars = _chars(model, request.input[i], text.after_return[i], mixed[symbols], own[symbols])
                listed.append(score.model_copy(update={"chars": chars}))
                yield
            data = listed
        return ScoreResponse(
            model=model.name,
            model_version=model.version,
            begins_after=_begins_after(text, state),
            includes_end=has_end,
            data=data,
            usage=make_usage(len(text.context.ids) + text.num_scored),
            case_folding=model.graph.vocabulary.told_folding,
        )


async def _feed_lines(
    stepper: SessionStepper, state: SessionState, context: Ids, lines: Strings, end: int
) -> Fed:
    """Reads lines one after the other, the first after the context; the state after them is before a line."""
    mixed, own = list[Doubles](), list[Doubles]()
    for line in lines:
        fed = await stepper.feed(state, np.concatenate([context, line]))
        here = fed.state.here
        assert here.memory is not None
        assert fed.model_logprobs is not None
        mixed.append(fed.logprobs)
        own.append(fed.model_logprobs)
        is_ended = bool(len(line)) and line[-1] == end
        memory = here.memory if is_ended else passed_over(here.memory, np.array([end], dtype=np.int64))
        state, context = SessionState.begun(state.seed, memory), _NOTHING
    return Fed(state, np.concatenate(mixed), model_logprobs=np.concatenate(own))


def _begins_after(text: _Text, state: SessionState) -> BeginsAfter:
    if len(text.context.ids):
        return "context"
    return "begin" if state.here.state is None else "state"


def _chars(model: Model, given: str, after_return: bool, mixed: Doubles, own: Doubles) -> CharScores:
    vocabulary = model.graph.vocabulary
    return CharScores(vocabulary.normalize(given, after_return=after_return), mixed, vocabulary, own)
