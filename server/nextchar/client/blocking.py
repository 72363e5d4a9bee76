"""The Python client, over REST or gRPC as the address says. It blocks; `client_async` has one that does not.

    with Client("http://127.0.0.1:8000") as client:
        client.score(["hello", "htktt"], model="shakespeare").data[0].logprob
        with client.session(model="shakespeare", prime="ROMEO:") as session:
            session.sample(max_tokens=40)

Answers are those of the server (`score_schemas`, `completion_schemas`, `session_schemas`); errors are raised
as the same kinds as over there (`errors`), with their code and field. A server that cannot be reached is
`Unavailable` with the code `unreachable`, or `connection_lost` where it may have seen the call. Importing
this imports neither onnxruntime nor the server.
"""

import time
from collections.abc import Callable, Generator, Iterable
from contextlib import AbstractContextManager, closing
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from nextchar.client import operations as asks
from nextchar.client.endpoint import Endpoint
from nextchar.client.errors_and_retries import Retries
from nextchar.client.operations import (
    A,
    C,
    CompareArguments,
    Operation,
    Prompt,
    SamplingArguments,
    ScoreArguments,
)
from nextchar.client.session import Session
from nextchar.client.streams import counted_on, in_messages
from nextchar.errors import NextcharError
from nextchar.schemas.compare import CompareResponse
from nextchar.schemas.completion import Completion
from nextchar.schemas.limits_report import LimitsResponse
from nextchar.schemas.score import NextResponse, Score, ScoreResponse
from nextchar.schemas.sessions import SessionList
from nextchar.schemas.tokens import DetokenizeResponse, TokenizeResponse

if TYPE_CHECKING:
    from nextchar.client.grpc_transport import RpcBlocking
    from nextchar.client.rest_transport import RestBlocking

_TIMEOUT_SECONDS = 60.0


class Client(AbstractContextManager["Client"]):
    """A client that blocks; safe to share between threads."""

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None = None,
        ca_file: Path | None = None,
        certificate: tuple[Path, Path] | None = None,
        timeout_seconds: float = _TIMEOUT_SECONDS,
        retries: Retries = Retries(),  # noqa: B008 it is frozen
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._retries, self._sleep = retries, sleep
        place = Endpoint(url, api_key, ca_file, certificate)
        self._rpc, self._door = _door(place, timeout_seconds)

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._door.close()

    def score(self, strings: list[str], *, model: str, **arguments: Unpack[ScoreArguments]) -> ScoreResponse:
        """log p of each string."""
        return self.ask(asks.score(strings, model, arguments))

    def score_stream(
        self, strings: Iterable[str], *, model: str, **arguments: Unpack[ScoreArguments]
    ) -> Generator[Score]:
        """log p of any number of strings, in order, taken as answers come; indices count on."""
        for answer in self.score_batches(strings, model=model, **arguments):
            yield from answer.data

    def score_batches(
        self, strings: Iterable[str], *, model: str, **arguments: Unpack[ScoreArguments]
    ) -> Generator[ScoreResponse]:
        """The same by messages: one ScoreStream of gRPC, or call after call of REST."""
        each = (asks.score(batch, model, arguments) for batch in in_messages(strings))
        if self._rpc is not None:
            yield from self._rpc.score_stream(each)
            return
        first = 0
        for ask in each:
            answer = self.ask(ask)
            yield counted_on(answer, first)
            first += len(answer.data)

    def compare(
        self, strings: list[str], *, model: str, **arguments: Unpack[CompareArguments]
    ) -> CompareResponse:
        """Candidates, the best first; with a reference_model by likelihood ratio."""
        return self.ask(asks.compare(strings, model, arguments))

    def tokenize(self, text: str, *, model: str | None = None) -> TokenizeResponse:
        """A text's ids."""
        return self.ask(asks.tokenize(text, model))

    def detokenize(self, ids: list[int], *, model: str | None = None) -> DetokenizeResponse:
        """The text of ids."""
        return self.ask(asks.detokenize(ids, model))

    def limits(self) -> LimitsResponse:
        """How much may be asked for."""
        return self.ask(asks.limits())

    def next(
        self, text: str = "", *, model: str, top: int | None = None, state: bytes | None = None
    ) -> NextResponse:
        """The distribution of the character after a text."""
        return self.ask(asks.next_(text, model, top, state))

    def complete(
        self, prompt: Prompt = "", *, model: str, **arguments: Unpack[SamplingArguments]
    ) -> Completion:
        """A text to go on with, whole."""
        return self.ask(asks.complete(prompt, model, arguments, stream=False))

    def stream(
        self, prompt: Prompt = "", *, model: str, **arguments: Unpack[SamplingArguments]
    ) -> Generator[Completion]:
        """The same, as it is sampled; leaving the iteration ends it over there."""
        return self.pieces(asks.complete(prompt, model, arguments, stream=True))

    def session(self, *, model: str, keep: bool = False, **fields: Any) -> Session:
        """A new session, with session_id, prime, seed, ttl_seconds; it ends with its context unless kept."""
        return Session(self, self.ask(asks.create_session({"model": model, **fields})), keep=keep)

    def open_session(self, session_id: str, *, keep: bool = True) -> Session:
        """A session that is there."""
        return Session(self, self.ask(asks.SessionOperations(session_id).get()), keep=keep)

    def list_sessions(self, *, after: str = "", limit: int = 100) -> SessionList:
        """A page of the caller's sessions."""
        return self.ask(asks.list_sessions(after, limit))

    def ask(self, ask: Operation[A]) -> A:
        """One call, with its retries."""
        for attempt in count(1):
            try:
                return self._door.call(ask)
            except NextcharError as error:
                self._wait_or_raise(error, attempt, ask)
        raise AssertionError

    def pieces(self, ask: Operation[C]) -> Generator[C]:
        """A stream, with retries up to its first piece."""
        for attempt in count(1):
            begun = False
            try:
                with closing(self._door.stream(ask)) as pieces:
                    for piece in pieces:
                        begun = True
                        yield piece
                return
            except NextcharError as error:
                if begun:
                    raise
                self._wait_or_raise(error, attempt, ask)

    def _wait_or_raise(self, error: NextcharError, attempt: int, ask: Operation[Any]) -> None:
        wait = self._retries.wait_seconds(error, attempt=attempt, repeatable=ask.repeatable)
        if wait is None:
            raise error
        self._sleep(wait)


# Neither door is imported for the other's sake.
def _door(place: Endpoint, timeout_seconds: float) -> "tuple[RpcBlocking | None, RpcBlocking | RestBlocking]":
    if place.is_grpc:
        from nextchar.client.grpc_transport import RpcBlocking

        rpc = RpcBlocking(place, timeout_seconds)
        return rpc, rpc
    from nextchar.client.rest_transport import RestBlocking

    return None, RestBlocking(place, timeout_seconds)
