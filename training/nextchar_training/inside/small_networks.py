"""Trains small networks of different cells in the same way on one text, to compare the cells."""

from nextchar.model.card import Cell
from nextchar.model.vocabulary import Vocabulary
from nextchar_training.batches.factory import make_batches
from nextchar_training.config import TrainingConfig
from nextchar_training.network.network import CharRNN, ModelConfig
from nextchar_training.run.schedule import run_length
from nextchar_training.run.step import Trainer
from nextchar_training.text.split import Split

HIDDEN_SIZE = 128
_EMBEDDING_SIZE = 32


def train_small(cell: Cell, split: Split, vocabulary: Vocabulary, *, steps: int, seed: int = 0) -> CharRNN:
    """Trains one layer of 128 units for `steps` updates with the default options; returns it in eval mode."""
    config = TrainingConfig(
        corpus="", name="small", unit=split.unit, cell=cell, window=64, dropout=0.0, steps=steps, seed=seed
    )
    size = (vocabulary.num_inputs, vocabulary.num_outputs, _EMBEDDING_SIZE, HIDDEN_SIZE, 1)
    trainer = Trainer(
        config, ModelConfig(cell, *size), make_batches(split, vocabulary, config), run_length(config, 1.0)
    )
    for _ in range(steps):
        trainer.step()
    return trainer.model.eval().requires_grad_(False)
