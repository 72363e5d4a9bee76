"""The batches of a run, by unit."""

from nextchar.vocabulary import Vocabulary
from nextchar_training.batch import Batches
from nextchar_training.split import Split
from nextchar_training.streams import TextStreams
from nextchar_training.training_config import TrainingConfig


def make_batches(split: Split, vocabulary: Vocabulary, config: TrainingConfig) -> Batches:
    """An endless, resumable source of training batches from the training part."""
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
