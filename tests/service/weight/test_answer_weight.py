"""What an answer weighs is known before any work: never less than it is, and for plain text not much more."""

import gc
import tracemalloc
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel
from support.engine_lanes import Gate
from support.in_process import InProcess, context, in_process, owner_context

from nextchar.client.parts import MAX_MESSAGE_CHARS, MAX_MESSAGE_STRINGS
from nextchar.errors import AnswerTooLarge
from nextchar.rpc.score_stream import MAX_AT_WORK
from nextchar.schemas import protobuf_pairs as pairs
from nextchar.schemas.compare import CompareRequest
from nextchar.schemas.completion import CompletionRequest
from nextchar.schemas.inspect import InspectRequest
from nextchar.schemas.json_pieces import json_pieces
from nextchar.schemas.limits import Limits
from nextchar.schemas.protobuf import to_message
from nextchar.schemas.score import NextRequest, ScoreRequest
from nextchar.schemas.sessions import CreateSessionRequest, FeedRequest, SampleRequest
from nextchar.schemas.tokens import TokenizeRequest
from nextchar.service.inference.answer_weight import ANSWER, Weight, score_weight
from nextchar.service.inference.validation import Validation
from nextchar.service.service import Service
from nextchar.telemetry.request_context import RequestContext

Call = Callable[[Service, RequestContext], Coroutine[Any, Any, Any]]
_BESIDE_BYTES = 16 * 1024  # what metrics and caches keep of a call
MOST_OVER = 4  # times: what is said of an answer of plain text, over what it is
WIDEST = '\0\N{SNOWMAN}\U0001f600é\n"\\a'


@pytest.fixture(scope="module")
def made(models: Path) -> Iterator[InProcess]:
    with in_process(models) as running:
        yield running


def complete(prompt: Any, **fields: Any) -> Call:
    request = CompletionRequest(**{"model": "tiny", "prompt": prompt, "seed": 1} | fields)
    return lambda service, ctx: service.completer.complete(request, ctx)


def score(*texts: str, **fields: Any) -> Call:
    request = ScoreRequest(**{"model": "tiny", "input": list(texts)} | fields)
    return lambda service, ctx: service.scorer.score(request, ctx)


def compare(*texts: str, **fields: Any) -> Call:
    request = CompareRequest(**{"model": "tiny", "input": list(texts)} | fields)
    return lambda service, ctx: service.comparer.compare(request, ctx)


def inspect(text: str, **fields: Any) -> Call:
    request = InspectRequest(**{"model": "tiny", "input": text} | fields)
    return lambda service, ctx: service.inspector.inspect(request, ctx)


def next_(text: str, **fields: Any) -> Call:
    request = NextRequest(**{"model": "tiny", "input": text} | fields)
    return lambda service, ctx: service.predictor.next(request, ctx)


def tokenize(text: str, **fields: Any) -> Call:
    request = TokenizeRequest(**{"model": "tiny", "prompt": text, "return_token_strs": True} | fields)
    return lambda service, ctx: service.tokenizer.tokenize(request, ctx)


def sizes(made: InProcess, call: Call) -> tuple[int, int, int, int]:
    """Returns what was said of an answer and what it is: of the text, then of the message with its bytes."""
    said, are = [], []
    for protocol in ("rest", "grpc"):
        ctx = replace(owner_context(), protocol=protocol)
        answer: BaseModel = made.run(call(made.service, ctx))
        said.append(ctx.answer_bytes)
    are = [sum(map(len, json_pieces(answer))), 2 * to_message(answer, pairs.PAIRS[type(answer)]).ByteSize()]
    return said[0], are[0], said[1], are[1]


texts = st.text(alphabet=WIDEST + "abcdef", max_size=12)
asked = st.fixed_dictionaries(
    {},
    optional={
        "echo": st.booleans(),
        "logprobs": st.integers(0, 20),
        "prompt_logprobs": st.integers(0, 20),
        "return_token_ids": st.booleans(),
        "n": st.integers(1, 2),
        "max_tokens": st.integers(0, 40),
        "model": st.sampled_from(["tiny", "lines", "bytes"]),
        "post_sampling_logprobs": st.booleans(),
        "stop": st.just(["ab"]),
        "adaptive": st.just(True),
    },
)


@settings(max_examples=60)
@given(prompt=texts | st.lists(texts, min_size=1, max_size=3) | st.just([30, 1, 2]), fields=asked)
def test_a_completion_never_weighs_more_than_was_said(made: InProcess, prompt: Any, fields: Any) -> None:
    if prompt == [30, 1, 2]:
        fields = fields | {"model": "tiny"}
    said, is_, said_message, is_message = sizes(made, complete(prompt, **fields))
    assert is_ <= said
    assert is_message <= said_message


@settings(max_examples=40)
@given(
    strings=st.lists(texts, min_size=1, max_size=4),
    model=st.sampled_from(["tiny", "lines", "bytes"]),
    return_chars=st.booleans(),
    adaptive=st.sampled_from([None, True]),
)
def test_a_score_never_weighs_more_than_was_said(
    made: InProcess, strings: list[str], model: str, return_chars: bool, adaptive: Any
) -> None:
    end = {"include_end": True} if model == "lines" else {}
    call = score(*strings, model=model, return_chars=return_chars, adaptive=adaptive, **end)
    said, is_, said_message, is_message = sizes(made, call)
    assert is_ <= said
    assert is_message <= said_message


PLAIN = "to be or not to be, that is the question. " * 24
LISTING = [  # something for each character
    score(PLAIN, return_chars=True),
    score(*[PLAIN] * 4, return_chars=True),
    complete(PLAIN, echo=True, max_tokens=400, logprobs=0),
    complete(PLAIN, echo=True, max_tokens=400, logprobs=20),
    complete(PLAIN, max_tokens=0, prompt_logprobs=0),
    complete(PLAIN, max_tokens=0, prompt_logprobs=20),
    complete(PLAIN, max_tokens=400, n=3, logprobs=5, model="bytes"),
    complete(PLAIN, max_tokens=400, n=3, logprobs=0, prompt_logprobs=20),
    complete(PLAIN, echo=True, max_tokens=400, n=2, logprobs=20, prompt_logprobs=1),
    inspect(PLAIN[:400]),
    next_(PLAIN, model="bytes"),
    score(*[PLAIN[:300]] * 2, return_chars=True, adaptive=True),  # learning is slow while memory is traced
    complete(PLAIN[:300], echo=True, max_tokens=300, logprobs=2, adaptive=True),
    next_(PLAIN[:300], model="bytes", adaptive=True),
]
LARGE = [
    *LISTING,
    score(*["abc"] * 300),
    compare(*["abc"] * 300, reference_model="bytes"),
    compare(*["abc"] * 300, context="ab", adaptive=True),
    complete(PLAIN, echo=True, max_tokens=400),
    complete(PLAIN, max_tokens=400, return_token_ids=True, n=3),
    tokenize(PLAIN),
]


@pytest.mark.parametrize("call", LISTING)
def test_lists_of_plain_text_weigh_not_much_less_than_was_said(made: InProcess, call: Call) -> None:
    said, is_, _, _ = sizes(made, call)
    assert said <= MOST_OVER * is_ + ANSWER.held


@pytest.mark.parametrize("call", LARGE)
def test_no_large_answer_weighs_more_than_was_said(made: InProcess, call: Call) -> None:
    said, is_, said_message, is_message = sizes(made, call)
    assert is_ <= said
    assert is_message <= said_message


@pytest.mark.parametrize("call", LARGE)
def test_no_more_is_held_than_was_said(made: InProcess, monkeypatch: pytest.MonkeyPatch, call: Call) -> None:
    """What a call leaves in memory with its answer, before a byte of it is written."""
    said = 0

    def note(_validation: Validation, weight: Weight, *_others: object) -> None:
        nonlocal said
        said = weight.held

    monkeypatch.setattr(Validation, "check_answer", note)
    made.run(call(made.service, context()))  # what is made once is there now
    # Threads of other tests may allocate meanwhile, so the least of some calls is what the call holds.
    assert min(_held_bytes(made, call) for _ in range(5)) <= said + _BESIDE_BYTES


def _held_bytes(made: InProcess, call: Call) -> int:
    """Returns how much less is held once the answer is dropped."""
    tracemalloc.start()
    try:
        answer = made.run(call(made.service, context()))
        assert answer is not None
        gc.collect()
        with_answer, _ = tracemalloc.get_traced_memory()
        del answer
        gc.collect()
        without, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return with_answer - without


SMALL = Limits(max_answer_bytes=64 * 1024)


@pytest.fixture(scope="module")
def small(models: Path) -> Iterator[InProcess]:
    with in_process(models, limits=SMALL) as running:
        yield running


def feed(text: str, **fields: Any) -> Call:
    request = FeedRequest.model_validate({"text": text} | fields)

    async def call(service: Service, ctx: RequestContext) -> Any:
        created = await service.sessions.create(CreateSessionRequest(model="bytes"), ctx)
        return await service.sessions.text.feed(created.session_id, request, ctx)

    return call


def sample(**fields: Any) -> Call:
    request = SampleRequest.model_validate(fields)

    async def call(service: Service, ctx: RequestContext) -> Any:
        created = await service.sessions.create(CreateSessionRequest(model="tiny"), ctx)
        return await service.sessions.text.sample(created.session_id, request, ctx)

    return call


TOO_LARGE: list[tuple[Call, str, str]] = [
    (score("a" * 2000, return_chars=True), "return_chars", "send fewer strings, or leave return_chars out"),
    (
        complete("a" * 2000, logprobs=20, echo=True),
        "logprobs",
        "set logprobs to less than 20, leave echo out",
    ),
    (complete("a" * 2000, prompt_logprobs=20), "prompt_logprobs", "set prompt_logprobs to less than 20"),
    (
        complete("a", max_tokens=12_000),
        "max_tokens",
        "sample less (max_tokens, n, best_of) or request a stream",
    ),
    (complete("a", max_tokens=500, n=1, best_of=9, logprobs=1), "logprobs", "sample less"),
    (sample(max_tokens=500, logprobs=20), "logprobs", "set logprobs to less than 20"),
    (feed("a" * 20, **{"return": "each"}), "top", "set top to fewer than 256, or send a shorter text"),
    (inspect("a" * 200), "input", "request fewer layers, states or gates"),
    (tokenize("a" * 3000), "prompt", "send a shorter text"),
    (compare(*["a"] * 400), "return_chars", "send fewer strings"),
]


@pytest.mark.parametrize(("call", "param", "told"), TOO_LARGE)
def test_what_weighs_too_much_is_refused_before_any_work(
    small: InProcess, gate: Gate, call: Call, param: str, told: str
) -> None:
    del gate  # never opened: no character is read
    with pytest.raises(AnswerTooLarge) as caught:
        small.run(call(small.service, owner_context()))
    error = caught.value
    assert (error.code, error.param) == ("answer_too_large", param)
    assert "bytes, the limit is 65536 (max_answer_bytes): " in error.message
    assert told in error.message


def test_a_stream_holds_no_more_than_its_client_has_not_read(small: InProcess) -> None:
    fields = {"model": "tiny", "prompt": "a", "max_tokens": 190, "seed": 1, "logprobs": 20}
    request = CompletionRequest(**fields, stream=True)

    async def read() -> int:
        return sum(
            [len(piece.choices[0].text) async for piece in small.service.completer.stream(request, context())]
        )

    assert small.run(read()) == 190
    with pytest.raises(AnswerTooLarge):
        small.run(small.service.completer.complete(CompletionRequest(**fields), context()))


def test_what_our_client_sends_on_a_stream_fits_as_often_as_the_server_reads_ahead() -> None:
    weight = score_weight(MAX_MESSAGE_STRINGS, MAX_MESSAGE_CHARS, return_chars=True)
    assert MAX_AT_WORK * weight.bytes_over("grpc") <= Limits().max_answer_bytes


def test_requests_of_one_call_share_the_limit(small: InProcess) -> None:
    ctx = replace(context("score"), num_at_once=4)
    with pytest.raises(AnswerTooLarge, match="the limit is 16384"):
        small.run(score("a" * 400, return_chars=True)(small.service, ctx))
    small.run(score("a" * 400, return_chars=True)(small.service, context("score")))
