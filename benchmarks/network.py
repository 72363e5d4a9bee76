"""One random network in every form a contender needs. Speed does not depend on what it has learnt."""

from dataclasses import dataclass

import torch

from nextchar.modelfile import Card, Golden, Precision, VocabularyCard
from nextchar.runner import ModelGraph, graph_from_bytes
from nextchar.vocabulary import Vocabulary
from nextchar_training.model import CharRNN, ModelConfig
from nextchar_training.sequence_graph import build_sequence_graph, sequence_states
from nextchar_training.step_graph import build_step_graph, step_states
from nextchar_training.weights import read_weights

_CHARACTERS = "\n !\"&'(),-.:;?ABCDEFGHIJKLMNOPQRSTUVWXYZ[]abcdefghijklmnopqrstuvwxyz"
_EMBEDDING_SIZE = 128


@dataclass(frozen=True)
class Network:
    """The same weights as torch module, standard ONNX and step graphs."""

    hidden_size: int
    num_layers: int
    vocabulary: Vocabulary
    torch: CharRNN
    sequence: ModelGraph
    int8: ModelGraph
    float32: ModelGraph


def make_network(hidden_size: int, num_layers: int) -> Network:
    """An LSTM over a vocabulary of Shakespeare's size."""
    torch.manual_seed(0)
    vocabulary = Vocabulary(tuple(_CHARACTERS))
    config = ModelConfig(
        "lstm",
        num_inputs=vocabulary.num_inputs,
        num_outputs=vocabulary.num_outputs,
        embedding_size=_EMBEDDING_SIZE,
        hidden_size=hidden_size,
        num_layers=num_layers,
    )
    module = CharRNN(config).eval()
    weights = read_weights(module)

    def step(precision: Precision) -> ModelGraph:
        card = _card(vocabulary, "step", precision, step_states("lstm", num_layers))
        return graph_from_bytes(build_step_graph(weights, precision, card), shown=f"step-{precision}")

    card = _card(vocabulary, "sequence", "float32", sequence_states("lstm"))
    sequence = graph_from_bytes(build_sequence_graph(weights, card), shown="model")
    return Network(hidden_size, num_layers, vocabulary, module, sequence, step("int8"), step("float32"))


def _card(vocabulary: Vocabulary, graph: str, precision: Precision, states: dict[str, str]) -> Card:
    return Card.model_validate(
        {
            "graph": graph,
            "cell": "lstm",
            "precision": precision,
            "vocabulary": VocabularyCard(
                characters=list(vocabulary.characters), unit="text", unknown="symbol", normalization="none"
            ),
            "states": states,
            "provenance": {},
            "quality": [],
            "golden": [Golden(text="", logprob=0.0)],
        }
    )
