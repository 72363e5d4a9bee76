from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from support.tiny_models import CELL_NAMES

from nextchar.errors import InvalidRequest, ModelFileError
from nextchar.model.card import Cell
from nextchar.model.golden import check_golden, score_strings
from nextchar.model.graph import open_graph
from nextchar_training.commands.evaluate import evaluate
from nextchar_training.commands.export import export as export_command
from nextchar_training.export import proof
from nextchar_training.export import step as step_graph
from nextchar_training.export.export import export, next_version, write
from nextchar_training.network.cells.table import CELLS
from nextchar_training.network.weights import Array
from nextchar_training.run.checkpoint import FILE_NAME, Trained, load_split, load_trained
from nextchar_training.run.run import Run

Load = Callable[..., Trained]
MakeRun = Callable[..., Run]


class Silent:
    """A reporter that keeps nothing."""

    def __getattr__(self, _name: str) -> Callable[..., None]:
        return lambda *_arguments, **_fields: None


@pytest.fixture
def trained(make_run: MakeRun) -> Load:
    """A finished tiny run, read back from its checkpoint."""

    def load(**changes: object) -> Trained:
        run = make_run(**changes)
        run.train(Silent(), lambda: False)  # type: ignore[arg-type]
        run.finish()
        return load_trained(run.directory / FILE_NAME)

    return load


@pytest.mark.parametrize("cell", CELL_NAMES)
def test_every_cell_trains_exports_and_opens(trained: Load, tmp_path: Path, cell: Cell) -> None:
    run = trained(cell=cell)
    made = export(run, load_split(run), keep_float32_step=True)
    write(made, tmp_path / "m" / "1")
    int8 = {"step-int8.onnx"} if CELLS[cell].has_int8 else set()
    assert {p.name for p in (tmp_path / "m" / "1").iterdir()} == {"model.onnx", "step-float32.onnx"} | int8
    for path in (tmp_path / "m" / "1").iterdir():
        graph = open_graph(path)
        check_golden(graph, shown=path.name)
        assert graph.card.cell == cell
        assert graph.card.provenance["command"].startswith("nextchar train ")
        assert str(tmp_path) not in graph.card.to_json()
    assert made.proof.sequence.string < 1e-6


def test_lines_are_exported_with_their_end(trained: Load) -> None:
    run = trained(unit="line")
    made = export(run, load_split(run), keep_float32_step=False)
    assert made.int8 is not None
    assert made.int8.protocol == "line"
    assert made.int8.nats_per_char == pytest.approx(made.float32.nats_per_char, abs=0.01)


def test_the_card_holds_what_int8_costs_and_the_quantiles(trained: Load, tmp_path: Path) -> None:
    run = trained()
    made = export(run, load_split(run), keep_float32_step=False)
    write(made, tmp_path / "1")
    card = open_graph(tmp_path / "1" / "step-int8.onnx").card
    assert [q.name for q in card.quality] == [*(q.name for q in run.quality), "network-int8"]
    assert card.quantile_levels[0] == 0
    assert card.quantile_levels[-1] == 1
    for entry in card.quantiles:
        assert len(entry.bits_per_char) == len(card.quantile_levels)
        assert (np.diff(entry.bits_per_char) >= 0).all()


def test_the_exported_loss_is_the_reported_one(trained: Load) -> None:
    run = trained()
    made = export(run, load_split(run), keep_float32_step=False)
    reported = next(q for q in run.quality if q.name == "network" and q.protocol == "stream")
    assert made.float32.nats_per_char == pytest.approx(reported.nats_per_char, abs=1e-6)
    assert made.float32.num_chars == reported.num_chars


def test_model_onnx_uses_standard_operators_only(trained: Load) -> None:
    run = trained()
    model = onnx.load_from_string(export(run, load_split(run), keep_float32_step=False).files["model.onnx"])
    onnx.checker.check_model(model, full_check=True)
    assert {node.domain for node in model.graph.node} == {""}
    assert "LSTM" in {node.op_type for node in model.graph.node}
    assert {opset.domain for opset in model.opset_import} == {""}


def test_a_graph_that_disagrees_with_torch_is_refused(trained: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    def forgetful(weights: Array, order: tuple[int, ...]) -> Array:
        return real(weights, (0, 1, 2, 3) if len(order) == 4 else order)

    real = step_graph.reorder_gates
    monkeypatch.setattr(step_graph, "reorder_gates", forgetful)
    run = trained()
    with pytest.raises(ModelFileError, match="the float32 step graph differs from torch"):
        export(run, load_split(run), keep_float32_step=False)


def test_the_proof_reads_every_symbol(trained: Load) -> None:
    run = trained()
    split = load_split(run)
    graph = export(run, split, keep_float32_step=True)
    assert graph.proof.num_chars > proof._NUM_CHARS
    assert run.vocabulary.unknown_id in proof._strings(split, _opened(graph.files))[-1]


def _opened(files: dict[str, bytes]) -> object:
    from nextchar.model.graph import graph_from_bytes

    return graph_from_bytes(files["step-float32.onnx"], shown="step")


def test_a_version_is_never_written_over(trained: Load, tmp_path: Path) -> None:
    run = trained()
    made = export(run, load_split(run), keep_float32_step=False)
    assert next_version(tmp_path / "m") == 1
    write(made, tmp_path / "m" / "1")
    assert next_version(tmp_path / "m") == 2
    with pytest.raises(InvalidRequest, match="choose another --version"):
        write(made, tmp_path / "m" / "1")
    assert [p.name for p in (tmp_path / "m").iterdir()] == ["1"]


def test_the_commands_export_and_evaluate(trained: Load, tmp_path: Path, text_file: Path) -> None:
    run = trained()
    folder = tmp_path / "runs" / "tiny"
    done = CliRunner().invoke(export_command, [str(folder), "--models", str(tmp_path / "models")])
    assert done.exit_code == 0, done.output
    assert "int8 costs" in done.output
    file = tmp_path / "models" / "tiny" / "1" / "step-int8.onnx"
    found = CliRunner().invoke(evaluate, [str(file), "--corpus", str(text_file)])
    assert found.exit_code == 0, found.output
    int8 = next(q for q in open_graph(file).card.quality if q.name == "network-int8")
    assert f"{int8.nats_per_char:.4f} nats" in found.output.splitlines()[0]
    whole = CliRunner().invoke(evaluate, [str(file.with_name("model.onnx")), "--corpus", str(text_file)])
    reported = next(q for q in run.quality if q.name == "network" and q.protocol == "stream")
    assert f"{reported.nats_per_char:.4f} nats" in whole.output.splitlines()[0]


def test_evaluating_without_the_text_says_what_to_give(trained: Load, tmp_path: Path) -> None:
    run = trained()
    write(export(run, load_split(run), keep_float32_step=False), tmp_path / "1")
    found = CliRunner().invoke(evaluate, [str(tmp_path / "1" / "model.onnx")])
    assert isinstance(found.exception, InvalidRequest)
    assert "give --corpus" in found.exception.message


def test_golden_scores_are_each_files_own(trained: Load, tmp_path: Path) -> None:
    run = trained()
    write(export(run, load_split(run), keep_float32_step=False), tmp_path / "1")
    for name in ("model.onnx", "step-int8.onnx"):
        graph = open_graph(tmp_path / "1" / name)
        texts = [g.text for g in graph.card.golden]
        assert {"", "hello", "htktt"} <= set(texts)
        scores = score_strings(graph, [graph.vocabulary.encode(text) for text in texts])
        assert scores == [g.logprob for g in graph.card.golden]
