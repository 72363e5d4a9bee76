"""Defines a row of the table of REST routes, and makes handlers from use cases."""

import asyncio
import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import ExitStack, aclosing
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from fastapi import Request, Response
from pydantic import BaseModel

from nextchar.errors import InvalidRequest
from nextchar.rest.body import BodyRules
from nextchar.rest.errors import ERROR_STATUSES, is_oip, oip_status
from nextchar.rest.sse import BegunStream, EventStream
from nextchar.schemas.base import ModelRequest
from nextchar.security.access import Need
from nextchar.telemetry.request_context import RequestContext
from nextchar.telemetry.request_context import Route as Label

R = TypeVar("R")
T = TypeVar("T")
Model = TypeVar("Model", bound=BaseModel)
Named = TypeVar("Named", bound=ModelRequest)
Read = Callable[[Request, bytes, BodyRules], R]
JsonObject = dict[str, Any]
EMPTY = b"{}"  # what an empty body stands for where no field is required
_MAX_SHOWN = 100  # characters of a name, in an error
_BODY_METHODS = {"POST", "PUT"}
_BODY_STATUSES = {408, 413, 415}
_WORK_STATUSES = {409, 410, 412, 422}  # of requests that run a model or use a session


@dataclass(frozen=True, slots=True)
class RestCall(Generic[R]):
    """Holds what a handler is given: the HTTP request, what was read of it, and its context."""

    request: Request
    body: R
    ctx: RequestContext
    observed: ExitStack  # ends the observation of the request; a stream takes it over
    read_seconds: float  # from bytes to `body`

    @property
    def session_id(self) -> str:
        """The id of the session that the path names."""
        found: str = self.request.path_params["session_id"]
        return found

    @property
    def model_and_version(self) -> tuple[str, str]:
        """The model and the version that the path names; "" for a part that it does not have."""
        return model_and_version(self.request)

    async def streamed(
        self,
        pieces: AsyncGenerator[T],
        events: Callable[[AsyncIterator[T]], AsyncGenerator[bytes]],
    ) -> EventStream:
        """Answers by server-sent events; the request is observed until the last one.

        What refuses the request at once is raised here, while the status can still be set. As soon as it
        waits for its turn the answer begins, and a refusal is an event of it.
        """
        waits = asyncio.Event()
        self.ctx.on_wait = waits.set
        stream = BegunStream(_observed_pieces(pieces, self.observed.pop_all()))
        await stream.begin(waits)
        return EventStream(events(stream), stream)


Handler = Callable[[RestCall[R]], Awaitable[T]]
PlainHandler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class RestRoute:
    """Describes a route: its handler, the scope it needs, and what the OpenAPI document says of it.

    With a `label` requests are observed, and `handle` is given a `RestCall` and returns an answer of a schema
    or a whole response. Without one, `handle` is given the HTTP request and returns a response.
    """

    path: str
    methods: tuple[str, ...]
    handle: Callable[[Any], Awaitable[Any]]
    need: Need
    label: Label | None = None
    read: Read[Any] | None = None  # how the fields of the request are read; None: there are none
    body: Any = None  # the type of the JSON body
    body_required: bool = True
    is_json: bool = True  # whether the body, if there is one, must be called application/json
    query: type[BaseModel] | None = None  # its fields are the parameters of the URL
    answer: Any = None  # the type of the JSON answer
    status: int = 200
    streams: bool = False  # whether the answer may be server-sent events
    name: str = ""  # by default that of `handle`
    description: str | None = None  # by default the docstring of `handle`
    tags: tuple[str, ...] = ()
    in_document: bool = True
    document: Mapping[str, Any] = field(default_factory=dict)  # what else OpenAPI says of the operation

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", self.name or getattr(self.handle, "__name__", ""))
        object.__setattr__(self, "description", self.description or _doc(self.handle))

    @property
    def reads_body(self) -> bool:
        """Whether requests of the route have a body."""
        return not _BODY_METHODS.isdisjoint(self.methods)

    @property
    def errors(self) -> list[int]:
        """The statuses of the errors that the route may return."""
        statuses = set(ERROR_STATUSES)
        if self.body is None and "/sessions" not in self.path:
            statuses -= _WORK_STATUSES if self.reads_body else _WORK_STATUSES | _BODY_STATUSES
        return sorted({oip_status(status, self.path) for status in statuses})

    @property
    def is_oip(self) -> bool:
        """Whether errors have the format of the Open Inference Protocol."""
        return is_oip(self.path)


def get(path: str, handle: PlainHandler, answer: Any = JsonObject, **more: Any) -> RestRoute:
    """Makes the row of a route that reads nothing but its path and is not observed."""
    return RestRoute(path=path, handle=handle, answer=answer, **{"methods": ("GET",), **more})


def post(
    path: str,
    body: type[Model],
    answer: Any,
    handle: Handler[Model, object],
    *,
    body_required: bool = True,
    noun: str = "",
    **more: Any,
) -> RestRoute:
    """Makes the row of a route with a JSON body, which may be empty where it is not required.

    Its name is the verb that ends its path and the `noun` that the verb is about. The docstring of the
    handler describes it, or that of the body if the handler has none.
    """
    name = path.rpartition("/")[2] + (f"_{noun}" if noun else "")
    return RestRoute(
        path=path,
        methods=("POST",),
        handle=handle,
        body=body,
        body_required=body_required,
        answer=answer,
        **{
            "read": json_of(body, empty=b"" if body_required else EMPTY),
            "name": name,
            "description": _doc(handle) or _doc(body),
            **more,
        },
    )


def json_of(schema: type[Model], *, empty: bytes = b"") -> Read[Model]:
    """Makes a reader of JSON bodies: it validates the bytes strictly, in one pass."""

    def read(_request: Request, content: bytes, rules: BodyRules) -> Model:
        return rules.read_json(schema, content or empty)

    return read


def of_model_in_path(read: Read[Named]) -> Read[Named]:
    """Makes a reader of requests whose model the path names, for clients that cannot name it otherwise.

    It raises InvalidRequest for a request that names another.
    """

    def read_of_model(request: Request, content: bytes, rules: BodyRules) -> Named:
        body = read(request, content, rules)
        return body.model_copy(update={"model": one_model(request, body.model)})

    return read_of_model


def one_model(request: Request, other: str | None) -> str | None:
    """Returns the model that the path begins with, or the `other` if it begins with none.

    Raises:
        InvalidRequest: it begins with one, and the request also names another.
    """
    in_path: str | None = request.path_params.get("model")
    if in_path is None:
        return other
    if other not in (None, in_path):
        raise InvalidRequest(
            f"model is {other[:_MAX_SHOWN]!r}, the path names {in_path[:_MAX_SHOWN]!r}: leave one out",
            param="model",
        )
    return in_path


def answering(work: Callable[[R, RequestContext], Awaitable[T]]) -> Handler[R, T]:
    """Makes a handler that passes the body to a use case."""
    return lambda call: work(call.body, call.ctx)


def on_session(work: Callable[[str, R, RequestContext], Awaitable[T]]) -> Handler[R, T]:
    """Makes a handler that passes the body to a use case on the session of the path."""
    return lambda call: work(call.session_id, call.body, call.ctx)


def model_and_version(request: Request) -> tuple[str, str]:
    """Returns the model and the version that a path names; "" for a part that it does not have."""
    return request.path_params.get("model", ""), request.path_params.get("version", "")


def _doc(of: object) -> str | None:
    found = getattr(of, "__doc__", None)
    return None if found is None else inspect.cleandoc(found)


async def _observed_pieces(pieces: AsyncGenerator[T], observed: ExitStack) -> AsyncGenerator[T]:
    """Yields the pieces of a request, which is observed until the last one."""
    with observed:
        async with aclosing(pieces):
            async for piece in pieces:
                yield piece
