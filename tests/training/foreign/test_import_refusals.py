"""What cannot be served is refused in one sentence, and nothing is written."""

from pathlib import Path

import pytest
import torch
from torch import nn
from training.foreign.makers import CHARS, OfModules

from nextchar_training.foreign.error import ImportRefused
from nextchar_training.foreign.importer import Hints, import_file, import_module
from nextchar_training.foreign.symbols import Roles


class _Unlike(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(len(CHARS), 8)
        self.first, self.second = nn.GRU(8, 12), nn.GRU(12, 16)
        self.output = nn.Linear(16, len(CHARS))


def _with(part: str, module: nn.Module) -> nn.Module:
    network = OfModules("LSTM")
    setattr(network, part, module)
    return network


def _not_a_number() -> nn.Module:
    network = OfModules("RNN")
    with torch.no_grad():
        network.decoder.weight[0, 0] = torch.nan
    return network


def _without_recurrence() -> nn.Module:
    return nn.Sequential(nn.Embedding(len(CHARS), 8), nn.Linear(8, len(CHARS)))


REFUSED = {
    "bidirectional": (lambda: OfModules("GRU", bidirectional=True), CHARS, Hints(), "is bidirectional"),
    "projections": (lambda: OfModules("LSTM", proj_size=8), CHARS, Hints(), "has projections"),
    "unlike widths": (_Unlike, CHARS, Hints(), r"must have one width \(have 12, 16\)"),
    "layer norm": (lambda: _with("norm", nn.LayerNorm(24)), CHARS, Hints(), "layer or batch normalisation"),
    "attention": (lambda: _with("attn", nn.Linear(24, 24)), CHARS, Hints(), "has attention"),
    "another part": (lambda: _with("extra", nn.Linear(3, 5)), CHARS, Hints(), "a part that is not known"),
    "no recurrence": (_without_recurrence, CHARS, Hints(), "no recurrent layer is among the tensors"),
    "not a number": (_not_a_number, CHARS, Hints(), "weights must be numbers"),
    "long tokens": (
        lambda: OfModules("GRU", 3),
        ["a", "th", "e"],
        Hints(),
        r"must be single characters \('th' has 2\)",
    ),
    "too many symbols": (lambda: OfModules("GRU", 4), "\nabcdef", Hints(), "no tensor can be the"),
    "no begin": (lambda: OfModules("GRU", 3), "abc", Hints(), "--begin"),
    "a begin that is no symbol": (
        lambda: OfModules("GRU"),
        CHARS,
        Hints(Roles(begin="!")),
        r"begin must be one of the symbols \(is '!'\)",
    ),
    "two symbols of one id": (
        lambda: OfModules("GRU"),
        {"a": 0, "b": 0},
        Hints(),
        "every id one symbol and every symbol one id",
    ),
    "another cell": (
        lambda: OfModules("GRU"),
        CHARS,
        Hints(cell="lstm"),
        "cell must be gru or gru-reset-first",
    ),
    "another tensor": (
        lambda: OfModules("GRU"),
        CHARS,
        Hints(tensors={"embedding": "nothing"}),
        "must be one of the tensors",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_network_that_cannot_be_served_is_refused(name: str, tmp_path: Path) -> None:
    make, symbols, hints, reason = REFUSED[name]
    module = make()
    with pytest.raises(ImportRefused, match=reason) as refused:
        import_module(module, symbols, name="mine", models=tmp_path / "models", hints=hints)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "models").exists()


def test_a_module_that_computes_something_else_is_refused(tmp_path: Path) -> None:
    module = OfModules("RNN").eval()
    with pytest.raises(ImportRefused, match="differs from the original by"):
        import_module(
            module, CHARS, name="mine", models=tmp_path / "models", forward=lambda ids: module(ids) ** 2
        )
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not a PyTorch file of tensors alone"),
        (b"not a checkpoint", "not a PyTorch file of tensors alone"),
        (None, "cannot read"),
    ],
)
def test_a_file_that_is_no_checkpoint_is_refused(tmp_path: Path, content: bytes | None, reason: str) -> None:
    file, symbols = tmp_path / "model.pt", tmp_path / "symbols.json"
    symbols.write_text('"abc\\n"')
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ImportRefused, match=reason):
        import_file(file, symbols, name="mine", models=tmp_path / "models", hints=Hints())


def test_a_pickled_module_is_refused_and_nothing_of_it_runs(tmp_path: Path) -> None:
    file, symbols = tmp_path / "model.pt", tmp_path / "symbols.json"
    symbols.write_text('"abc\\n"')
    torch.save(OfModules("RNN"), file)
    with pytest.raises(ImportRefused, match=r"torch.save\(model.state_dict\(\), path\)"):
        import_file(file, symbols, name="mine", models=tmp_path / "models", hints=Hints())
