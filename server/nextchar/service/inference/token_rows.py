"""Holds the log-probabilities of the tokens of a completion as the arrays that its lane delivered."""

from abc import abstractmethod
from bisect import bisect_right
from typing import Any, Self, TypeVar

from nextchar.engine.work import Delivery
from nextchar.model.vocabulary import Vocabulary
from nextchar.schemas.completion import PromptLogprob
from nextchar.schemas.rows import Rows

T = TypeVar("T")
_NEVER = -float("inf")
# Some symbols of a delivery, from the first up to the last; without one, symbols of which nothing is known.
_Part = tuple[Delivery | None, int, int]


class TokenRows(Rows[T]):
    """Lists a value for each of some symbols, which are added in order."""

    def __init__(self, vocabulary: Vocabulary, num_top: int) -> None:
        """Lists the `num_top` likeliest symbols, of which the deliveries may have more."""
        self._vocabulary, self._num_top = vocabulary, num_top
        self._parts: list[_Part] = []
        self._ends: list[int] = []  # of the parts, each the number of symbols before it and in it

    @abstractmethod
    def _rows(self, delivery: Delivery, first: int, last: int) -> list[Any]: ...

    @abstractmethod
    def _unknown(self) -> Any:
        """Returns what stands for a symbol of which nothing is known."""

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def add(self, delivery: Delivery | None, first: int, last: int) -> None:
        """Adds the symbols of a delivery from `first` up to `last`, of which alone it keeps the arrays."""
        if last > first:
            if delivery is not None and self._is_part(delivery, first, last):
                delivery, first, last = self._part_of(delivery, first, last), 0, last - first
            self._ends.append(len(self) + last - first)
            self._parts.append((delivery, first, last))

    def _is_part(self, delivery: Delivery, first: int, last: int) -> bool:
        tops = delivery.top_ids
        return last - first < len(delivery.ids) or (tops is not None and tops.shape[1] > self._num_top)

    def _part_of(self, delivery: Delivery, first: int, last: int) -> Delivery:
        """Returns some symbols of a delivery, and of the likeliest ones those listed, with own arrays."""
        tops, values, count = delivery.top_ids, delivery.top_logprobs, self._num_top
        return Delivery(
            delivery.ids[first:last].copy(),
            delivery.logprobs[first:last].copy(),
            None if tops is None else tops[first:last, :count].copy(),
            None if values is None else values[first:last, :count].copy(),
        )

    def join(self, other: Self) -> None:
        """Adds all symbols of another list."""
        for part in other._parts:
            self.add(*part)

    def take(self, count: int) -> Self:
        """Removes the first `count` symbols and returns them."""
        taken, rest = type(self)(self._vocabulary, self._num_top), type(self)(self._vocabulary, self._num_top)
        for delivery, first, last in self._parts:
            middle = min(last, first + count - len(taken))
            taken.add(delivery, first, middle)
            rest.add(delivery, middle, last)
        self._parts, self._ends = rest._parts, rest._ends
        return taken

    def drop(self, count: int) -> None:
        """Removes the last `count` symbols."""
        kept = self.take(len(self) - count)
        self._parts, self._ends = kept._parts, kept._ends

    def plain(self, start: int, stop: int) -> list[Any]:
        rows: list[Any] = []
        place = bisect_right(self._ends, start)
        while start < stop:
            delivery, _, last = self._parts[place]
            begin = last - (self._ends[place] - start)
            end = min(last, begin + stop - start)
            if delivery is None:
                rows += [self._unknown() for _ in range(end - begin)]
            else:
                rows += self._rows(delivery, begin, end)
            start, place = start + end - begin, place + 1
        return rows

    def _with_own(self, delivery: Delivery, first: int, last: int) -> list[dict[int, float]]:
        """Returns the log-probabilities of the likeliest symbols at each place by id, and of its own."""
        own = zip(delivery.ids[first:last].tolist(), delivery.logprobs[first:last].tolist(), strict=True)
        rows = []
        for (ids, logprobs), (symbol_id, logprob) in zip(
            self._likeliest(delivery, first, last), own, strict=True
        ):
            found = dict(zip(ids, logprobs, strict=True))
            found[symbol_id] = logprob
            rows.append(found)
        return rows

    def _likeliest(self, delivery: Delivery, first: int, last: int) -> list[tuple[list[int], list[float]]]:
        """Returns the ids of the likeliest symbols at each place, and their log-probabilities."""
        count = self._num_top
        if delivery.top_ids is None or delivery.top_logprobs is None or not count:
            return [([], [])] * (last - first)
        ids = delivery.top_ids[first:last, :count].tolist()
        return list(zip(ids, delivery.top_logprobs[first:last, :count].tolist(), strict=True))


class TopLogprobs(TokenRows[dict[str, float]]):
    """Lists the likeliest symbols and the one that is there at each place of a text, by their labels.

    OpenAI's API adds it too: a place has one symbol more than were asked for if it is none of the likeliest.
    """

    def made(self, plain: dict[str, float]) -> dict[str, float]:
        return plain

    def _unknown(self) -> dict[str, float]:
        return {}

    def _rows(self, delivery: Delivery, first: int, last: int) -> list[dict[str, float]]:
        labels = self._vocabulary.labels
        return [
            {labels[i]: logprob for i, logprob in found.items() if logprob > _NEVER}
            for found in self._with_own(delivery, first, last)
        ]


class PromptLogprobs(TokenRows[dict[int, PromptLogprob] | None]):
    """Lists the likeliest symbols and the given one at each place of a prompt, by id."""

    def made(self, plain: dict[int, dict[str, Any]] | None) -> dict[int, PromptLogprob] | None:
        if plain is None:
            return None
        return {symbol_id: PromptLogprob(**fields) for symbol_id, fields in plain.items()}

    def _unknown(self) -> None:
        return None

    def _rows(self, delivery: Delivery, first: int, last: int) -> list[dict[int, dict[str, Any]]]:
        labels = self._vocabulary.labels
        return [
            {i: {"logprob": logprob, "decoded_token": labels[i]} for i, logprob in found.items()}
            for found in self._with_own(delivery, first, last)
        ]
