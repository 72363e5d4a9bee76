"""Exports a network to the files that are served, after proving that they are the same network."""

from collections.abc import Callable
from dataclasses import dataclass

from nextchar.model.card import Card, Golden, Graph, Precision, Quality, VocabularyCard
from nextchar.model.golden import check_golden, score_strings
from nextchar.model.graph import ModelGraph, graph_from_bytes
from nextchar.model.vocabulary import TextDecoder
from nextchar_training.export.calibration import measure_calibration
from nextchar_training.export.proof import Proof, prove
from nextchar_training.export.sequence import build_sequence_graph, sequence_states
from nextchar_training.export.step import build_step_graph, step_states
from nextchar_training.measure.exported import graph_quality
from nextchar_training.measure.figures import NETWORK
from nextchar_training.network.cells.table import CELLS
from nextchar_training.network.described import DescribedNetwork
from nextchar_training.network.weights import read_weights
from nextchar_training.text.split import Split

GOLDEN_TEXTS = ("", "hello", "htktt", "The quick brown fox jumps over the lazy dog.", "a\N{SNOWMAN}b")
_HELDOUT_GOLDEN_CHARS = 16
SEQUENCE_FILE = "model.onnx"


@dataclass(frozen=True)
class Exported:
    """The result of an export: the files by name, the proof, and the losses of the step graphs."""

    files: dict[str, bytes]
    proof: Proof
    float32: Quality
    int8: Quality | None


def export(
    network: DescribedNetwork, split: Split, *, keep_float32_step: bool = False, is_heldout: bool = True
) -> Exported:
    """Builds, proves and measures the graphs; writes no file.

    A text that is not held out, because the network wrote it, shows what int8 costs, and nothing else of it
    comes into the card.

    A cell without an int8 step graph always keeps the float32 one.

    Raises:
        ModelFileError: a graph differs from torch by more than the tolerance.
    """
    maker = _Maker(network, split)
    sequence, step = maker.draft("sequence", "float32"), maker.draft("step", "float32")
    proof = prove(network.model, sequence, step, split)
    float32 = graph_quality(step, split, NETWORK)
    quality, int8 = network.quality or [float32], None
    served = step
    if maker.has_int8:
        served = maker.draft("step", "int8")
        int8 = graph_quality(served, split, f"{NETWORK}-int8")
        quality = [*quality, int8]
    if is_heldout:
        maker.measured(quality, served)
    files = {SEQUENCE_FILE: maker.final("sequence", "float32")}
    if maker.has_int8:
        files["step-int8.onnx"] = maker.final("step", "int8")
    if keep_float32_step or not maker.has_int8:
        files["step-float32.onnx"] = maker.final("step", "float32")
    return Exported(files, proof, float32, int8)


class _Maker:
    """Builds graphs: drafts to measure, then final ones whose cards hold the measurements."""

    def __init__(self, network: DescribedNetwork, split: Split) -> None:
        self._split = split
        self._weights = read_weights(network.model)
        self._card = _blank_card(network)

    @property
    def has_int8(self) -> bool:
        """Whether the cell has an int8 step graph."""
        return CELLS[self._weights.cell].has_int8

    def draft(self, graph: Graph, precision: Precision) -> ModelGraph:
        """Builds and opens a graph whose card holds no measurement yet."""
        return graph_from_bytes(self._build(graph, precision, self._card), shown=f"{graph}-{precision}")

    def measured(self, quality: list[Quality], served: ModelGraph) -> None:
        """Sets the losses and the served graph's calibration that later cards hold."""
        update = {"quality": quality, "calibration": measure_calibration(served, self._split)}
        self._card = self._card.model_copy(update=update)

    def final(self, graph: Graph, precision: Precision) -> bytes:
        """Returns the bytes of a file with its own golden scores, which are checked on the file read back."""
        draft = self.draft(graph, precision)
        texts = _golden_texts(draft, self._split)
        scores = score_strings(draft, [draft.vocabulary.encode(text) for text in texts])
        golden = [Golden(text=t, logprob=s) for t, s in zip(texts, scores, strict=True)]
        content = self._build(graph, precision, self._card.model_copy(update={"golden": golden}))
        check_golden(graph_from_bytes(content, shown="export"), shown="export")
        return content

    def _build(self, graph: Graph, precision: Precision, card: Card) -> bytes:
        cell, weights = self._weights.cell, self._weights
        states = sequence_states(cell) if graph == "sequence" else step_states(cell, len(weights.layers))
        card = card.model_copy(update={"graph": graph, "precision": precision, "states": states})
        if graph == "sequence":
            return build_sequence_graph(weights, card)
        return build_step_graph(weights, precision, card)


def _blank_card(network: DescribedNetwork) -> Card:
    v = network.vocabulary
    return Card(
        graph="step",
        cell=network.model.config.cell,
        precision="float32",
        vocabulary=VocabularyCard(
            characters=list(v.characters),
            unit=v.unit,
            unknown=v.unknown,
            normalization=v.normalization,
            symbols=v.symbols,
            case_folding=v.case_folding,
        ),
        states={"draft": "draft"},
        provenance=network.provenance,
        quality=network.quality,
        golden=[Golden(text="", logprob=0.0)],
    )


def _golden_texts(graph: ModelGraph, split: Split) -> list[str]:
    """Returns fixed short strings that the vocabulary can encode, and the first held-out characters."""
    text = TextDecoder(graph.vocabulary).decode(str(split.heldout[:_HELDOUT_GOLDEN_CHARS]), final=True)
    first = text.replace("\n", " " if split.unit == "text" else "")
    return [text for text in (*GOLDEN_TEXTS, first) if _encodes(graph.vocabulary.encode, text)]


def _encodes(encode: Callable[[str], object], text: str) -> bool:
    try:
        encode(text)
    except KeyError:
        return False
    return True
