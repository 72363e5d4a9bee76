"""Joins the parts of an answer, and cuts strings into the messages of a stream."""

import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

from nextchar.client.operations import C
from nextchar.errors import InputTooLarge, InvalidRequest, NextcharError
from nextchar.schemas.base import make_usage
from nextchar.schemas.completion import Choice, Logprobs
from nextchar.schemas.judging import JudgeResponse
from nextchar.schemas.score import ScoreResponse

L = TypeVar("L", ScoreResponse, JudgeResponse)

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
            names = [n for n in Logprobs.model_fields if getattr(given[0], n) is not None]
            fields[name] = Logprobs(**{n: [x for part in given for x in getattr(part, n)] for n in names})
        elif given and isinstance(given[0], list):
            fields[name] = [item for part in given for item in part]
        elif given:
            fields[name] = given[-1]
    return Choice(**fields)


def _cut(strings: Iterable[str], max_strings: int, max_chars: float) -> Iterator[list[str]]:
    """Yields the strings in lists of a bounded size, as they come; a longer string is alone."""
    batch: list[str] = []
    num_chars = 0
    for text in strings:
        if batch and (len(batch) >= max_strings or num_chars + len(text) > max_chars):
            yield batch
            batch, num_chars = [], 0
        batch.append(text)
        num_chars += len(text)
    if batch:
        yield batch


class SentStrings:
    """Cuts strings into messages, and counts them: an error then says which of all strings it is about."""

    def __init__(self, max_strings: int = MAX_MESSAGE_STRINGS, max_chars: float = MAX_MESSAGE_CHARS) -> None:
        """Begins to count; a message has at most so many strings and characters, or one longer string."""
        self._max_strings, self._max_chars = max_strings, max_chars
        self.num_answered = 0
        self._unanswered: deque[int] = deque()  # how many strings each message has

    def messages(self, strings: Iterable[str]) -> Iterator[list[str]]:
        """Yields the strings of each message, as they come."""
        for batch in _cut(strings, self._max_strings, self._max_chars):
            self._unanswered.append(len(batch))
            yield batch

    def answered(self) -> None:
        """Counts the answer to the first message that has none yet."""
        self.num_answered += self._unanswered.popleft()

    def located(self, error: NextcharError) -> NextcharError:
        """Returns the error of the first message that has no answer; it names the string by its number."""
        is_of_one = bool(self._unanswered) and self._unanswered[0] == 1
        return shift_error(error, self.num_answered, is_of_one=is_of_one)


def shift_error(error: NextcharError, first: int, *, is_of_one: bool = False) -> NextcharError:
    """Makes the number of the string in an error count from `first`, how many strings its message follows.

    An error of the size of a message that has only one string (`is_of_one`) is about that string.
    """
    if found := named_string(error):
        param = f"input.{first + int(found[1])}"
        error.message = re.sub(rf"\b{re.escape(found[0])}\b", param, error.message)
    elif is_of_one and isinstance(error, InputTooLarge):
        param = f"input.{first}"
        error.message = f"{param}: {error.message}"
    else:
        return error
    error.param, error.args = param, (error.message,)
    return error


def named_string(error: NextcharError) -> re.Match[str] | None:
    """Returns the field of an error that is about one string, with its number; None for any other error."""
    return re.fullmatch(r"input\.(\d+)", error.param or "")


def shift_indices(answer: L, first: int) -> L:
    """Makes the indices of an answer count from `first`, the number of strings before its own."""
    data = (
        [item.model_copy(update={"index": item.index + first}) for item in answer.data]
        if first
        else answer.data
    )
    return answer.model_copy(update={"data": data})


def join_verdicts(answers: list[JudgeResponse]) -> JudgeResponse:
    """Joins the answers to the parts of one request to the answer to the whole.

    The interval of the rate is that of the last one: where strings are learned, it is known best there.

    Raises:
        InvalidRequest: there are none.
    """
    if not answers:
        raise InvalidRequest("input must have at least one string to judge", param="input")
    last = answers[-1]
    update: dict[str, object] = {
        "data": [item for answer in answers for item in answer.data],
        "usage": make_usage(sum(answer.usage.prompt_tokens for answer in answers)),
        "false_alarm_low": last.false_alarm_low,
        "false_alarm_high": last.false_alarm_high,
    }
    return answers[0].model_copy(update=update)


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
