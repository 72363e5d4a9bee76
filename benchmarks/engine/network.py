"""Builds one random network in every format that a contender needs; speed does not depend on its weights."""

from dataclasses import dataclass
from functools import cached_property

import torch

from nextchar.model.card import Card, Cell, Golden, Precision, VocabularyCard
from nextchar.model.graph import ModelGraph, graph_from_bytes
from nextchar.model.vocabulary import Vocabulary
from nextchar_training.export.sequence import build_sequence_graph, sequence_states
from nextchar_training.export.step import build_step_graph, step_states
from nextchar_training.network.network import CharRNN, ModelConfig
from nextchar_training.network.weights import read_weights

_CHARACTERS = "\n !\"&'(),-.:;?ABCDEFGHIJKLMNOPQRSTUVWXYZ[]abcdefghijklmnopqrstuvwxyz"
_EMBEDDING_SIZE = 128


@dataclass
class Network:
    """Holds the same weights as torch module, standard ONNX and step graph."""

    hidden_size: int
    num_layers: int
    vocabulary: Vocabulary
    torch: CharRNN
    cell: Cell = "lstm"

    @cached_property
    def sequence(self) -> ModelGraph:
        return graph_from_bytes(sequence_bytes(self), shown="model")

    @cached_property
    def int8(self) -> ModelGraph:
        return graph_from_bytes(step_bytes(self, "int8"), shown="step-int8")

    @cached_property
    def int8_with_kernels(self) -> ModelGraph:
        """The same with the compiled cells of nextchar-kernels."""
        graph = graph_from_bytes(step_bytes(self, "int8"), shown="step-int8", kernels="auto")
        assert graph.kernels, "nextchar-kernels is not installed, or refused: see the log"
        return graph


def make_network(hidden_size: int, num_layers: int, cell: Cell = "lstm") -> Network:
    """Builds a network over a vocabulary of Shakespeare's size."""
    torch.manual_seed(0)
    vocabulary = Vocabulary(tuple(_CHARACTERS))
    config = ModelConfig(
        cell,
        num_inputs=vocabulary.num_inputs,
        num_outputs=vocabulary.num_outputs,
        embedding_size=_EMBEDDING_SIZE,
        hidden_size=hidden_size,
        num_layers=num_layers,
    )
    module = CharRNN(config).eval()
    return Network(hidden_size, num_layers, vocabulary, module, cell)


def step_bytes(network: Network, precision: Precision) -> bytes:
    """Returns the bytes of a network's step graph."""
    states = step_states(network.cell, network.num_layers)
    draft = _card(network, "step", precision, states)
    return build_step_graph(read_weights(network.torch), precision, draft)


def sequence_bytes(network: Network) -> bytes:
    """Returns the bytes of a network's model.onnx."""
    card = _card(network, "sequence", "float32", sequence_states(network.cell))
    return build_sequence_graph(read_weights(network.torch), card)


def _card(network: Network, graph: str, precision: Precision, states: dict[str, str]) -> Card:
    return Card.model_validate(
        {
            "graph": graph,
            "cell": network.cell,
            "precision": precision,
            "vocabulary": VocabularyCard(
                characters=list(network.vocabulary.characters),
                unit="text",
                unknown="symbol",
                normalization="none",
            ),
            "states": states,
            "provenance": {},
            "quality": [],
            "golden": [Golden(text="", logprob=0.0)],
        }
    )
