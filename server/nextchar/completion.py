"""From a lane's deliveries to the pieces of a completion: text, log-probabilities, what is held back."""

from itertools import accumulate

from nextchar.completion_schemas import Choice, Logprobs
from nextchar.lane import Delivery, Finish
from nextchar.vocabulary import TextDecoder, Vocabulary


class CompletionText:
    """Turns deliveries into choices, in order.

    Text that may turn out to be the beginning of a stop string waits until that is decided, so a stop
    string is never sent. With `echo` the prompt's characters are part of the text.
    """

    def __init__(
        self, vocabulary: Vocabulary, prompt: str, stop: list[str], *, echo: bool, num_top: int | None
    ) -> None:
        self._vocabulary = vocabulary
        self._stop = stop
        self._num_top = num_top
        self._prompt = prompt
        self._num_skipped = 0 if echo else len(prompt)
        self._num_seen = 0
        self._offset = 0
        self._decoder = TextDecoder(vocabulary)
        self._tokens: list[str] = []
        self._logprobs: list[float] = []
        self._tops: list[dict[str, float]] = []

    def add(self, delivery: Delivery) -> Choice:
        """The next piece; its text may be empty."""
        self._keep(delivery)
        if delivery.num_stop:
            self._drop_last(delivery.num_stop)
        num_ready = len(self._tokens) if delivery.last else len(self._tokens) - self._num_held()
        choice = self._release(num_ready, delivery.finish)
        ended = delivery.num_stop == 1 and delivery.ids[-1] == self._vocabulary.end_id
        return choice.model_copy(update={"ended": True}) if ended else choice

    def _keep(self, delivery: Delivery) -> None:
        for k, symbol_id in enumerate(delivery.ids.tolist()):
            position = self._num_seen
            self._num_seen += 1
            if position < self._num_skipped:
                continue
            given = position < len(self._prompt)
            self._tokens.append(self._prompt[position] if given else self._vocabulary.character(symbol_id))
            self._logprobs.append(float(delivery.logprobs[k]))
            if delivery.top_ids is not None and delivery.top_logprobs is not None:
                self._tops.append(self._top(delivery.top_ids[k].tolist(), delivery.top_logprobs[k].tolist()))
            else:
                self._tops.append({})

    def _top(self, ids: list[int], logprobs: list[float]) -> dict[str, float]:
        return {self._vocabulary.label(i): logprob for i, logprob in zip(ids, logprobs, strict=True)}

    def _drop_last(self, count: int) -> None:
        for kept in (self._tokens, self._logprobs, self._tops):
            del kept[len(kept) - count :]

    def _num_held(self) -> int:
        """Characters at the end that a stop string begins with; never the prompt's."""
        longest = max((len(stop) for stop in self._stop), default=1) - 1
        num_drawn = self._num_seen - len(self._prompt)
        for count in range(min(longest, num_drawn, len(self._tokens)), 0, -1):
            end = "".join(self._tokens[-count:])
            if any(stop.startswith(end) for stop in self._stop):
                return count
        return 0

    def _release(self, count: int, finish: Finish | None) -> Choice:
        tokens, logprobs, tops = self._tokens[:count], self._logprobs[:count], self._tops[:count]
        del self._tokens[:count], self._logprobs[:count], self._tops[:count]
        parts = [self._decoder.decode(token) for token in tokens]
        text = "".join(parts) + self._decoder.decode("", final=finish is not None)
        detail = None
        if self._num_top is not None:
            ends = list(accumulate(map(len, parts), initial=self._offset))
            shown = [self._vocabulary.shown(token) for token in tokens]
            detail = Logprobs(tokens=shown, token_logprobs=logprobs, top_logprobs=tops, text_offset=ends[:-1])
        self._offset += len(text)
        return Choice(text=text, finish_reason=finish.value if finish else None, logprobs=detail)


def join_choices(choices: list[Choice]) -> Choice:
    """The pieces of a completion as one choice."""
    parts = [choice.logprobs for choice in choices if choice.logprobs is not None]
    detail = None
    if parts:
        detail = Logprobs(
            tokens=[token for part in parts for token in part.tokens],
            token_logprobs=[value for part in parts for value in part.token_logprobs],
            top_logprobs=[tops for part in parts for tops in part.top_logprobs],
            text_offset=[offset for part in parts for offset in part.text_offset],
        )
    text = "".join(choice.text for choice in choices)
    last = choices[-1]
    return Choice(text=text, finish_reason=last.finish_reason, logprobs=detail, ended=last.ended)
