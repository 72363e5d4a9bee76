"""Works out what an answer will weigh at most, before anything is done for it. Pure functions.

The numbers are bytes for each character, and docs/overload.md has them as a table. They are those of the
longest character, the longest number and the longest label, so an answer of plain text is smaller.
"""

from dataclasses import dataclass
from typing import Self

from nextchar.schemas.sampling import SamplingFields
from nextchar.service.inference.completion_text import Shown


@dataclass(frozen=True, slots=True)
class Weight:
    """Bytes of an answer: `held` in memory until it is written, `json` as text, `message` as a message.

    A message counts as it is in memory with its serialised bytes, twice, since gRPC copies them. The text is
    written in pieces, of which only one is in memory.
    """

    held: int = 0
    json: int = 0
    message: int = 0

    def __add__(self, other: Self) -> "Weight":
        return Weight(self.held + other.held, self.json + other.json, self.message + other.message)

    def __mul__(self, count: int) -> "Weight":
        return Weight(self.held * count, self.json * count, self.message * count)

    @property
    def streamed(self) -> "Weight":
        """The same answer as a stream, of which no more is held than a client has not read yet."""
        return Weight(self.held)

    def bytes_over(self, protocol: str) -> int:
        """Returns what counts: over gRPC the memory, over REST the memory or the text, whichever is more."""
        return self.held + self.message if protocol == "grpc" else max(self.held, self.json)


# One each: an answer without its lists, a string that is scored or compared, a scored character, a symbol of
# a distribution.
ANSWER = Weight(8192, 2048, 4096)
STRING = Weight(1500, 360, 640)
CHAR_SCORE = Weight(24, 140, 220)
NEXT_CHAR = Weight(16, 120, 200)
# The network's own log-probability beside that of a text that is learned: of a string, a character, a symbol.
OWN = Weight(40, 50, 24)
# A character of a text, and what may be listed of it; `TOP` and `PROMPT_TOP` are one likeliest symbol of it.
TEXT = Weight(16, 6, 12)
TOKEN_ID = Weight(45, 8, 16)
LOGPROB = Weight(100, 50, 100)
TOP = Weight(8, 40, 160)
PROMPT_LOGPROB = Weight(20, 4, 40)
PROMPT_TOP = Weight(8, 82, 180)
# A verdict, and its reasons; the name of a kind is added to it.
VERDICT = Weight(2600, 420, 900)
REASONS = Weight(6000, 1100, 2600)
STATE_VALUE = Weight(40, 26, 32)
TENSOR_VALUE = Weight(48, 26, 24)
TOKEN = Weight(52, 24, 48)


def score_weight(num_strings: int, num_chars: int, *, return_chars: bool, learned: bool = False) -> Weight:
    """Returns the weight of scores, of `num_chars` characters in all."""
    own = OWN * learned
    of_chars = (CHAR_SCORE + own) * num_chars if return_chars else Weight()
    return ANSWER + (STRING + own) * num_strings + of_chars


def verdict_weight(num_strings: int, num_kind_chars: int, *, return_reasons: bool) -> Weight:
    """Returns the weight of verdicts, each of which may name a kind of some characters."""
    each = VERDICT + TEXT * num_kind_chars + (REASONS if return_reasons else Weight())
    return ANSWER + each * num_strings


def distribution_weight(num_distributions: int, num_symbols: int, *, learned: bool = False) -> Weight:
    """Returns the weight of distributions of the next character that list some symbols each."""
    symbol = NEXT_CHAR + OWN * learned
    return ANSWER + STRING * num_distributions + symbol * (num_distributions * num_symbols)


def inspection_weight(num_chars: int, num_values: int) -> Weight:
    """Returns the weight of an inspection."""
    return ANSWER + CHAR_SCORE * num_chars + STATE_VALUE * num_values


def tokens_weight(num_tokens: int) -> Weight:
    """Returns the weight of the tokens of a text."""
    return ANSWER + TOKEN * num_tokens


def tensor_weight(num_values: int) -> Weight:
    """Returns the weight of tensors with some numbers in all."""
    return ANSWER + TENSOR_VALUE * num_values


def completion_weight(
    num_prompt_chars: int, num_prompts: int, request: SamplingFields, shown: Shown, *, num_samples: int
) -> Weight:
    """Returns the weight of completions of some prompts, each sampled `num_samples` times.

    All samples are held, and all are counted as written, though with `best_of` only some are.
    """
    num_drawn = request.max_tokens * num_prompts
    num_shown = num_drawn + (num_prompt_chars if shown.echo else 0)
    weight = STRING * num_prompts + TEXT * num_shown
    if shown.num_top is not None:
        weight += (LOGPROB + OWN * shown.learned + TOP * (shown.num_top + 1)) * num_shown
    if shown.num_prompt_top is not None:
        weight += (PROMPT_LOGPROB + PROMPT_TOP * (shown.num_prompt_top + 1)) * num_prompt_chars
    if shown.token_ids:
        weight += TOKEN_ID * (num_drawn + num_prompt_chars)
    whole = ANSWER + weight * num_samples
    return whole.streamed if request.stream else whole
