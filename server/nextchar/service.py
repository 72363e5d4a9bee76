"""What every door calls: a request in, an answer out.

Doors validate the shape of a request with `schemas`; `Intake` holds it against the model and the
limits; here it becomes lanes, and what the lanes deliver becomes the answer.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import numpy as np

from nextchar.call import Call
from nextchar.completer import Completer
from nextchar.completion import join_choices
from nextchar.errors import InvalidRequest
from nextchar.intake import Intake, count_unknown
from nextchar.lane import Delivery, Lane, Priority
from nextchar.limits import Limits
from nextchar.metrics import Metrics
from nextchar.receivers import Gather
from nextchar.repository import Model, Repository
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
from nextchar.vocabulary import Ids


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
        num_scored = sum(map(len, strings))
        num_fed = len(context) * len(strings)
        self._intake.check_total(num_scored + num_fed)
        self.metrics.observe_size(call, num_scored + num_fed)
        end = np.array([_end_id(model)] if request.include_end else [], dtype=np.int64)
        targets = [np.concatenate([ids, end]) for ids in strings]
        deliveries = await self._run(
            model, call, [_score_lane(context, target, len(strings)) for target in targets]
        )
        data = [
            _score(model, request, i, target, joined_logprobs(deliveries[i], len(context)))
            for i, target in enumerate(targets)
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

    async def _run(self, model: Model, call: Call, lanes: list[Lane]) -> list[list[Delivery]]:
        """Run lanes to their ends; if the caller leaves, so do they."""
        gather = Gather(len(lanes))
        for tag, lane in enumerate(lanes):
            lane.receiver, lane.deadline, lane.tag = gather, call.deadline, tag
        model.engine.submit(lanes)
        try:
            deliveries = await gather.wait()
        except BaseException:
            model.engine.cancel(lanes)
            raise
        self.metrics.observe_queue(call, max(lane.joined - lane.submitted for lane in lanes))
        return deliveries


def _score_lane(context: Ids, target: Ids, num_strings: int) -> Lane:
    """A request's only string is somebody waiting; many are bulk."""
    priority = Priority.INTERACTIVE if num_strings == 1 else Priority.BULK
    return Lane(np.concatenate([context, target]), priority=priority)


def _score(
    model: Model,
    request: ScoreRequest,
    index: int,
    target: Ids,
    logprobs: np.ndarray[tuple[int], np.dtype[np.float64]],
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
