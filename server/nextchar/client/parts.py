"""Joins the parts of an answer, and cuts strings into the messages of a stream."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from nextchar.client.operations import C
from nextchar.errors import InvalidRequest
from nextchar.schemas.base import make_usage
from nextchar.schemas.completion import Choice, Logprobs
from nextchar.schemas.score import ScoreResponse

MAX_MESSAGE_STRINGS, MAX_MESSAGE_CHARS = 256, 65_536


def join_completion(parts: Sequence[C]) -> C:
    """Joins the parts of a streamed completion to the whole answer."""
    by_index: dict[int, list[Choice]] = {}
    fields: dict[str, Any] = {}
    for part in parts:
        for choice in part.choices:
            by_index.setdefault(choice.index, []).append(choice)
        fields |= {name: value for name, value in part if value is not None and name != "choices"}
    choices = [_join_choice(index, by_index[index]) for index in sorted(by_index)]
    return parts[-1].model_copy(update={**fields, "choices": choices})


def _join_choice(index: int, parts: list[Choice]) -> Choice:
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


def cut_into_messages(strings: Iterable[str]) -> Iterator[list[str]]:
    """Yields the strings in lists of a bounded size, as they come."""
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


def shift_indices(answer: ScoreResponse, first: int) -> ScoreResponse:
    """Makes the indices of an answer count from `first`, the number of strings before its own."""
    data = [item.model_copy(update={"index": item.index + first}) for item in answer.data]
    return answer.model_copy(update={"data": data})


def join_scores(answers: list[ScoreResponse]) -> ScoreResponse:
    """Joins the answers to the parts of one request to the answer to the whole.

    Raises:
        InvalidRequest: there are none.
    """
    if not answers:
        raise InvalidRequest("input must have at least one string to score", param="input")
    data = [item for answer in answers for item in answer.data]
    first = answers[0]
    num_context = first.usage.prompt_tokens - sum(item.num_chars for item in first.data)  # read once
    usage = make_usage(num_context + sum(item.num_chars for item in data))
    return first.model_copy(update={"data": data, "usage": usage})
