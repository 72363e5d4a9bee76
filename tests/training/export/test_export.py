from pathlib import Path

import onnx
import pytest
from support.tiny_models import CELL_NAMES
from support.tiny_runs import finished, tiny_run, write_words

from nextchar.errors import InvalidRequest, ModelFileError
from nextchar.model.card import Cell
from nextchar.model.golden import check_golden, score_strings
from nextchar.model.graph import ModelGraph, graph_from_bytes, open_graph
from nextchar.model.names import MAX_VERSION, is_version
from nextchar_training.export import proof
from nextchar_training.export import step as step_graph
from nextchar_training.export.export import Exported, export
from nextchar_training.network.cells.table import CELLS
from nextchar_training.network.weights import Array
from nextchar_training.run.checkpoint import Trained, load_split
from nextchar_training.run.version_folder import latest_version, next_version, write_version


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_words(tmp_path_factory.mktemp("text"))


@pytest.fixture(scope="module")
def trained(corpus: Path) -> Trained:
    """A finished tiny run, read back from its checkpoint."""
    return finished(tiny_run(corpus.parent, corpus))


@pytest.fixture(scope="module")
def made(trained: Trained) -> Exported:
    """Its export, with every graph."""
    return export(trained, load_split(trained), keep_float32_step=True)


def _graph(made: Exported, name: str) -> ModelGraph:
    return graph_from_bytes(made.files[name], shown=name)


@pytest.mark.parametrize("cell", CELL_NAMES)
def test_every_cell_trains_exports_and_opens(corpus: Path, tmp_path: Path, cell: Cell) -> None:
    run = finished(tiny_run(tmp_path / "runs", corpus, cell=cell, steps=2, evaluations=1))
    made = export(run, load_split(run), keep_float32_step=True)
    write_version(made.files, tmp_path / "m" / "1")
    int8 = {"step-int8.onnx"} if CELLS[cell].has_int8 else set()
    assert {p.name for p in (tmp_path / "m" / "1").iterdir()} == {"model.onnx", "step-float32.onnx"} | int8
    for path in (tmp_path / "m" / "1").iterdir():
        graph = open_graph(path)
        check_golden(graph, shown=path.name)
        assert graph.card.cell == cell
        assert graph.card.provenance["command"].startswith("nextchar train ")
        assert str(tmp_path) not in graph.card.to_json()
        assert str(corpus.parent) not in graph.card.to_json()
    assert made.proof.sequence.string < 1e-6


def test_lines_are_exported_with_their_end(corpus: Path, tmp_path: Path) -> None:
    run = finished(tiny_run(tmp_path, corpus, unit="line", evaluations=1))
    made = export(run, load_split(run), keep_float32_step=False)
    assert made.int8 is not None
    assert made.int8.protocol == "line"
    assert made.int8.nats_per_char == pytest.approx(made.float32.nats_per_char, abs=0.01)


def test_the_card_holds_what_int8_costs_and_a_calibration(trained: Trained, made: Exported) -> None:
    card = _graph(made, "step-int8.onnx").card
    assert [q.name for q in card.quality] == [*(q.name for q in trained.quality), "network-int8"]
    assert card.calibration is not None
    assert card.calibration.without_end[0].num_symbols == 1
    assert card.calibration.with_end == []
    assert card.quantiles == []


def test_the_exported_loss_is_the_reported_one(trained: Trained, made: Exported) -> None:
    reported = next(q for q in trained.quality if q.name == "network" and q.protocol == "stream")
    assert made.float32.nats_per_char == pytest.approx(reported.nats_per_char, abs=1e-6)
    assert made.float32.num_chars == reported.num_chars


def test_model_onnx_uses_standard_operators_only(made: Exported) -> None:
    model = onnx.load_from_string(made.files["model.onnx"])
    onnx.checker.check_model(model, full_check=True)
    assert {node.domain for node in model.graph.node} == {""}
    assert "LSTM" in {node.op_type for node in model.graph.node}
    assert {opset.domain for opset in model.opset_import} == {""}


def test_a_graph_that_disagrees_with_torch_is_refused(
    trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forgetful(weights: Array, order: tuple[int, ...]) -> Array:
        return real(weights, (0, 1, 2, 3) if len(order) == 4 else order)

    real = step_graph.reorder_gates
    monkeypatch.setattr(step_graph, "reorder_gates", forgetful)
    with pytest.raises(ModelFileError, match="the float32 step graph differs from torch"):
        export(trained, load_split(trained), keep_float32_step=False)


def test_the_proof_reads_every_symbol(trained: Trained, made: Exported) -> None:
    pieces = proof._strings(load_split(trained), _graph(made, "step-float32.onnx"))
    assert made.proof.num_chars == sum(map(len, pieces)) + trained.vocabulary.num_outputs


def test_only_what_is_asked_for_is_kept(trained: Trained) -> None:
    made = export(trained, load_split(trained), keep_float32_step=False)
    assert set(made.files) == {"model.onnx", "step-int8.onnx"}


def test_a_version_is_never_written_over(made: Exported, tmp_path: Path) -> None:
    assert next_version(tmp_path / "m") == 1
    write_version(made.files, tmp_path / "m" / "1")
    assert next_version(tmp_path / "m") == 2
    with pytest.raises(InvalidRequest, match="choose another --version"):
        write_version(made.files, tmp_path / "m" / "1")
    assert [p.name for p in (tmp_path / "m").iterdir()] == ["1"]


@pytest.mark.parametrize(
    "name", ["1" * 30, "1" * 19, "007", "\N{ARABIC-INDIC DIGIT THREE}", "v9", ".9.partial"]
)
def test_what_no_server_takes_as_a_version_is_not_counted_on(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    assert (latest_version(tmp_path), next_version(tmp_path)) == (0, 1)
    (tmp_path / "4").mkdir()
    assert (latest_version(tmp_path), next_version(tmp_path)) == (4, 5)


def test_after_the_highest_version_there_is_none(tmp_path: Path) -> None:
    (tmp_path / str(MAX_VERSION - 1)).mkdir()
    assert next_version(tmp_path) == MAX_VERSION
    assert is_version(str(MAX_VERSION))
    assert not is_version(str(MAX_VERSION + 1))
    (tmp_path / str(MAX_VERSION)).mkdir()
    with pytest.raises(InvalidRequest, match=r"has version 9{18}, and no number comes after it"):
        next_version(tmp_path)
    assert latest_version(tmp_path) == MAX_VERSION


def test_golden_scores_are_each_files_own(made: Exported) -> None:
    for name in made.files:
        graph = _graph(made, name)
        texts = [g.text for g in graph.card.golden]
        assert {"", "hello", "htktt"} <= set(texts)
        scores = score_strings(graph, [graph.vocabulary.encode(text) for text in texts])
        assert scores == [g.logprob for g in graph.card.golden]
