"""A calibration is measured by held-out strings, at export and for files that have none yet."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from support.tiny_models import BYTES, LINES, TEXT, TinyModel
from support.tiny_runs import write_words

from nextchar.errors import InvalidRequest
from nextchar.model.golden import score_strings
from nextchar.model.graph import open_graph
from nextchar.model.surprise.calibration import calibration_of
from nextchar_training.commands.calibrate import calibrate
from nextchar_training.export.calibration import measure_calibration, word_starts
from nextchar_training.text.code_points import Text
from nextchar_training.text.split import Split


def split_of(text: str, unit: str) -> Split:
    return Split(unit, Text.of("a"), Text.of(""), Text.of(text), (0,), "made up")  # type: ignore[arg-type]


def words(count: int) -> list[str]:
    random = np.random.default_rng(0)
    return ["".join(random.choice(list("abcde"), random.integers(2, 9))) for _ in range(count)]


@pytest.mark.parametrize("include_end", [False, True])
def test_the_share_of_lines_that_are_as_surprising_is_the_p_value(include_end: bool) -> None:
    lines, graph = words(4000), LINES.step()
    card = measure_calibration(graph, split_of("\n".join(lines), "line"))
    assert card is not None
    calibration = calibration_of(LINES.card(calibration=card))
    assert calibration is not None
    ends = [graph.vocabulary.end_id] if include_end else []
    ids = [np.append(graph.vocabulary.encode(line), ends).astype(np.int64) for line in lines]
    lengths, logprobs = np.array([len(line) for line in lines]), np.array(score_strings(graph, ids))
    found = calibration.p_values(lengths, logprobs, includes_end=include_end)
    for wanted in (0.5, 0.1, 0.02):
        assert (found <= wanted).mean() == pytest.approx(wanted, rel=0.3)


@pytest.mark.parametrize("model", [TEXT, BYTES], ids=["characters", "bytes"])
def test_pieces_of_running_text_begin_where_a_word_does(model: TinyModel) -> None:
    text, graph = " ".join(words(3000)), model.step()
    card = measure_calibration(graph, split_of(text, "text"))
    assert card is not None
    assert [curve.num_symbols for curve in card.without_end][:6] == [1, 2, 3, 4, 5, 6]
    assert card.without_end[-1].num_symbols == 256
    assert card.without_end[-1].num_strings == len(text) // 256  # as many as do not overlap
    first = -np.array(score_strings(graph, [graph.vocabulary.encode(c) for c in "abcde"])) / np.log(2)
    assert set(np.round(card.without_end[0].bits_per_symbol, 3)) <= set(np.round(first, 3))


def test_words_start_after_any_white_space() -> None:
    assert word_starts(Text.of("ab c\n\td\N{NO-BREAK SPACE}e ")).tolist() == [3, 6, 8]
    assert word_starts(Text.of("")).tolist() == []


@pytest.mark.parametrize("unit", ["line", "text"])
def test_too_few_strings_are_no_calibration(unit: str) -> None:
    model = LINES if unit == "line" else TEXT
    assert measure_calibration(model.step(), split_of("\n".join(words(50)), unit)) is None


def test_a_file_is_calibrated_and_its_graph_stays_as_it_is(tmp_path: Path) -> None:
    files = [tmp_path / "step-int8.onnx", tmp_path / "model.onnx"]
    for path, content in zip(files, (LINES.step_bytes(), LINES.sequence_bytes()), strict=True):
        path.write_bytes(content)
    before = [onnx.load(path).graph for path in files]
    heldout = tmp_path / "held.txt"
    heldout.write_text("\n".join(words(300)))
    found = CliRunner().invoke(calibrate, [*map(str, files), "--heldout-file", str(heldout)])
    assert found.exit_code == 0, found.output
    for path, graph in zip(files, before, strict=True):
        assert onnx.load(path).graph == graph
        opened = open_graph(path)
        assert opened.calibration is not None
        assert opened.calibration.counts_end
        assert opened.card.quantiles == []
    assert {path.name for path in tmp_path.iterdir()} == {*(path.name for path in files), "held.txt"}


def test_a_text_that_is_too_short_to_calibrate_by_leaves_the_file(tmp_path: Path) -> None:
    path, heldout = tmp_path / "step-int8.onnx", write_words(tmp_path)
    path.write_bytes(LINES.step_bytes())
    heldout.write_text("\n".join(words(20)))
    with pytest.raises(InvalidRequest, match="fewer than 100 held-out strings"):
        CliRunner().invoke(calibrate, [str(path), "--heldout-file", str(heldout)], catch_exceptions=False)
    assert path.read_bytes() == LINES.step_bytes()
