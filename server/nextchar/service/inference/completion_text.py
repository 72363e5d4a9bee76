"""Turns a lane's deliveries into pieces of a completion: text, log-probabilities, what is held back."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate

import numpy as np

from nextchar.engine.work import Delivery, FinishReason
from nextchar.model.vocabulary import Ids, TextDecoder, Vocabulary
from nextchar.schemas.completion import Choice, Logprobs, PromptLogprob

BEGIN = "<|begin|>"
_NEVER = -float("inf")


@dataclass(frozen=True, slots=True)
class Prompt:
    """The ids that a lane reads, and each symbol's text in normal form.

    `begins`: the client gave the begin symbol, from which every text starts anyway, as the first of the ids.
    """

    ids: Ids
    texts: list[str]
    begins: bool = False

    @property
    def num_tokens(self) -> int:
        """The number of ids that the client gave."""
        return len(self.ids) + self.begins


NO_PROMPT = Prompt(np.empty(0, dtype=np.int64), [])


@dataclass(frozen=True, slots=True)
class Shown:
    """What a choice holds beside its text.

    `num_top` and `num_prompt_top` are the numbers of likeliest symbols to list, None to list no
    log-probabilities.
    """

    index: int = 0
    echo: bool = False
    num_top: int | None = None
    num_prompt_top: int | None = None
    token_ids: bool = False

    @property
    def most_top(self) -> int:
        """The number of likeliest symbols that a lane must report."""
        return max(self.num_top or 0, self.num_prompt_top or 0)


@dataclass(slots=True)
class _Tokens:
    """Symbols of a text, in columns: there are many of most, and often only the text is wanted.

    The first `num_given` are the prompt's.
    """

    texts: list[str] = field(default_factory=list)
    ids: list[int] = field(default_factory=list)
    logprobs: list[float | None] = field(default_factory=list)
    tops: list[dict[str, float]] = field(default_factory=list)
    num_given: int = 0

    def __len__(self) -> int:
        return len(self.ids)

    def add_given(self, text: str, symbol_id: int, logprob: float | None, top: dict[str, float]) -> None:
        """Adds a symbol of the prompt; these come first."""
        self.texts.append(text)
        self.ids.append(symbol_id)
        self.logprobs.append(logprob)
        self.tops.append(top)
        self.num_given += 1

    def take(self, count: int) -> "_Tokens":
        """Removes the first symbols and returns them."""
        num_given = min(count, self.num_given)
        taken = _Tokens(
            self.texts[:count], self.ids[:count], self.logprobs[:count], self.tops[:count], num_given
        )
        self.num_given -= num_given
        for column in (self.texts, self.ids, self.logprobs, self.tops):
            del column[:count]
        return taken

    def drop(self, count: int) -> None:
        """Removes the last symbols."""
        for column in (self.texts, self.ids, self.logprobs, self.tops):
            del column[len(column) - count :]


class CompletionText:
    """Turns deliveries into choices, in order.

    Text that may turn out to be the beginning of one of the `stop` strings is held back until that is
    decided, so a stop string is never sent. With `echo` the prompt's characters are part of the text.
    """

    def __init__(self, vocabulary: Vocabulary, prompt: Prompt, stop: Sequence[str], shown: Shown) -> None:
        self._vocabulary, self._stop, self._shown = vocabulary, stop, shown
        self.prompt = prompt
        self._num_seen = 0
        self._offset = 0
        self._decoder = TextDecoder(vocabulary)
        self._tokens = _Tokens()
        self._of_prompt: list[dict[int, PromptLogprob] | None] = [None] * prompt.begins
        self._is_first = True
        self.num_drawn = 0
        self.logprob = 0.0  # of all drawn symbols
        if prompt.begins and shown.echo:
            self._tokens.add_given("", vocabulary.begin_id, None, {})

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
        ids, logprobs = delivery.ids.tolist(), delivery.logprobs.tolist()
        num_given = min(len(ids), max(0, len(self.prompt.texts) - self._num_seen))
        for k in range(num_given):
            self._keep_given(delivery, k, ids[k], logprobs[k])
        drawn, values = ids[num_given:], logprobs[num_given:]
        listed, tokens = range(num_given, len(ids)) if self._shown.num_top else (), self._tokens
        tokens.texts += map(self._vocabulary.texts.__getitem__, drawn)
        tokens.ids += drawn
        tokens.logprobs += values
        tokens.tops += [self._top(delivery, k) for k in listed] or [{}] * len(drawn)
        self.num_drawn += len(drawn)
        self.logprob += sum(values)
        self._num_seen += len(ids)

    def _keep_given(self, delivery: Delivery, k: int, symbol_id: int, logprob: float) -> None:
        prompt, shown = self.prompt, self._shown
        if shown.num_prompt_top is not None:
            self._of_prompt.append(self._at(delivery, k, symbol_id, logprob, shown.num_prompt_top))
        if shown.echo:
            text = prompt.texts[self._num_seen + k]
            self._tokens.add_given(text, symbol_id, logprob, self._top(delivery, k))

    def _top(self, delivery: Delivery, k: int) -> dict[str, float]:
        if delivery.top_ids is None or delivery.top_logprobs is None or not self._shown.num_top:
            return {}
        count = self._shown.num_top
        pairs = zip(
            delivery.top_ids[k, :count].tolist(), delivery.top_logprobs[k, :count].tolist(), strict=True
        )
        return {self._vocabulary.label(i): logprob for i, logprob in pairs if logprob > _NEVER}

    def _at(
        self, delivery: Delivery, k: int, symbol_id: int, logprob: float, num_top: int
    ) -> dict[int, PromptLogprob]:
        """Returns what the likeliest symbols and the given one have at a place of the prompt."""
        logprobs = {}
        if num_top and delivery.top_ids is not None and delivery.top_logprobs is not None:
            ids, values = delivery.top_ids[k, :num_top].tolist(), delivery.top_logprobs[k, :num_top].tolist()
            logprobs = dict(zip(ids, values, strict=True))
        logprobs[symbol_id] = logprob
        label = self._vocabulary.label
        return {i: PromptLogprob(logprob=value, decoded_token=label(i)) for i, value in logprobs.items()}

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
        )

    def _label(self, text: str, symbol_id: int) -> str:
        if text:
            return self._vocabulary.shown(text)
        return BEGIN if symbol_id == self._vocabulary.begin_id else self._vocabulary.label(symbol_id)

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


def join_choices(choices: list[Choice]) -> Choice:
    """Joins the pieces of a completion into one choice."""
    parts = [choice.logprobs for choice in choices if choice.logprobs is not None]
    detail = None
    if parts:
        detail = Logprobs(
            tokens=[token for part in parts for token in part.tokens],
            token_logprobs=[value for part in parts for value in part.token_logprobs],
            top_logprobs=[tops for part in parts for tops in part.top_logprobs],
            text_offset=[offset for part in parts for offset in part.text_offset],
        )
    ids = [choice.token_ids for choice in choices if choice.token_ids is not None]
    return choices[-1].model_copy(
        update={
            "text": "".join(choice.text for choice in choices),
            "logprobs": detail,
            "token_ids": [i for part in ids for i in part] if ids else None,
            "prompt_token_ids": choices[0].prompt_token_ids,
        }
    )
