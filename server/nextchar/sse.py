"""A completion as server-sent events, as OpenAI's clients read them."""

import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator

from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from nextchar.completion_schemas import Completion
from nextchar.errors import NextcharError
from nextchar.rest_errors import error_body

_DONE = b"data: [DONE]\n\n"

logger = logging.getLogger(__name__)


async def events(
    first: Completion, rest: AsyncIterator[Completion], *, include_usage: bool
) -> AsyncGenerator[bytes]:
    """The events of a completion. One that fails ends with an error event and without [DONE]."""
    try:
        for text in _texts(first, include_usage):
            yield event(text)
        async for completion in rest:
            for text in _texts(completion, include_usage):
                yield event(text)
        yield _DONE
    except NextcharError as error:
        yield event(json.dumps(error_body(error)))
    except Exception as error:  # noqa: BLE001 - the status is sent: only an event can tell
        yield event(json.dumps(error_body(unexpected(error))))


def _texts(piece: Completion, include_usage: bool) -> list[str]:
    """OpenAI sends usage in an event of its own, and only if asked for; then it is null in all others."""
    text = (piece if piece.usage is None else piece.model_copy(update={"usage": None})).model_dump_json()
    if not include_usage:
        return [text]
    texts = [text[:-1] + ',"usage":null}']  # a field that is None is left out elsewhere
    if piece.usage is not None:
        texts.append(piece.model_copy(update={"choices": []}).model_dump_json())
    return texts


def unexpected(error: Exception) -> NextcharError:
    """What the client is told of an error that nobody expected; the log has it."""
    logger.error("a stream failed", exc_info=error)
    return NextcharError("the server failed; the cause is in its log")


def event(text: str) -> bytes:
    """One event."""
    return f"data: {text}\n\n".encode()


class EventStream(StreamingResponse):
    """A response of events; its source is closed at once when the client leaves, not at some later time."""

    def __init__(self, source: AsyncGenerator[bytes], pieces: AsyncGenerator[Completion]) -> None:
        headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
        super().__init__(source, media_type="text/event-stream", headers=headers)
        self._open = (source, pieces)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            for generator in self._open:
                await generator.aclose()
