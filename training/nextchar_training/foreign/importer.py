"""Imports a network that another program trained: finds, adopts, proves and writes it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from nextchar.model.card import Cell
from nextchar.model.graph import ModelGraph, graph_from_bytes
from nextchar.model.vocabulary import Vocabulary
from nextchar_training.export.export import Exported, export
from nextchar_training.foreign.comparison import Comparison, compare
from nextchar_training.foreign.error import ImportRefused
from nextchar_training.foreign.keras_file import read_keras
from nextchar_training.foreign.network import ForeignNetwork, adopt
from nextchar_training.foreign.onnx_file import read_onnx
from nextchar_training.foreign.state_dict import arrays_of, find_network, read_state_dict
from nextchar_training.foreign.symbols import Roles, assign_roles, parse_symbols, read_symbols
from nextchar_training.measure.figures import final_quality
from nextchar_training.network.described import DescribedNetwork
from nextchar_training.network.network import CharRNN
from nextchar_training.network.weights import Array
from nextchar_training.option import recorded_path
from nextchar_training.page.samples import draw_texts
from nextchar_training.run.provenance import describe_text
from nextchar_training.run.version_folder import next_version, write_version
from nextchar_training.text.code_points import Text
from nextchar_training.text.corpus import Corpus, load_corpus
from nextchar_training.text.split import Split, split_corpus
from nextchar_training.text.vocabulary import check_readable

_NUM_DRAWN_CHARS, _NUM_TEXTS = 1000, 8
Forward = Callable[[Tensor], Tensor]
"""Maps ids int64 [time] of the foreign network to logits or log-probabilities [time, num_symbols]."""


@dataclass(frozen=True)
class Hints:
    """What a user says of a network, where it cannot be found out."""

    roles: Roles = field(default_factory=Roles)
    cell: Cell | None = None
    tensors: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Imported:
    """The result of an import: the folder, what was written, and how it compares with the original.

    `taken` says what each tensor was taken for, where that was found out.
    """

    folder: Path
    vocabulary: Vocabulary
    exported: Exported
    comparison: Comparison
    taken: Mapping[str, str]


def import_file(
    file: Path,
    symbols: Path,
    *,
    name: str,
    models: Path,
    hints: Hints,
    text: str | None = None,
    version: int | None = None,
    command: str = "",
) -> Imported:
    """Imports a PyTorch state dict, a Keras model or an ONNX file.

    Raises:
        ImportRefused: the file is not a network that can be served, or a symbol is missing.
        CorpusError: the text cannot be read.
        InvalidRequest: the version exists.
    """
    table = read_symbols(symbols)
    foreign, forward = _read(file, table, hints)
    facts = {"imported_from": recorded_path(str(file)), "command": command}
    return _imported(foreign, table, hints, models / name, version, text, facts, forward=forward)


def import_module(
    module: nn.Module,
    symbols: Any,
    *,
    name: str,
    models: Path = Path("models"),
    hints: Hints | None = None,
    forward: Forward | None = None,
    text: str | None = None,
    version: int | None = None,
) -> Imported:
    """Imports a PyTorch module, and proves that what is served computes what the module does.

    `symbols` is a table as `read_symbols` describes. `forward` calls the module from its first state; by
    default it is given ids [1, time], and its first output of [1, time, num_symbols] is taken.

    Raises:
        ImportRefused: as `import_file`; or the module computes something else.
    """
    table, hints = parse_symbols(symbols), hints or Hints()
    foreign = _find(arrays_of(module.state_dict()), table, hints)
    facts = {"imported_from": type(module).__name__, "command": "import_module"}
    call = forward or _usual_forward(module, foreign.num_symbols)
    with _evaluated(module):
        return _imported(foreign, table, hints, models / name, version, text, facts, forward=call)


@contextmanager
def _evaluated(module: nn.Module) -> Iterator[None]:
    """Puts a module into eval mode, and every part back into its own mode afterwards."""
    modes = {part: part.training for part in module.modules()}
    module.eval()
    try:
        yield
    finally:
        for part, training in modes.items():
            part.training = training


def _usual_forward(module: nn.Module, num_symbols: int) -> Forward:
    """Returns a function that calls a module with ids [1, time] and finds the logits among its outputs."""

    def forward(ids: Tensor) -> Tensor:
        found = module(ids[None])
        for part in found if isinstance(found, tuple | list) else [found]:
            if isinstance(part, Tensor) and part.shape == (1, len(ids), num_symbols):
                return part[0]
        raise ImportRefused(
            f"the module must have an output [1, {len(ids)}, {num_symbols}] for ids [1, {len(ids)}]: give "
            "`forward`, which calls it with ids [time] and returns [time, num_symbols]",
            param="forward",
        )

    return forward


def _read(file: Path, table: Mapping[int, str], hints: Hints) -> tuple[ForeignNetwork, Forward | None]:
    suffix = file.suffix.lower()
    if suffix not in (".onnx", ".keras", ".h5", ".hdf5"):
        return _find(read_state_dict(file), table, hints), None
    if hints.cell or hints.tensors:
        option = "cell" if hints.cell else "tensor"
        raise ImportRefused(
            f"--{option} is for PyTorch files: leave it out, {file.name} itself says what its layers are",
            param=option,
        )
    return read_onnx(file) if suffix == ".onnx" else (read_keras(file), None)


def _find(tensors: Mapping[str, Array], table: Mapping[int, str], hints: Hints) -> ForeignNetwork:
    return find_network(tensors, num_symbols=max(table) + 1, cell=hints.cell, hints=hints.tensors)


def _imported(
    foreign: ForeignNetwork,
    table: Mapping[int, str],
    hints: Hints,
    model_folder: Path,
    version: int | None,
    text: str | None,
    facts: dict[str, Any],
    *,
    forward: Forward | None,
) -> Imported:
    symbols = assign_roles(table, foreign.num_inputs, foreign.num_symbols, hints.roles)
    model, vocabulary = adopt(foreign, symbols)
    corpus = _own_text(model, vocabulary) if text is None else load_corpus(text)
    split = _all_held_out(corpus, vocabulary)
    check_readable(split, vocabulary)
    quality = [] if text is None else final_quality(split, vocabulary, model)
    provenance = describe_text(corpus, split, facts["command"]) | facts
    network = DescribedNetwork(model, vocabulary, provenance, quality)
    exported = export(network, split, is_heldout=text is not None)
    comparison = compare(foreign, symbols, _step_graph(exported), split, forward)
    folder = model_folder / str(version or next_version(model_folder))
    write_version(exported.files, folder)
    return Imported(folder, vocabulary, exported, comparison, foreign.taken)


def _step_graph(exported: Exported) -> ModelGraph:
    return graph_from_bytes(exported.files["model.onnx"], shown="model.onnx")


def _own_text(model: CharRNN, vocabulary: Vocabulary) -> Corpus:
    """Returns a text that the network writes: there, it is read where it is at home."""
    texts = draw_texts(model, vocabulary, [1.0] * _NUM_TEXTS, _NUM_DRAWN_CHARS, seed=0)
    whole = Text.of("\n".join(texts) if vocabulary.unit == "line" else "".join(texts))
    return Corpus("drawn", whole, (0,), "", "not stated", "drawn from the network itself")


def _all_held_out(corpus: Corpus, vocabulary: Vocabulary) -> Split:
    return split_corpus(corpus, unit=vocabulary.unit, heldout=len(corpus.text), development=0, window=-1)
