"""Frames answers as the client's version of HTTP and its method ask for, where uvicorn does not."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle


def answering_head(app: ASGIApp) -> ASGIApp:
    """Answers HEAD as GET, so that every path that has GET has it; the protocol leaves the body out."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "HEAD":
            scope = {**scope, "method": "GET"}
        await app(scope, receive, send)

    return answer


def without_chunks(cycle: RequestResponseCycle) -> None:
    """Makes an answer of unknown length end with its connection: a client of HTTP/1.0 knows no chunks.

    uvicorn closes its connection after each answer.
    """
    send, ends_with_connection = cycle.send, False

    async def send_plainly(message: Message) -> None:
        nonlocal ends_with_connection
        if message["type"] == "http.response.start":
            names = {name.lower() for name, _ in message.get("headers", ())}
            ends_with_connection = b"content-length" not in names
            if ends_with_connection:
                cycle.chunked_encoding = False
        elif ends_with_connection:
            cycle.expected_content_length = len(message.get("body", b""))
        await send(message)  # type: ignore[arg-type]

    cycle.send = send_plainly  # type: ignore[method-assign, assignment]
    cycle.waiting_for_100_continue = False  # nor does it know interim answers
