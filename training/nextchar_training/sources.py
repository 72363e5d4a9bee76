"""The batches of a run, by unit."""

from nextchar.vocabulary import Vocabulary
from nextchar_training.batch import Batches
from nextchar_training.line_batches import LineBatches
from nextchar_training.lines import EncodedLines
from nextchar_training.split import Split
from nextchar_training.streams import TextStreams
from nextchar_training.training_config import TrainingConfig


def make_batches(split: Split, vocabulary: Vocabulary, config: TrainingConfig) -> Batches:
    """An endless, resumable source of training batches from the training part."""
    if split.unit == "line":
        return LineBatches(
            EncodedLines(split.train, vocabulary),
            unknown_id=vocabulary.unknown_id,
            max_symbols=config.batch_size * config.window,
            seed=config.seed,
        )
    newline = vocabulary.characters.index("\n") if "\n" in vocabulary.characters else None
    return TextStreams(
        vocabulary.encode(split.train),
        vocabulary,
        newline_id=newline,
        document_starts=split.document_starts,
        batch_size=config.batch_size,
        window=config.window,
        seed=config.seed,
    )
