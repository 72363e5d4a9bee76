"""Joins the pieces of a completion into one choice, as they come."""

from collections.abc import Iterable

from nextchar.schemas.completion import Choice, Logprobs
from nextchar.service.inference.token_rows import TopLogprobs


class ChoiceJoiner:
    """Joins pieces, of which it holds no more than what they say."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._logprobs: Logprobs | None = None  # of all pieces; its lists grow
        self._ids: list[int] | None = None
        self._prompt_ids: list[int] | None = None
        self._last: Choice | None = None

    def add(self, piece: Choice) -> None:
        """Adds the next piece."""
        if self._last is None:
            self._prompt_ids = piece.prompt_token_ids
        self._last = piece
        self._texts.append(piece.text)
        if piece.logprobs is not None:
            self._add_logprobs(piece.logprobs)
        if piece.token_ids is not None:
            self._ids = [] if self._ids is None else self._ids
            self._ids += piece.token_ids

    def _add_logprobs(self, found: Logprobs) -> None:
        if self._logprobs is None:
            self._logprobs = found
            return
        before = self._logprobs
        before.tokens.extend(found.tokens)
        before.token_logprobs.extend(found.token_logprobs)
        before.text_offset.extend(found.text_offset)
        if before.model_logprobs is not None and found.model_logprobs is not None:
            before.model_logprobs.extend(found.model_logprobs)
        assert isinstance(before.top_logprobs, TopLogprobs)
        assert isinstance(found.top_logprobs, TopLogprobs)
        before.top_logprobs.join(found.top_logprobs)

    def joined(self) -> Choice:
        """Returns the whole choice; what the last piece alone says is its own."""
        assert self._last is not None
        fields = {
            "text": "".join(self._texts),
            "logprobs": self._logprobs,
            "token_ids": self._ids,
            "prompt_token_ids": self._prompt_ids,
        }
        return self._last.model_copy(update=fields)


def join_choices(pieces: Iterable[Choice]) -> Choice:
    """Joins all pieces of a completion."""
    joiner = ChoiceJoiner()
    for piece in pieces:
        joiner.add(piece)
    return joiner.joined()
