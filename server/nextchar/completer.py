"""Completions: a sampling lane, and its deliveries as pieces of text."""

import secrets
import time
from collections.abc import AsyncGenerator

from nextchar.call import Call
from nextchar.completion import CompletionText
from nextchar.completion_schemas import Completion, CompletionRequest, SamplingFields
from nextchar.dispatch import submitted
from nextchar.errors import InvalidRequest
from nextchar.intake import Intake
from nextchar.lane import FOREVER, Delivery, Lane, Penalties, Sampling
from nextchar.metrics import Metrics
from nextchar.receivers import Stream
from nextchar.repository import Model
from nextchar.schemas import make_usage

_SEEDS = 2**64
_MAX_ID_DIGITS = 9


class Completer:
    """Runs completions; see `Service` for what is raised."""

    def __init__(self, intake: Intake, metrics: Metrics) -> None:
        self._intake = intake
        self._metrics = metrics

    async def stream(self, request: CompletionRequest, call: Call) -> AsyncGenerator[Completion]:
        """The pieces of a completion; the last one has `finish_reason` and `usage`."""
        call.asked(request)
        model = self._intake.model(request.model, call)
        self._intake.check_max_tokens(request.max_tokens)
        given = self._intake.encode(request.prompt, model=model, call=call, param="prompt")
        self._metrics.observe_size(call, len(given))
        lane = Lane(given, sampling=make_sampling(model, request, seed=make_seed(request.seed)))
        prompt = model.graph.vocabulary.normalize(request.prompt)
        async for piece, _ in self.run(model, lane, request, call, prompt=prompt, echo=request.echo):
            if piece is not None:
                yield piece

    async def run(
        self,
        model: Model,
        lane: Lane,
        request: SamplingFields,
        call: Call,
        *,
        prompt: str = "",
        echo: bool = False,
    ) -> AsyncGenerator[tuple[Completion | None, Delivery]]:
        """A sampling lane's deliveries, each with its piece of text, if there is any to show."""
        vocabulary = model.graph.vocabulary
        lane.num_top = request.logprobs or 0
        stop = [vocabulary.normalize(text) for text in request.stop]
        text = CompletionText(vocabulary, prompt, stop, echo=echo, num_top=request.logprobs)
        template = _template(model, call)
        async for delivery, num_sampled in self._run(model, lane, call):
            choice = text.add(delivery)
            usage = make_usage(len(lane.given), num_sampled) if delivery.last else None
            piece = template.model_copy(update={"choices": [choice], "usage": usage})
            yield piece if choice.text or choice.finish_reason else None, delivery

    async def _run(self, model: Model, lane: Lane, call: Call) -> AsyncGenerator[tuple[Delivery, int]]:
        """A lane's deliveries, each with how many characters are sampled so far, observed as they pass."""
        stream = lane.receiver = Stream()
        num_given, num_seen, previous = len(lane.given), 0, 0.0
        streamed = lane.sampling is not None and lane.sampling.chars_per_delivery > 0
        with submitted(model, [lane], call):
            async for delivery in stream:
                now = time.monotonic()
                fed = min(len(delivery.ids), max(0, num_given - num_seen))
                sampled = len(delivery.ids) - fed
                num_seen += len(delivery.ids)
                self._metrics.count_chars(call, fed=fed, sampled=sampled)
                if sampled and previous:
                    self._metrics.observe_inter_char(call, (now - previous) / sampled)
                elif sampled and streamed:
                    self._metrics.observe_first_char(call)
                previous = now if sampled and streamed else previous
                if delivery.last:
                    self._metrics.observe_queue(call, lane.joined - lane.submitted)
                    call.ran(lane.submitted, lane.joined)
                yield delivery, max(0, num_seen - num_given)


def make_seed(given: int | None) -> int:
    """The given seed, or one that nobody knows."""
    return secrets.randbelow(_SEEDS) if given is None else given % _SEEDS


def make_sampling(model: Model, request: SamplingFields, *, seed: int, first_draw: int = 0) -> Sampling:
    """How a request draws: by a seed's random numbers from number `first_draw` on.

    Raises:
        InvalidRequest: `logit_bias` has a key that is no symbol of the model.
    """
    options = request.stream_options
    stop = [model.graph.vocabulary.normalize(text) for text in request.stop]
    return Sampling(
        max_chars=request.max_tokens,
        seed=seed,
        first_draw=first_draw,
        temperature=request.temperature,
        top_k=request.top_k,
        top_p=request.top_p,
        min_p=request.min_p,
        bias=_bias(model, request.logit_bias),
        penalties=Penalties(request.presence_penalty, request.frequency_penalty, request.repetition_penalty),
        stop=tuple(ids for text in stop if (ids := _stop_ids(model, text))),
        chars_per_delivery=options.min_event_chars if request.stream else 0,
        seconds_per_delivery=options.max_event_seconds if request.stream else FOREVER,
    )


def _bias(model: Model, by_symbol: dict[str, float]) -> tuple[tuple[int, float], ...]:
    """Ids and what is added to them.

    Raises:
        InvalidRequest: a key is neither a character of the model nor the id of a symbol.
    """
    return tuple((_symbol_id(model, key), bias) for key, bias in by_symbol.items())


def _symbol_id(model: Model, key: str) -> int:
    """Digits are an id, as OpenAI's clients send them; anything else is a character."""
    vocabulary = model.graph.vocabulary
    if not (key.isascii() and key.isdecimal()):
        normal = vocabulary.normalize(key)
        if normal in vocabulary.characters:
            return vocabulary.characters.index(normal)
    elif len(key) <= _MAX_ID_DIGITS and int(key) < vocabulary.num_outputs:
        return int(key)
    raise InvalidRequest(
        f"logit_bias: {key[:20]!r} is neither a character of the model nor an id below "
        f"{vocabulary.num_outputs}",
        param="logit_bias",
    )


def _stop_ids(model: Model, text: str) -> tuple[int, ...]:
    """A stop string's ids; none if it holds a character that can never be sampled."""
    vocabulary = model.graph.vocabulary
    try:
        ids = vocabulary.encode(text).tolist()
    except KeyError:
        return ()
    return () if vocabulary.unknown_id in ids else tuple(ids)


def _template(model: Model, call: Call) -> Completion:
    return Completion(
        id=f"cmpl-{call.request_id}",
        created=int(time.time()),
        model=model.name,
        model_version=model.version,
        system_fingerprint=f"{model.name}-{model.version}-{model.graph.digest[:12]}",
        choices=[],
    )
