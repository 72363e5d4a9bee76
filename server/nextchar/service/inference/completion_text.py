"""Turns a lane's deliveries into pieces of a completion: text, log-probabilities, what is held back."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from nextchar.engine.work import Delivery, FinishReason
from nextchar.model.vocabulary import Ids, TextDecoder, Vocabulary
from nextchar.schemas.base import make_usage
from nextchar.schemas.completion import Choice, Logprobs
from nextchar.service.inference.token_rows import PromptLogprobs, TopLogprobs

BEGIN = "<|begin|>"


@dataclass(frozen=True, slots=True)
class Prompt:
    """The ids that a lane reads, and each symbol's text in normal form.

    `begins`: the client gave the begin symbol, from which every text starts anyway, as the first of the ids.
    `after_return`: the prompt, or the text before an empty one, ended in a carriage return that was read as a
    newline.
    """

    ids: Ids
    texts: Sequence[str]
    begins: bool = False
    after_return: bool = False

    @property
    def num_tokens(self) -> int:
        """The number of ids that the client gave."""
        return len(self.ids) + self.begins


NO_PROMPT = Prompt(np.empty(0, dtype=np.int64), [])


@dataclass(frozen=True, slots=True)
class Shown:
    """What a choice holds beside its text.

    `num_top` and `num_prompt_top` are the numbers of likeliest symbols to list, None to list no
    log-probabilities. Of a text that is `learned`, the network's own are listed too.
    """

    index: int = 0
    echo: bool = False
    num_top: int | None = None
    num_prompt_top: int | None = None
    token_ids: bool = False
    learned: bool = False

    @property
    def most_top(self) -> int:
        """The number of likeliest symbols that a lane must report."""
        return max(self.num_top or 0, self.num_prompt_top or 0)


class _Tokens:
    """Holds symbols of a text in columns: there are many of most, and often only the text is wanted.

    The first `num_given` are the prompt's.
    """

    def __init__(self, tops: TopLogprobs) -> None:
        self.texts: list[str] = []
        self.ids: list[int] = []
        self.logprobs: list[float | None] = []
        self.model_logprobs: list[float | None] = []  # the network's own, of a text that is learned
        self.tops = tops
        self.num_given = 0

    def __len__(self) -> int:
        return len(self.ids)

    def add_begin(self, symbol_id: int) -> None:
        """Adds the begin symbol, which has no text and no log-probability, before all others."""
        self.texts.append("")
        self.ids.append(symbol_id)
        self.logprobs.append(None)
        self.model_logprobs.append(None)
        self.tops.add(None, 0, 1)
        self.num_given += 1

    def take(self, count: int) -> "_Tokens":
        """Removes the first symbols and returns them."""
        taken = _Tokens(self.tops.take(count))
        taken.num_given = min(count, self.num_given)
        taken.texts, taken.ids, taken.logprobs = self.texts[:count], self.ids[:count], self.logprobs[:count]
        taken.model_logprobs = self.model_logprobs[:count]
        self.num_given -= taken.num_given
        for column in (self.texts, self.ids, self.logprobs, self.model_logprobs):
            del column[:count]
        return taken

    def drop(self, count: int) -> None:
        """Removes the last symbols."""
        self.tops.drop(count)
        if self.model_logprobs:
            del self.model_logprobs[len(self.model_logprobs) - count :]
        for column in (self.texts, self.ids, self.logprobs):
            del column[len(column) - count :]


def _num_shown(vocabulary: Vocabulary, prompt: Prompt) -> int:
    """Counts the characters of a prompt as it is shown where it is a part of the text."""
    return len(TextDecoder(vocabulary).decode("".join(prompt.texts)))


class CompletionText:
    """Turns deliveries into choices, in order.

    Text that may turn out to be the beginning of one of the `stop` strings is held back until that is
    decided, so a stop string is never sent. With `echo` the prompt's characters are part of the text.
    """

    def __init__(self, vocabulary: Vocabulary, prompt: Prompt, stop: Sequence[str], shown: Shown) -> None:
        self._vocabulary, self._stop, self._shown = vocabulary, stop, shown
        self.prompt = prompt
        self._num_seen = 0
        self._offset = 0 if shown.echo or shown.num_top is None else _num_shown(vocabulary, prompt)
        self._decoder = TextDecoder(vocabulary)
        self._tokens = _Tokens(TopLogprobs(vocabulary, shown.num_top or 0))
        self._of_prompt = PromptLogprobs(vocabulary, shown.num_prompt_top or 0)
        self._of_prompt.add(None, 0, int(prompt.begins))
        self._unknown: dict[str, str] = {}
        self._is_first = True
        self.num_drawn = 0
        self.logprob = 0.0  # of all drawn symbols
        if prompt.begins and shown.echo:
            self._tokens.add_begin(vocabulary.begin_id)

    @property
    def mean_logprob(self) -> float:
        """The mean log-probability of the drawn symbols, the end symbol or stop string too; 0 for none."""
        return self.logprob / max(1, self.num_drawn)

    def add(self, delivery: Delivery) -> Choice:
        """Returns the next piece; its text may be empty."""
        self._keep(delivery)
        if delivery.num_stop and self._tokens.ids[-1] != self._vocabulary.end_id:
            self._tokens.drop(delivery.num_stop)
        num_ready = len(self._tokens) if delivery.last else len(self._tokens) - self._num_held()
        return self._release(num_ready, delivery.finish)

    def _keep(self, delivery: Delivery) -> None:
        num_ids, tokens = len(delivery.ids), self._tokens
        num_given = min(num_ids, max(0, len(self.prompt.ids) - self._num_seen))
        if num_given and self._shown.num_prompt_top is not None:
            self._of_prompt.add(delivery, 0, num_given)
        first = 0 if self._shown.echo else num_given
        ids, logprobs = delivery.ids[first:].tolist(), delivery.logprobs[first:].tolist()
        num_echoed = num_given - first
        if num_echoed:
            tokens.texts += self.prompt.texts[self._num_seen : self._num_seen + num_echoed]
            tokens.num_given += num_echoed
        tokens.texts += map(self._vocabulary.texts.__getitem__, ids[num_echoed:])
        tokens.ids += ids
        tokens.logprobs += logprobs
        if delivery.model_logprobs is not None:
            tokens.model_logprobs += delivery.model_logprobs[first:].tolist()
        tokens.tops.add(None if self._shown.num_top is None else delivery, first, num_ids)
        self.num_drawn += num_ids - num_given
        self.logprob += sum(logprobs[num_echoed:])
        self._num_seen += num_ids

    def _num_held(self) -> int:
        """Returns how many characters at the end may begin a stop string; never the prompt's."""
        longest = max((len(stop) for stop in self._stop), default=1) - 1
        for count in range(min(longest, self.num_drawn, len(self._tokens)), 0, -1):
            end = "".join(self._tokens.texts[-count:])
            if any(stop.startswith(end) for stop in self._stop):
                return count
        return 0

    def _release(self, count: int, finish: FinishReason | None) -> Choice:
        tokens = self._tokens.take(count)
        # The log-probabilities list where the text of each character begins.
        has_logprobs = self._shown.num_top is not None
        pieces = tokens.texts if has_logprobs else ["".join(tokens.texts)]
        parts = [self._decoder.decode(piece) for piece in pieces]
        text = "".join(parts) + self._decoder.decode("", final=finish is not None)
        choice = Choice(
            text=text,
            index=self._shown.index,
            finish_reason=finish.value if finish else None,
            usage=make_usage(self.prompt.num_tokens, self.num_drawn),
            ended=finish is not None and bool(tokens) and tokens.ids[-1] == self._vocabulary.end_id,
            logprobs=self._logprobs(tokens, parts) if has_logprobs else None,
        )
        self._offset += len(text)
        if self._shown.token_ids or self._shown.num_prompt_top is not None:
            return choice.model_copy(update=self._extras(tokens, finish))
        return choice

    def _logprobs(self, tokens: _Tokens, parts: list[str]) -> Logprobs:
        ends = list(accumulate(map(len, parts), initial=self._offset))
        return Logprobs(
            tokens=list(map(self._label, tokens.texts, tokens.ids)),
            token_logprobs=tokens.logprobs,
            top_logprobs=tokens.tops,
            text_offset=ends[:-1],
            model_logprobs=tokens.model_logprobs if self._shown.learned else None,
        )

    def _label(self, text: str, symbol_id: int) -> str:
        """Returns the text of a token, one object for all tokens of the same text."""
        if symbol_id == self._vocabulary.begin_id:
            return BEGIN
        if symbol_id == self._vocabulary.unknown_id:  # as the prompt has it
            return self._unknown.setdefault(text, text)
        return self._vocabulary.labels[symbol_id]

    def _extras(self, tokens: _Tokens, finish: FinishReason | None) -> dict[str, object]:
        extras: dict[str, object] = {}
        if self._shown.token_ids:
            extras["token_ids"] = tokens.ids[tokens.num_given :]
            if self._is_first:
                begin = [self._vocabulary.begin_id] * self.prompt.begins
                extras["prompt_token_ids"] = begin + self.prompt.ids.tolist()
                self._is_first = False
        if finish is not None and self._shown.num_prompt_top is not None:
            extras["prompt_logprobs"] = self._of_prompt
        return extras
