"""Measures what an adaptive lane is worth on texts: nats per character, static and adaptive, beside xz."""

import lzma
from argparse import ArgumentTypeError
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.engine.adaptive.lanes import run_lanes
from nextchar.engine.adaptive.memory import empty_memory
from nextchar.engine.adaptive.options import Adaptive
from nextchar.engine.lane import Lane
from nextchar.engine.sampler import Doubles
from nextchar.model.graph import open_graph

_FIRST = 500
_MODELS = Path("models")
_NUM_POINTS = 60


@dataclass(frozen=True)
class Text:
    """A text to read with a model: characters `first` to `last` of a file, as a slice has them."""

    model: str
    path: Path
    first: int | None = None
    last: int | None = None

    @classmethod
    def parse(cls, told: str) -> "Text":
        """Reads MODEL:PATH[:FIRST[:LAST]], in which FIRST may be empty.

        Raises:
            ArgumentTypeError: it is not written so, something is not there, or there is nothing to read.
        """
        try:
            model, path, *bounds = told.split(":", maxsplit=3)
            text = cls(model, Path(path), *(int(bound) if bound else None for bound in bounds))
        except ValueError as error:
            raise ArgumentTypeError(f"{told!r} is not MODEL:PATH[:FIRST[:LAST]]") from error
        for file in (text.graph_path, text.path):
            if not file.is_file():
                raise ArgumentTypeError(f"there is no file {file}")
        if not text.characters:
            raise ArgumentTypeError(f"{told!r} has no characters to read")
        return text

    @property
    def graph_path(self) -> Path:
        return _MODELS / self.model / "1" / "step-int8.onnx"

    @property
    def characters(self) -> str:
        return self.path.read_text(errors="replace")[self.first : self.last]


def measure(text: Text) -> dict[str, float | str | list[float]]:
    """Returns the figures of one text."""
    graph = open_graph(text.graph_path)
    characters = text.characters
    ids = graph.vocabulary.encode(characters)
    (deliveries,) = run_lanes(graph, [Lane(ids, memory=empty_memory(Adaptive()))])
    adaptive = -np.concatenate([d.logprobs for d in deliveries])
    static = -np.concatenate([d.model_logprobs for d in deliveries if d.model_logprobs is not None])
    xz = 8 * np.log(2) * len(lzma.compress(characters.encode(), preset=9)) / len(ids)
    return {
        "text": text.path.name,
        "model": text.model,
        "characters": len(ids),
        "static": float(static.mean()),
        "adaptive": float(adaptive.mean()),
        "adaptive ÷ static": float(adaptive.mean() / static.mean()),
        "first 500, adaptive - static": float((adaptive - static)[:_FIRST].mean()),
        "xz -9": float(xz),
        "adaptive ÷ xz": float(adaptive.mean() / xz),
        "static by position": _by_position(static),
        "adaptive by position": _by_position(adaptive),
    }


def _by_position(nats: Doubles) -> list[float]:
    """Returns bits per character of equal parts of the text."""
    return [float(part.mean() / np.log(2)) for part in np.array_split(nats, min(_NUM_POINTS, len(nats)))]
