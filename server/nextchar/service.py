"""What every door calls: a request in, an answer out.

Doors validate the shape of a request with `schemas`; `Intake` holds it against the model and the
limits; here it becomes lanes, and what the lanes deliver becomes the answer.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import numpy as np

from nextchar.call import Call
from nextchar.completer import Completer
from nextchar.completion import join_choices
from nextchar.errors import InvalidRequest
from nextchar.intake import Intake, count_unknown
from nextchar.lane import Delivery, Lane, ScoreJob, Work
from nextchar.limits import Limits
from nextchar.metrics import Metrics
from nextchar.receivers import Gather
from nextchar.repository import Model, Repository
from nextchar.sampler import Doubles
from nextchar.schemas import (
    Completion,
    CompletionRequest,
    NextRequest,
    NextResponse,
    Score,
    ScoreRequest,
    ScoreResponse,
    make_usage,
)
from nextchar.scoring import char_scores, entropy_bits, joined_logprobs, make_score, next_chars
from nextchar.trie import build_trie, split_sorted
from nextchar.vocabulary import Ids

_NOTHING: Doubles = np.empty(0)


class Service:
    """Score, next, complete. Methods run on the event loop; lanes run on the models' engines.

    Each raises InvalidRequest, InputTooLarge, UnknownCharacter or ModelNotFound for a wrong request,
    QueueFull, Unavailable, DeadlineExceeded or InternalError for one that cannot be answered now.
    """

    def __init__(self, repository: Repository, metrics: Metrics, limits: Limits) -> None:
        self.repository = repository
        self.metrics = metrics
        self._intake = Intake(repository, metrics, limits)
        self._completer = Completer(self._intake, metrics)

    @property
    def ready(self) -> bool:
        """Whether new work is taken and every model answers."""
        return not self._intake.draining and self.repository.ready

    @property
    def draining(self) -> bool:
        return self._intake.draining

    def drain(self) -> None:
        """Take no new work; what runs goes on to its end."""
        self._intake.draining = True

    async def score(self, request: ScoreRequest, call: Call) -> ScoreResponse:
        """log p of each string, from the begin symbol or after the context."""
        model = self._intake.model(request.model, call)
        self._intake.check_strings(len(request.input))
        context = self._intake.encode(request.context, model=model, call=call, param="context")
        strings = [
            self._intake.encode(text, model=model, call=call, param=f"input.{i}")
            for i, text in enumerate(request.input)
        ]
        num_scored, num_fed = sum(map(len, strings)), len(context)
        self._intake.check_total(num_scored + num_fed)
        self.metrics.observe_size(call, num_scored + num_fed)
        end = np.array([_end_id(model)] if request.include_end else [], dtype=np.int64)
        targets = [np.concatenate([ids, end]) for ids in strings]
        logprobs = await self._logprobs(model, call, context, targets)
        data = [
            _score(model, request, i, target, values)
            for i, (target, values) in enumerate(zip(targets, logprobs, strict=True))
        ]
        for score in data:
            self.metrics.observe_score(call, score.bits_per_char)
        self.metrics.count_chars(call, scored=num_scored, fed=num_fed)
        return ScoreResponse(
            model=model.name, model_version=model.version, data=data, usage=make_usage(num_scored + num_fed)
        )

    async def next(self, request: NextRequest, call: Call) -> NextResponse:
        """The distribution of the character after a text."""
        model = self._intake.model(request.model, call)
        ids = self._intake.encode(request.input, model=model, call=call, param="input")
        self.metrics.observe_size(call, len(ids))
        deliveries = await self._run(model, call, [Lane(ids, wants_distribution=True)])
        distribution = deliveries[0][-1].distribution
        assert distribution is not None
        self.metrics.count_chars(call, fed=len(ids))
        return NextResponse(
            model=model.name,
            model_version=model.version,
            data=next_chars(distribution, model.graph.vocabulary, request.top),
            entropy_bits=entropy_bits(distribution),
            usage=make_usage(len(ids)),
        )

    async def complete(self, request: CompletionRequest, call: Call) -> Completion:
        """A whole completion: the pieces of `stream`, joined."""
        async with aclosing(self._completer.stream(request, call)) as pieces:
            parts = [piece async for piece in pieces]
        choice = join_choices([part.choices[0] for part in parts])
        return parts[-1].model_copy(update={"choices": [choice]})

    def stream(self, request: CompletionRequest, call: Call) -> AsyncGenerator[Completion]:
        """A completion as it is sampled. What the request did wrong is raised before the first piece."""
        return self._completer.stream(request, call)

    async def _logprobs(self, model: Model, call: Call, context: Ids, targets: list[Ids]) -> list[Doubles]:
        """What each symbol of each target is worth. One target is somebody waiting; many are jobs."""
        if len(targets) == 1:
            (pieces,) = await self._run(model, call, [Lane(np.concatenate([context, targets[0]]))])
            return [joined_logprobs(pieces, len(context))]
        begin_id = model.graph.vocabulary.begin_id
        parts = split_sorted(targets, len(model.engine))
        # Building a large trie takes milliseconds, which the event loop has better use for.
        tries = await asyncio.to_thread(
            lambda: [build_trie([targets[i] for i in part], begin_id, context) for part in parts]
        )
        deliveries = await self._run(model, call, [ScoreJob(trie) for trie in tries])
        result: list[Doubles] = [_NOTHING] * len(targets)
        for part, (delivery,) in zip(parts, deliveries, strict=True):
            ends = np.cumsum([len(targets[i]) for i in part])
            for i, values in zip(part, np.split(delivery.logprobs, ends[:-1]), strict=True):
                result[i] = values
        return result

    async def _run(self, model: Model, call: Call, works: Sequence[Work]) -> list[list[Delivery]]:
        """Run work to its end; if the caller leaves, so does it."""
        gather = Gather(len(works))
        for tag, work in enumerate(works):
            work.receiver, work.deadline, work.tag = gather, call.deadline, tag
        model.engine.submit(works)
        try:
            deliveries = await gather.wait()
        except BaseException:
            model.engine.cancel(works)
            raise
        self.metrics.observe_queue(call, max(work.joined - work.submitted for work in works))
        return deliveries


def _score(
    model: Model,
    request: ScoreRequest,
    index: int,
    target: Ids,
    logprobs: Doubles,
) -> Score:
    vocabulary = model.graph.vocabulary
    num_chars = len(target) - request.include_end
    score = make_score(index, logprobs, num_chars, count_unknown(target, vocabulary), model.graph.card)
    if not request.return_chars:
        return score
    text = vocabulary.normalize(request.input[index])
    return score.model_copy(update={"chars": char_scores(text, target, logprobs, vocabulary)})


def _end_id(model: Model) -> int:
    end_id = model.graph.vocabulary.end_id
    if end_id is None:
        raise InvalidRequest(
            f"model {model.name!r} was trained on running text and has no end symbol: "
            "include_end needs a model trained with --unit line",
            param="include_end",
        )
    return end_id
