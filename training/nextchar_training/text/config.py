"""Which text a run reads, and how."""

from dataclasses import dataclass

from nextchar_training.text.code_points import Normalization, Symbols, Unit
from nextchar_training.text.corpus import Layout
from nextchar_training.text.split import SplitBy
from nextchar_training.text.vocabulary import Unknown


@dataclass(frozen=True, kw_only=True)
class TextConfig:
    """Which text, and how it is cut and read.

    `heldout` is a share of the text, `development` a share of the rest, and from 1 on they are characters
    or lines; files in their place are parts of their own.
    """

    corpus: str
    unit: Unit = "text"
    symbols: Symbols = "characters"
    pattern: str = "*"
    layout: Layout = "plain"
    min_count: int = 5
    unknown: Unknown = "symbol"
    normalization: Normalization = "none"
    split: SplitBy = "position"
    development_file: str | None = None
    heldout_file: str | None = None
    heldout: float = 0.1
    development: float = 0.05
