"""Defines the card inside every model file, and checks that the graph is what the card says.

A model is one `.onnx` file. Under the metadata key `nextchar` it carries a JSON card with what cannot be read
from the graph itself: characters, policies, which output feeds which state input, where the model comes from,
how good it is. Sizes and shapes are the graph's own and are not repeated. This module is plain data: it opens
no file and imports no runtime.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError, model_validator

from nextchar.errors import ModelFileError
from nextchar.model.text_form import CaseFolding, Normalization
from nextchar.model.vocabulary import Vocabulary

CARD_KEY = "nextchar"
MAX_CARD_DEPTH = 32
MAX_CHARACTERS = 2**16
MAX_GOLDEN = 64
MAX_SHARES = 256
MAX_GOLDEN_CHARS = 4096
MAX_MODEL_BYTES = 512 * 1024 * 1024

Cell = str  # its name in training's table of cells; a graph is run in the same way whatever its cell
Precision = Literal["float32", "int8"]
Graph = Literal["sequence", "step"]

# Type and rank of each graph kind's inputs and outputs, without its states.
_SIGNATURES: dict[Graph, tuple[dict[str, tuple[str, int]], dict[str, tuple[str, int]]]] = {
    "sequence": ({"ids": ("int64", 2)}, {"logits": ("float", 3)}),
    "step": (
        {
            "num_steps": ("int64", 0),
            "ids": ("int64", 1),
            "given": ("int64", 2),
            "uniforms": ("double", 2),
            "inverse_temperature": ("float", 1),
        },
        {"symbols": ("int64", 2), "logprobs": ("float", 2), "distribution": ("float", 2)},
    ),
}
_OVER_SYMBOLS = {"logits", "distribution"}


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class VocabularyCard(_Part):
    """The characters in id order and the policies around them (see `nextchar.model.vocabulary`)."""

    characters: list[Annotated[str, Field(min_length=1, max_length=1)]] = Field(
        min_length=1, max_length=MAX_CHARACTERS
    )
    unit: Literal["text", "line"]
    unknown: Literal["symbol", "refuse"]
    normalization: Normalization
    symbols: Literal["characters", "bytes"] = "characters"
    case_folding: CaseFolding = "none"

    def make(self) -> Vocabulary:
        """Makes the vocabulary that is described."""
        v = self
        return Vocabulary(tuple(v.characters), v.unit, v.unknown, v.normalization, v.symbols, v.case_folding)


class Golden(_Part):
    """A string and its log-probability (nats, from begin, without end) when the file was written."""

    text: str = Field(max_length=MAX_GOLDEN_CHARS)
    logprob: float


class Quality(_Part):
    """One measurement: a loss in nats and bits per character under a named protocol."""

    name: str
    protocol: str
    nats_per_char: float
    bits_per_char: float
    num_chars: int


class Quantiles(_Part):
    """Bits per character of held-out strings of one length: the value at each of the card's levels.

    Cards had them before they had a calibration.
    """

    num_chars: int = Field(ge=1)
    bits_per_char: list[FiniteFloat]


class SurpriseCurve(_Part):
    """Bits per symbol of held-out strings of one length: the value at each share, and the tail beyond.

    `num_symbols` counts the end symbol where it was scored. `tail_bits` is the scale of the tail in bits per
    symbol. `num_strings` is the number of independent strings that this was measured on.
    """

    num_symbols: int = Field(ge=1)
    bits_per_symbol: list[FiniteFloat]
    tail_bits: FiniteFloat = Field(gt=0)
    num_strings: int = Field(ge=1)


class CalibrationCard(_Part):
    """The distribution of held-out surprise by length (see `nextchar.model.surprise.calibration`).

    `shares` fall from 1: the share of the strings that have at least the bits of a curve. `with_end` is empty
    for a model without an end symbol.
    """

    shares: list[FiniteFloat] = Field(min_length=2, max_length=MAX_SHARES)
    tail_shape: FiniteFloat = Field(ge=-0.5, le=1)
    without_end: list[SurpriseCurve] = Field(min_length=1, max_length=1024)
    with_end: list[SurpriseCurve] = Field(default=[], max_length=1024)

    @model_validator(mode="after")
    def _curves_are_sound(self) -> "CalibrationCard":
        if self.shares[0] != 1 or self.shares[-1] <= 0 or not falls(self.shares):
            raise ValueError("shares must fall from 1 and stay above 0")
        for curves in (self.without_end, self.with_end):
            if not rises([curve.num_symbols for curve in curves]):
                raise ValueError("num_symbols must rise from curve to curve")
            for curve in curves:
                _check_curve(curve.bits_per_symbol, len(self.shares), "bits_per_symbol", curve.num_symbols)
        return self


def rises(values: Sequence[float]) -> bool:
    return all(a < b for a, b in pairwise(values))


def falls(values: Sequence[float]) -> bool:
    return all(a > b for a, b in pairwise(values))


def _check_curve(bits: list[float], num_values: int, name: str, length: int) -> None:
    if len(bits) != num_values or any(a > b for a, b in pairwise(bits)):
        raise ValueError(f"{name} of length {length} must be {num_values} numbers that do not fall")


class Card(_Part):
    """Describes a model file; it is stored inside the file.

    `states` maps each state input of the graph to the output that is its next value.
    `provenance` holds free-form facts: corpus, SHA-256, split, licence, commit, seed, command.
    """

    format: Literal[1] = 1
    graph: Graph
    cell: Cell = Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")
    precision: Precision
    vocabulary: VocabularyCard
    states: dict[str, str] = Field(min_length=1, max_length=256)
    provenance: dict[str, Any]
    quality: list[Quality] = Field(max_length=256)
    quantile_levels: list[float] = Field(default=[], max_length=MAX_SHARES)
    quantiles: list[Quantiles] = Field(default=[], max_length=4096)
    calibration: CalibrationCard | None = None
    golden: list[Golden] = Field(min_length=1, max_length=MAX_GOLDEN)

    @model_validator(mode="after")
    def _vocabulary_is_sound(self) -> "Card":
        self.make_vocabulary()
        return self

    @model_validator(mode="after")
    def _quantiles_are_sound(self) -> "Card":
        levels = self.quantile_levels
        if self.quantiles and not (len(levels) > 1 and levels[0] >= 0 and levels[-1] <= 1 and rises(levels)):
            raise ValueError("quantile_levels must be two or more numbers from 0 to 1 that rise")
        if len({entry.num_chars for entry in self.quantiles}) != len(self.quantiles):
            raise ValueError("quantiles: two entries have the same num_chars")
        for entry in self.quantiles:
            _check_curve(entry.bits_per_char, len(levels), "bits_per_char", entry.num_chars)
        return self

    def make_vocabulary(self) -> Vocabulary:
        return self.vocabulary.make()

    def to_json(self) -> str:
        return json.dumps(self.model_dump(mode="json"), ensure_ascii=True, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """The ONNX type name and shape of a graph's input or output; a named or free dimension is None."""

    type: str
    shape: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class GraphSignature:
    """The inputs and outputs of a graph, by name."""

    inputs: dict[str, TensorSpec]
    outputs: dict[str, TensorSpec]


def parse_card(metadata: dict[str, str], *, path: str) -> Card:
    """Reads the card from a model file's metadata.

    Raises:
        ModelFileError: there is no card, or this version cannot read it.
    """
    raw = metadata.get(CARD_KEY)
    if raw is None:
        raise ModelFileError(
            f"{path}: not a nextchar model: its metadata has no {CARD_KEY!r} card; export it again"
        )
    if _depth(raw) > MAX_CARD_DEPTH:
        raise ModelFileError(
            f"{path}: bad card: its lists and objects nest deeper than the limit of {MAX_CARD_DEPTH}"
        )
    try:
        # strict=False on the JSON side only: tuples and floats written as integers are the same value.
        return Card.model_validate_json(raw)
    except ValidationError as error:
        raise ModelFileError(f"{path}: bad card: {first_fault(error, 'card')}") from error


def first_fault(error: ValidationError, whole: str) -> str:
    """Says in which field the first fault is, or that it is of the `whole`, and what is wrong there."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"]) or whole
    return f"{where}: {first['msg']}"


def _depth(raw: str) -> int:
    """Returns how deep brackets nest, before a recursive parser reads them."""
    deepest = depth = 0
    for bracket in re.finditer(r'"(?:[^"\\]|\\.)*+"?|[\[{]|[\]}]', raw, re.DOTALL):
        if bracket[0] in ("[", "{"):
            depth += 1
            deepest = max(deepest, depth)
        elif bracket[0] in ("]", "}"):
            depth -= 1
    return deepest


def check_graph(card: Card, signature: GraphSignature, *, path: str) -> None:
    """Checks that the graph has the inputs and outputs of its kind and the card's states, and nothing else.

    A sequence graph reads `ids` int64 [batch, time] and returns `logits` [batch, time, num_outputs]; for a
    step graph see `nextchar_training.export.lane_loop`.

    Raises:
        ModelFileError: naming the input or output that disagrees.
    """
    inputs, outputs = _SIGNATURES[card.graph]
    if len(set(card.states.values())) != len(card.states):
        raise ModelFileError(f"{path}: bad card: states: one output feeds two state inputs")
    _same_names("input", {*inputs, *card.states}, set(signature.inputs), path)
    _same_names("output", {*outputs, *card.states.values()}, set(signature.outputs), path)
    num_outputs = card.make_vocabulary().num_outputs
    for name, (type_name, rank) in inputs.items():
        _check_tensor("input", name, signature.inputs[name], type_name, rank, path)
    for name, (type_name, rank) in outputs.items():
        _check_tensor("output", name, signature.outputs[name], type_name, rank, path)
        if name in _OVER_SYMBOLS and signature.outputs[name].shape[-1] != num_outputs:
            raise ModelFileError(
                f"{path}: output {name!r} must have {num_outputs} symbols in its last axis (the card's "
                f"vocabulary), is {list(signature.outputs[name].shape)}"
            )
    for source, target in card.states.items():
        _same_tensor(source, target, signature, path)


def _check_tensor(kind: str, name: str, found: TensorSpec, type_name: str, rank: int, path: str) -> None:
    if found.type != f"tensor({type_name})" or len(found.shape) != rank:
        raise ModelFileError(
            f"{path}: {kind} {name!r} must be {type_name} of rank {rank}, is {found.type}{list(found.shape)}"
        )


def _same_names(kind: str, expected: set[str], found: set[str], path: str) -> None:
    if expected != found:
        missing, extra = sorted(expected - found), sorted(found - expected)
        raise ModelFileError(f"{path}: {kind}s differ from the card: missing {missing}, unexpected {extra}")


def _same_tensor(source: str, target: str, signature: GraphSignature, path: str) -> None:
    a, b = signature.inputs[source], signature.outputs[target]
    if a.type != b.type or len(a.shape) != len(b.shape) or a.shape[-1] != b.shape[-1]:
        raise ModelFileError(
            f"{path}: state {source!r} is {a.type}{list(a.shape)} but the output that feeds it, "
            f"{target!r}, is {b.type}{list(b.shape)}"
        )
    if a.shape[-1] is None or a.type not in ("tensor(float)", "tensor(uint8)"):
        raise ModelFileError(f"{path}: state {source!r} must be float32 or uint8 with a fixed last axis")
