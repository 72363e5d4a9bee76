"""Reads lines with an adaptive lane, in this process or on a server, and compares each with those before."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from nextchar.client import Client
from nextchar.client.arguments import ScoreArguments
from nextchar.client.parts import named_string
from nextchar.entrypoints.watching.line_splitter import MAX_LINE_CHARS, Line
from nextchar.errors import (
    DeadlineExceeded,
    QueueFull,
    StateInvalid,
    StateModelMismatch,
    Unavailable,
    UnknownCharacter,
)
from nextchar.model.surprise.online import OnlineSurprise
from nextchar.schemas.score import Score

_RETRY_SECONDS = 2.0
_LINE = "line"


@dataclass(frozen=True, slots=True)
class ReadLine:
    """A line that was read. `number` counts from 1 the lines that were read."""

    number: int
    line: Line
    score: Score
    p_value: float

    @property
    def bits(self) -> float:
        """The surprise of the whole line."""
        return -self.score.logprob / math.log(2)


@dataclass(frozen=True, slots=True)
class Answering:
    """Who scores: a client, the model's name where it needs one, and whether that is a server."""

    client: Client
    model: str | None
    is_server: bool


class LineReader:
    """Reads lines in their order, each after all those before it, and holds the state after the last one.

    The state travels with every call and a call changes nothing, so that a server may be restarted, or be
    another one. A server that is away is waited for.
    """

    def __init__(
        self,
        answering: Answering,
        surprise: OnlineSurprise,
        *,
        tell: Callable[[str], None],
        wait: Callable[[float], object],
    ) -> None:
        """Begins a text.

        Args:
            tell: Is given a sentence about what is out of the ordinary.
            wait: Waits so many seconds before a call is made again.

        Raises:
            NextcharError: the model is not there, or the server is not.
        """
        client, model = answering.client, answering.model
        self._answering, self.surprise, self._tell, self._wait = answering, surprise, tell, wait
        self._is_of_lines = client.tokenizer_info(model=model).unit == _LINE
        self.max_line_chars = MAX_LINE_CHARS
        if answering.is_server:
            self.max_line_chars = min(MAX_LINE_CHARS, client.limits().request.max_input_chars - 1)
        self._state: bytes | None = None
        self.num_lines = 0

    def read(self, lines: Sequence[Line]) -> list[ReadLine]:
        """Returns some lines with their scores and p-values; without those that the model refuses to read."""
        read, scores = self._score(list(lines))
        return list(map(self._compared, read, scores))

    def _compared(self, line: Line, score: Score) -> ReadLine:
        self.num_lines += 1
        # A line of a model of lines has its end symbol too, and so is never without a symbol.
        p_value = self.surprise.read(-score.logprob, score.num_chars + self._is_of_lines)
        return ReadLine(self.num_lines, line, score, p_value)

    def _score(self, lines: list[Line]) -> tuple[list[Line], list[Score]]:
        while lines:
            try:
                return lines, self._call(lines)
            except UnknownCharacter as error:
                if (named := named_string(error)) is None:
                    raise
                self._tell(f"a line is not read: {error.message}")
                del lines[int(named[1])]
            except (StateInvalid, StateModelMismatch) as error:
                if self._state is None:
                    raise
                self._tell(f"learning begins anew, because the state is not taken any more: {error.message}")
                self._state, self.surprise = None, self.surprise.anew()
        return [], []

    def _call(self, lines: list[Line]) -> list[Score]:
        arguments: ScoreArguments = {"adaptive": True, "return_state": True, "include_end": self._is_of_lines}
        if self._state is not None:
            arguments["state"] = self._state
        end = "" if self._is_of_lines else "\n"
        answer = self._answered([line.text + end for line in lines], arguments)
        self._state = answer.state
        scores: list[Score] = answer.data
        return scores

    def _answered(self, strings: list[str], arguments: ScoreArguments) -> Any:
        """Returns the answer of a server that comes back, however long it was away."""
        client, told = self._answering.client, False
        while True:
            try:
                answer = client.score(strings, model=self._answering.model, **arguments)
            except (Unavailable, QueueFull, DeadlineExceeded) as error:
                if not self._answering.is_server:
                    raise
                if not told:
                    self._tell(f"waiting for the server: {error.message}")
                told = True
                self._wait(_RETRY_SECONDS)
            else:
                if told:
                    self._tell("the server answers again")
                return answer
