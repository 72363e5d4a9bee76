"""Makes the training batches of a run."""

from nextchar.model.vocabulary import Vocabulary
from nextchar_training.batches.batch import Batches
from nextchar_training.batches.line_batches import LineBatches
from nextchar_training.batches.lines import EncodedLines
from nextchar_training.batches.streams import TextStreams
from nextchar_training.config import TrainingConfig
from nextchar_training.text.error import CorpusError
from nextchar_training.text.split import Split
from nextchar_training.text.vocabulary import encode

# What back-propagation keeps per unit and character: gates, states and masks, in float32.
_BYTES_PER_UNIT = 64
_MAX_BYTES = 4 << 30


def make_batches(split: Split, vocabulary: Vocabulary, config: TrainingConfig) -> Batches:
    """Makes the source of batches from the training part.

    Raises:
        CorpusError: the full window would not fit into memory.
    """
    if split.unit == "line":
        lines = EncodedLines(split.train, vocabulary)
        return LineBatches(
            lines,
            unknown_id=vocabulary.unknown_id,
            batch_size=config.batch_size,
            window=config.window or _full_window(config, int(lines.lengths.max()) + 1),  # with its end
            seed=config.seed,
        )
    ids = encode(vocabulary, split.train)
    newline = vocabulary.characters.index("\n") if "\n" in vocabulary.characters else None
    return TextStreams(
        ids,
        vocabulary,
        newline_id=newline,
        document_starts=split.document_starts,
        batch_size=config.batch_size,
        window=config.window or _full_window(config, max(1, len(ids) // config.batch_size)),
        seed=config.seed,
    )


def _full_window(config: TrainingConfig, window: int) -> int:
    """Returns the window that is all of a stream or of the longest line, if it fits into memory."""
    wanted = window * config.batch_size * config.hidden_size * config.num_layers * _BYTES_PER_UNIT
    if wanted > _MAX_BYTES:
        raise CorpusError(
            f"--window full is {window:,} characters in each of {config.batch_size} streams, about "
            f"{wanted / 2**30:.0f} GiB (limit {_MAX_BYTES >> 30} GiB): give a number of characters",
            param="window",
        )
    return window
