"""What a client makes of streams: events to pieces, pieces to a whole, strings to messages."""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from nextchar.client.errors_and_retries import CONNECTION_LOST, error_from_wire
from nextchar.client.operations import MAX_MESSAGE_CHARS, MAX_MESSAGE_STRINGS, C
from nextchar.errors import InvalidRequest, NextcharError
from nextchar.schemas.base import make_usage
from nextchar.schemas.completion import Choice, Logprobs
from nextchar.schemas.score import ScoreResponse

_STATUS = {"invalid_request_error": 400, "rate_limit_error": 429, "timeout_error": 504}


def error_of(body: Any, *, status: int, retry_after_seconds: float | None) -> NextcharError:
    """The error in an answer's JSON, of whatever shape."""
    found = body.get("error") if isinstance(body, dict) else None
    found = (
        found
        if isinstance(found, dict)
        else {"message": found or f"the server answered with status {status}"}
    )
    code, param = found.get("code"), found.get("param")
    return error_from_wire(
        code if isinstance(code, str) else "http_error",
        str(found.get("message")),
        param=param if isinstance(param, str) else None,
        retry_after_seconds=retry_after_seconds,
        status=status,
    )


class Events:
    """Reads the lines of a completion's server-sent events."""

    def __init__(self, answer: type[C]) -> None:
        self._answer = answer
        self.ended = False

    def read(self, line: str) -> Any:
        """The piece in a line; None where there is none.

        Raises:
            NextcharError: the stream failed over there.
        """
        if not line.startswith("data:"):
            return None
        data = line.removeprefix("data:").strip()
        if data == "[DONE]":
            self.ended = True
            return None
        body = json.loads(data)
        if "error" in body:
            status = _STATUS.get(body["error"].get("type"), 500)
            raise error_of(body, status=status, retry_after_seconds=None)
        return self._answer.model_validate_json(data)

    def check_ended(self) -> None:
        """Raises Unavailable if the stream was cut."""
        if not self.ended:
            raise error_from_wire(
                CONNECTION_LOST, "the stream ended before its end", param=None, retry_after_seconds=None
            )


def joined(pieces: Sequence[C]) -> C:
    """The pieces of a stream as the whole answer."""
    by_index: dict[int, list[Choice]] = {}
    more: dict[str, Any] = {}
    for piece in pieces:
        for choice in piece.choices:
            by_index.setdefault(choice.index, []).append(choice)
        more |= {name: value for name, value in piece if value is not None and name != "choices"}
    choices = [_joined_choice(index, by_index[index]) for index in sorted(by_index)]
    return pieces[-1].model_copy(update={**more, "choices": choices})


def _joined_choice(index: int, parts: list[Choice]) -> Choice:
    fields: dict[str, Any] = {"index": index, "text": "".join(part.text for part in parts)}
    for name in Choice.model_fields.keys() - fields.keys():
        given = [value for part in parts if (value := getattr(part, name)) is not None]
        if given and isinstance(given[0], Logprobs):
            names = Logprobs.model_fields
            fields[name] = Logprobs(**{n: [x for part in given for x in getattr(part, n)] for n in names})
        elif given and isinstance(given[0], list):
            fields[name] = [item for part in given for item in part]
        elif given:
            fields[name] = given[-1]
    return Choice(**fields)


def in_messages(strings: Iterable[str]) -> Iterator[list[str]]:
    """Strings cut into messages of a bounded size."""
    batch: list[str] = []
    num_chars = 0
    for text in strings:
        if batch and (len(batch) >= MAX_MESSAGE_STRINGS or num_chars + len(text) > MAX_MESSAGE_CHARS):
            yield batch
            batch, num_chars = [], 0
        batch.append(text)
        num_chars += len(text)
    if batch:
        yield batch


def counted_on(answer: ScoreResponse, first: int) -> ScoreResponse:
    """An answer of several, its indices from the first string of all."""
    data = [item.model_copy(update={"index": item.index + first}) for item in answer.data]
    return answer.model_copy(update={"data": data})


def joined_scores(answers: list[ScoreResponse]) -> ScoreResponse:
    """The answers to parts of one request as the answer to the whole.

    Raises:
        InvalidRequest: there are none.
    """
    if not answers:
        raise InvalidRequest("there are no strings to score", param="input")
    data = [item for answer in answers for item in answer.data]
    first = answers[0]
    num_context = first.usage.prompt_tokens - sum(item.num_chars for item in first.data)  # read once
    usage = make_usage(num_context + sum(item.num_chars for item in data))
    return first.model_copy(update={"data": data, "usage": usage})
