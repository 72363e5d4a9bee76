"""The development part: what a run watches while it trains."""

from nextchar.vocabulary import Vocabulary
from nextchar_training.evaluation import WARM_CHARS, line_loss, stream_loss
from nextchar_training.lines import EncodedLines
from nextchar_training.model import CharRNN
from nextchar_training.split import Split

MAX_CHARS = 100_000  # enough for a steady figure, few enough to be quick


class Development:
    """The first 100,000 characters after the training part, encoded once."""

    def __init__(self, split: Split, vocabulary: Vocabulary) -> None:
        piece = split.development[:MAX_CHARS]
        self._lines: EncodedLines | None = None
        if split.unit == "line":
            whole = piece if len(piece) == len(split.development) else piece.rpartition("\n")[0]
            self._lines = EncodedLines(whole or piece, vocabulary)
            return
        self._before = vocabulary.encode(split.train[-WARM_CHARS:])
        self._ids = vocabulary.encode(piece)

    def loss(self, model: CharRNN) -> float:
        """Nats per character under the protocol `stream`, or `line` for lines."""
        if self._lines is not None:
            return line_loss(model, self._lines)
        return stream_loss(model, self._ids, before=self._before)
