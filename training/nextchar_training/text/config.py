"""Defines which text a run reads, and how."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from nextchar.model.text_form import CaseFolding, Normalization
from nextchar_training.option import Bounds, Option
from nextchar_training.text.code_points import Symbols, Unit
from nextchar_training.text.corpus import Layout
from nextchar_training.text.split import SplitBy
from nextchar_training.text.vocabulary import Unknown


@dataclass(frozen=True, kw_only=True)
class TextConfig:
    """The text of a run, and how it is read and cut into parts."""

    group: ClassVar[str] = "Text"

    corpus: Annotated[
        str,
        Option(
            "The text to train on: a named corpus, a file, a folder, or - for standard input.",
            metavar="NAME|PATH",
            is_path=True,
        ),
    ]
    pattern: Annotated[str, Option("The glob pattern of the files to read from a folder.")] = "*"
    unit: Annotated[
        Unit,
        Option(
            "Whether the text is running text or one string per line; auto looks at its lines.",
            automatic=True,
        ),
    ] = "text"
    symbols: Annotated[Symbols, Option("What the network predicts, one at a time.")] = "characters"
    layout: Annotated[
        Layout,
        Option("How files are written; spaced has a space after every character and _ for a space."),
    ] = "plain"
    min_count: Annotated[
        int,
        Option(
            "Characters that occur less often than this in the training part are unknown.", Bounds(minimum=1)
        ),
    ] = 5
    unknown: Annotated[
        Unknown, Option("What unknown characters become: one symbol, or an error (refuse).")
    ] = "symbol"
    normalization: Annotated[Normalization, Option("The Unicode normalization form to bring texts into.")] = (
        "none"
    )
    case_folding: Annotated[
        CaseFolding,
        Option(
            "Whether texts are brought into lower case (lower), in training and by every server after it."
        ),
    ] = "none"
    split: Annotated[
        SplitBy, Option("What is held out: the end of the text (position), or whole documents.")
    ] = "position"
    heldout: Annotated[
        float,
        Option(
            "The share of the text that is held out; from 1 on, a number of characters or distinct lines.",
            Bounds(minimum=0, min_open=True),
        ),
    ] = 0.1
    development: Annotated[
        float,
        Option(
            "The share of the rest by which the best weights are chosen; from 1 on, a number of characters "
            "or distinct lines; 0 keeps the last weights.",
            Bounds(minimum=0),
        ),
    ] = 0.05
    heldout_file: Annotated[
        str | None,
        Option("A text that is held out as a whole, in place of a share.", metavar="PATH", is_path=True),
    ] = None
    development_file: Annotated[
        str | None,
        Option(
            "A text by which the best weights are chosen, in place of a share; it needs --heldout-file.",
            metavar="PATH",
            is_path=True,
        ),
    ] = None
