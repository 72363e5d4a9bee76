from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from support.tiny_models import LINES, TEXT, TinyModel

from nextchar_training.commands.analyze import analyze


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    lines = [f"{'the quick brown fox, ' * (1 + k % 3)}jumps over.\n" for k in range(400)]
    path.write_text("".join(lines))
    return path


def _analyze(tmp_path: Path, tiny: TinyModel, corpus: Path, *arguments: str) -> Result:
    file = tmp_path / "model" / "1" / "model.onnx"
    file.parent.mkdir(parents=True)
    file.write_bytes(tiny.sequence_bytes())
    fixed = ["--corpus", str(corpus), "--output", str(tmp_path / "page.html"), "--steps", "2"]
    return CliRunner().invoke(analyze, [str(file), *fixed, *arguments])


@pytest.mark.parametrize(
    "tiny", [TEXT, LINES, TinyModel("rnn_tanh", num_layers=1)], ids=["lstm", "gru", "tanh"]
)
def test_the_page_has_every_part(tmp_path: Path, corpus: Path, tiny: TinyModel) -> None:
    # Wide heat maps take seconds to draw; the default text is drawn where there are few of them.
    text = ["--text", "the"] if tiny.cell != "rnn_tanh" else []
    result = _analyze(tmp_path, tiny, corpus, "--recall-steps", "1", *text)
    assert result.exit_code == 0, result.output
    page = (tmp_path / "page.html").read_text()
    assert page.count("<h2>") == 5
    gates = {"lstm": 3, "gru": 2, "rnn_tanh": 0}[tiny.cell]
    assert page.count("gate of layer") == gates * tiny.num_layers
    for expected in ("ReLU RNN, 128 units", "line position", "12.5 %"):
        assert expected in page
    assert "nextchar: inside model" in page


def test_one_part_alone(tmp_path: Path, corpus: Path) -> None:
    assert _analyze(tmp_path, TEXT, corpus, "--part", "gates", "--text", "a\nfox").exit_code == 0
    page = (tmp_path / "page.html").read_text()
    assert "Gates and states" in page
    assert "Gradient flow" not in page
