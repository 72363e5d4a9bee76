"""Builds tiny models for tests: real weights, real graphs, made in milliseconds."""

from dataclasses import dataclass, field
from pathlib import Path

import torch

from nextchar.model.card import Card, Cell, Golden, Precision, VocabularyCard
from nextchar.model.golden import score_strings
from nextchar.model.graph import ModelGraph, graph_from_bytes
from nextchar.model.vocabulary import Vocabulary
from nextchar_training.export.sequence import build_sequence_graph, sequence_states
from nextchar_training.export.step import build_step_graph, step_states
from nextchar_training.network.cells.table import CELLS
from nextchar_training.network.network import CharRNN, ModelConfig
from nextchar_training.network.weights import Weights, read_weights

# Every cell, and every precision its step graph has: a new row of the table is tested as the others are.
CELL_NAMES: tuple[Cell, ...] = tuple(CELLS)
STEP_GRAPHS: list[tuple[Cell, Precision]] = [
    (name, precision)
    for name, cell in CELLS.items()
    for precision in ("float32", "int8")
    if precision == "float32" or cell.has_int8
]
CHARACTERS = "\n abcdefghijklmnopqrstuvwxyz.,é"
GOLDEN = ("", "hello", "abc abc")


@dataclass(frozen=True)
class TinyModel:
    """Describes an untrained network and its vocabulary's policies; the same seed makes the same network."""

    cell: Cell = "lstm"
    hidden_size: int = 24
    num_layers: int = 2
    seed: int = 0
    vocabulary: Vocabulary = field(default=Vocabulary(tuple(CHARACTERS)))

    @property
    def precision(self) -> Precision:
        """The precision that is served by default."""
        return "int8" if CELLS[self.cell].has_int8 else "float32"

    def module(self) -> CharRNN:
        torch.manual_seed(self.seed)
        v = self.vocabulary
        config = ModelConfig(
            self.cell,
            v.num_inputs,
            v.num_outputs,
            embedding_size=8,
            hidden_size=self.hidden_size,
            num_layers=self.num_layers,
        )
        module = CharRNN(config).eval().requires_grad_(False)
        module.output.weight.mul_(4)  # an untrained network says little; make it say something
        return module

    def weights(self) -> Weights:
        return read_weights(self.module())

    def card(self, **changes: object) -> Card:
        v = self.vocabulary
        fields: dict[str, object] = {
            "graph": "step",
            "cell": self.cell,
            "precision": self.precision,
            "vocabulary": VocabularyCard(
                characters=list(v.characters),
                unit=v.unit,
                unknown=v.unknown,
                normalization=v.normalization,
                symbols=v.symbols,
                case_folding=v.case_folding,
            ),
            "states": step_states(self.cell, self.num_layers),
            "provenance": {"corpus": "none", "command": "tests"},
            "quality": [],
            "golden": [Golden(text="", logprob=0.0)],
        }
        return Card.model_validate({**fields, **changes})

    def step_bytes(self, precision: Precision | None = None, **changes: object) -> bytes:
        """Builds a step graph with golden scores of its own, unless `changes` replace them."""
        precision = precision or self.precision
        weights = self.weights()
        draft = graph_from_bytes(
            build_step_graph(weights, precision, self.card(precision=precision)), shown="draft"
        )
        scores = score_strings(draft, [draft.vocabulary.encode(text) for text in GOLDEN])
        golden = [Golden(text=t, logprob=s) for t, s in zip(GOLDEN, scores, strict=True)]
        card = self.card(**{"precision": precision, "golden": golden, **changes})
        return build_step_graph(weights, precision, card)

    def step(self, precision: Precision | None = None) -> ModelGraph:
        return graph_from_bytes(self.step_bytes(precision), shown="tiny")

    def sequence_bytes(self) -> bytes:
        states = sequence_states(self.cell)
        card = self.card(graph="sequence", precision="float32", states=states)
        return build_sequence_graph(self.weights(), card)

    def sequence(self) -> ModelGraph:
        return graph_from_bytes(self.sequence_bytes(), shown="tiny sequence")


TEXT = TinyModel()
LINES = TinyModel("gru", seed=1, vocabulary=Vocabulary(tuple(CHARACTERS[1:]), unit="line"))
REFUSING = TinyModel("rnn_tanh", seed=2, vocabulary=Vocabulary(tuple(CHARACTERS), unknown="refuse"))
BYTES = TinyModel(
    "gru", seed=3, vocabulary=Vocabulary(tuple(map(chr, range(256))), unknown="refuse", symbols="bytes")
)


def write_models(folder: Path, models: dict[str, TinyModel], *, version: int = 1) -> Path:
    """Writes each model's step graph under its name; returns the folder."""
    for name, model in models.items():
        target = folder / name / str(version)
        target.mkdir(parents=True, exist_ok=True)
        (target / f"step-{model.precision}.onnx").write_bytes(model.step_bytes())
    return folder


def write_every_cell(folder: Path, *, seed: int = 0) -> Path:
    """Writes a model of each cell in each of its precisions, as `lstm-int8`; returns the folder."""
    for cell, precision in STEP_GRAPHS:
        target = folder / f"{cell}-{precision}" / "1"
        target.mkdir(parents=True)
        (target / f"step-{precision}.onnx").write_bytes(TinyModel(cell, seed=seed).step_bytes(precision))
    return folder
