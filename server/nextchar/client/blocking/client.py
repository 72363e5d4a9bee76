# Made of nextchar/client/asynchronous/client.py by `make docs`; change it there.
"""Defines the Python client, for REST and gRPC.

    with Client("http://127.0.0.1:8000") as client:
        scores = client.score(["hello", "htktt"], model="shakespeare")
        with client.session(model="shakespeare", prime="ROMEO:") as session:
            completion = session.sample(max_tokens=40)

Answers are the models of `nextchar.schemas`: the fields of the JSON. Errors are raised as those of
`nextchar.errors`, with the server's code and field. A server that cannot be reached raises `Unavailable` with
the code `unreachable`, or `connection_lost` if it may have seen the call. A change of a session that may have
been done raises `OutcomeUnknown`. Importing this module imports neither onnxruntime nor the server.
"""

import time
from collections.abc import Callable, Generator, Iterable
from contextlib import AbstractContextManager, closing
from typing import TYPE_CHECKING, Unpack

from nextchar.client import operations
from nextchar.client.arguments import (
    CallArguments,
    CompareArguments,
    CompletionArguments,
    CreateSessionArguments,
    InspectArguments,
    JudgeArguments,
    NextArguments,
    PromptInput,
    ScoreArguments,
    TokenizeArguments,
)
from nextchar.client.attempts import Attempts
from nextchar.client.blocking.session import Session, create
from nextchar.client.endpoint import Endpoint, File
from nextchar.client.operations import A, C, Operation
from nextchar.client.parts import L, SentStrings, shift_indices
from nextchar.client.retries import Retries
from nextchar.client.session_operations import SessionOperations
from nextchar.errors import NextcharError
from nextchar.schemas.compare import CompareResponse
from nextchar.schemas.completion import Completion
from nextchar.schemas.inspect import InspectResponse
from nextchar.schemas.judging import JudgeInfo, JudgeList, JudgeResponse
from nextchar.schemas.limits_report import LimitsResponse
from nextchar.schemas.models import ModelInfo, ModelList
from nextchar.schemas.score import NextResponse, Score, ScoreResponse
from nextchar.schemas.sessions import SessionList
from nextchar.schemas.tokens import DetokenizeResponse, TokenizeResponse, TokenizerInfo

if TYPE_CHECKING:
    from nextchar.client.blocking.grpc_transport import GrpcTransport
    from nextchar.client.blocking.rest_transport import RestTransport

_TIMEOUT_SECONDS = 60.0


class Client(AbstractContextManager["Client"]):
    """A client for programs that block; threads may share one."""

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None = None,
        ca_file: File | None = None,
        certificate: tuple[File, File] | None = None,
        timeout_seconds: float = _TIMEOUT_SECONDS,
        retries: Retries = Retries(),  # noqa: B008 it is frozen
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._retries, self._sleep = retries, sleep
        endpoint = Endpoint(url, api_key, ca_file, certificate)
        self._grpc, self._transport = _open_transport(endpoint, timeout_seconds)

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections to the server."""
        self._transport.close()

    def score(
        self, strings: list[str], *, model: str | None = None, **arguments: Unpack[ScoreArguments]
    ) -> ScoreResponse:
        """Returns the log-probability of each string."""
        return self.execute(operations.score(strings, model, arguments))

    def score_stream(
        self, strings: Iterable[str], *, model: str | None = None, **arguments: Unpack[ScoreArguments]
    ) -> Generator[Score]:
        """Scores any number of strings; yields each score in order, takes strings as answers arrive."""
        with closing(self.score_batches(strings, model=model, **arguments)) as answers:
            for answer in answers:
                yield from answer.data

    def score_batches(
        self, strings: Iterable[str], *, model: str | None = None, **arguments: Unpack[ScoreArguments]
    ) -> Generator[ScoreResponse]:
        """Scores any number of strings; yields the answers to the messages that hold them.

        Over gRPC they are messages of one ScoreStream, over REST calls one after the other. An error of one
        string has its number as `param`, as `input.4096`.
        """
        sent = self._sent()
        each = (operations.score(batch, model, arguments) for batch in sent.messages(strings))
        with closing(self._batches(sent, each, "Nextchar/ScoreStream", ScoreResponse)) as answers:
            for answer in answers:
                yield answer if arguments.get("return_state") else answer.model_copy(update={"state": None})

    def judge(self, strings: list[str], *, judge: str, **arguments: Unpack[JudgeArguments]) -> JudgeResponse:
        """Returns for each string whether a judge flags it, and its p-value."""
        return self.execute(operations.judge(strings, judge, arguments))

    def judge_batches(
        self, strings: Iterable[str], *, judge: str, **arguments: Unpack[JudgeArguments]
    ) -> Generator[JudgeResponse]:
        """Judges any number of strings; yields the answers as `score_batches` does."""
        sent = self._sent()
        each = (operations.judge(batch, judge, arguments) for batch in sent.messages(strings))
        with closing(self._batches(sent, each, "Nextchar/JudgeStream", JudgeResponse)) as answers:
            for answer in answers:
                yield answer if arguments.get("return_state") else answer.model_copy(update={"state": None})

    def _sent(self) -> SentStrings:
        """Returns what cuts any number of strings into messages."""
        return SentStrings()

    def _batches(
        self, sent: SentStrings, each: Iterable[Operation[L]], rpc: str, answer_type: type[L]
    ) -> Generator[L]:
        """Makes the calls that `sent` cuts strings into: by one stream over gRPC, one by one over REST."""
        try:
            if self._grpc is not None:
                with closing(self._grpc.score_stream(each, rpc, answer_type)) as answers:
                    for answer in answers:
                        sent.answered()
                        yield answer
                return
            before: L | None = None
            for operation in each:
                before = self.execute(operations.continued(operation, before))
                answer = shift_indices(before, sent.num_answered)
                sent.answered()
                yield answer
        except NextcharError as error:
            raise sent.located(error)  # noqa: B904 it is the same

    def compare(
        self, strings: list[str], *, model: str | None = None, **arguments: Unpack[CompareArguments]
    ) -> CompareResponse:
        """Ranks candidates by likelihood, or by the likelihood ratio to a reference_model."""
        return self.execute(operations.compare(strings, model, arguments))

    def next(
        self, text: str = "", *, model: str | None = None, **arguments: Unpack[NextArguments]
    ) -> NextResponse:
        """Returns the distribution of the character after a text."""
        return self.execute(operations.next_(text, model, arguments))

    def complete(
        self, prompt: PromptInput = "", *, model: str | None = None, **arguments: Unpack[CompletionArguments]
    ) -> Completion:
        """Samples completions of a prompt, or of several."""
        return self.execute(operations.complete(prompt, model, arguments, stream=False))

    def stream(
        self, prompt: PromptInput = "", *, model: str | None = None, **arguments: Unpack[CompletionArguments]
    ) -> Generator[Completion]:
        """Samples completions and yields them as they are sampled; closing the generator ends the call."""
        return self.execute_stream(operations.complete(prompt, model, arguments, stream=True))

    def inspect(
        self, text: str, *, model: str | None = None, **arguments: Unpack[InspectArguments]
    ) -> InspectResponse:
        """Returns the model's states after each character of a text."""
        return self.execute(operations.inspect(text, model, arguments))

    def tokenize(
        self, text: str, *, model: str | None = None, **arguments: Unpack[TokenizeArguments]
    ) -> TokenizeResponse:
        """Returns the ids of a text's characters."""
        return self.execute(operations.tokenize(text, model, arguments))

    def detokenize(
        self, ids: list[int], *, model: str | None = None, **arguments: Unpack[CallArguments]
    ) -> DetokenizeResponse:
        """Returns the text of ids."""
        return self.execute(operations.detokenize(ids, model, arguments))

    def tokenizer_info(self, *, model: str | None = None) -> TokenizerInfo:
        """Returns a model's symbols and special symbols."""
        return self.execute(operations.tokenizer_info(model))

    def limits(self) -> LimitsResponse:
        """Returns the server's limits for one request, one owner and each model."""
        return self.execute(operations.limits())

    def list_models(self) -> ModelList:
        """Returns the served models; only over REST."""
        return self.execute(operations.list_models())

    def get_model(self, model: str) -> ModelInfo:
        """Returns one model and its card; only over REST."""
        return self.execute(operations.get_model(model))

    def list_judges(self) -> JudgeList:
        """Returns the judges, and whether they can be asked; only over REST."""
        return self.execute(operations.list_judges())

    def get_judge(self, judge: str) -> JudgeInfo:
        """Returns one judge and its card; only over REST."""
        return self.execute(operations.get_judge(judge))

    def session(
        self, *, model: str | None = None, keep: bool = False, **arguments: Unpack[CreateSessionArguments]
    ) -> Session:
        """Creates a session; as a context manager it is deleted at the end, unless `keep` is set."""
        operation = operations.create_session(model, arguments)
        opened = create(self, operation, is_own_id="session_id" not in arguments)
        return Session(self, opened, keep=keep)

    def open_session(self, session_id: str, *, keep: bool = True) -> Session:
        """Opens a session that exists."""
        return Session(self, self.execute(SessionOperations(session_id).get()), keep=keep)

    def list_sessions(self, *, after: str = "", limit: int = 100) -> SessionList:
        """Returns a page of the principal's sessions, by id."""
        return self.execute(operations.list_sessions(after, limit))

    def execute(self, operation: Operation[A]) -> A:
        """Makes one call, with its retries."""
        attempts = Attempts(operation, self._retries)
        while True:
            try:
                return self._transport.execute(operation)
            except NextcharError as error:
                self._sleep(attempts.wait_seconds(error))

    def execute_stream(self, operation: Operation[C]) -> Generator[C]:
        """Makes one call and yields the parts of its answer, with retries until the first part."""
        attempts, has_begun = Attempts(operation, self._retries), False
        while True:
            try:
                with closing(self._transport.execute_stream(operation)) as parts:
                    for part in parts:
                        has_begun = True
                        yield part
                return
            except NextcharError as error:
                if has_begun:
                    raise attempts.failure(error)  # noqa: B904 it has its cause
                self._sleep(attempts.wait_seconds(error))


def _open_transport(
    endpoint: Endpoint, timeout_seconds: float
) -> "tuple[GrpcTransport | None, GrpcTransport | RestTransport]":
    """Imports what the endpoint's protocol needs, and nothing that only the other one needs."""
    if endpoint.is_grpc:
        from nextchar.client.blocking.grpc_transport import GrpcTransport

        transport = GrpcTransport(endpoint, timeout_seconds)
        return transport, transport
    from nextchar.client.blocking.rest_transport import RestTransport

    return None, RestTransport(endpoint, timeout_seconds)
