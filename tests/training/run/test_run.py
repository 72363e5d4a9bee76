import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import IO

import pytest
import torch

from nextchar.errors import ModelFileError
from nextchar_training.page.progress import Reporter, read_history
from nextchar_training.run.checkpoint import FILE_NAME, FORMAT, load_checkpoint, load_split, load_trained
from nextchar_training.run.run import HISTORY, Run
from nextchar_training.text.error import CorpusError

MakeRun = Callable[..., Run]


def _train(run: Run, *, stop_after: int | None = None) -> tuple[bool, str]:
    stream = io.StringIO()
    with Reporter(run.directory / "history.jsonl", stream=stream) as reporter:
        done = run.train(reporter, lambda: run.trainer.progress.step_count == stop_after)
    return done, stream.getvalue()


def test_a_stopped_run_resumes_from_its_folder_and_ends_the_same(make_run: MakeRun) -> None:
    whole, stopped = make_run(name="whole"), make_run(name="stopped")
    assert _train(whole)[0]
    assert not _train(stopped, stop_after=5)[0]
    resumed = Run.resume(stopped.directory)
    assert resumed.trainer.progress.step_count == 5
    assert _train(resumed)[0]
    for a, b in zip(whole.best_model().parameters(), resumed.best_model().parameters(), strict=True):
        assert a.equal(b)


def test_history_has_a_row_for_every_part_of_the_run_and_every_evaluation(make_run: MakeRun) -> None:
    run = make_run(evaluations=3)
    _, output = _train(run)
    rows = read_history(run.directory / HISTORY)
    assert [row.step for row in rows] == list(range(1, 13))
    assert [row.step for row in rows if row.development_nats is not None] == [4, 8, 12]
    assert all(0 < row.clipped_norm <= row.gradient_norm for row in rows)
    assert output.count("development") == 3


def test_the_best_average_on_development_text_is_what_is_loaded(make_run: MakeRun) -> None:
    run = make_run()
    _train(run)
    assert run.best is not None
    run.best["average"]["output.bias"].fill_(7.0)
    run.save()
    trained = load_trained(run.directory / FILE_NAME)
    assert trained.model.output.bias.eq(7.0).all()
    assert not trained.model.training
    assert trained.vocabulary == run.vocabulary


def test_patience_ends_a_run_that_gets_no_better(make_run: MakeRun) -> None:
    run = make_run(evaluations=12, patience=2, learning_rate=1e-12, average_decay=0.0)
    assert _train(run)[0]
    assert run.ended
    assert run.trainer.progress.step_count == 3  # the first is the best, two more are not better
    assert Run.resume(run.directory).ended


def test_without_a_development_part_the_last_weights_count(make_run: MakeRun) -> None:
    run = make_run(development=0.0)
    _, output = _train(run)
    assert "development" not in output
    run.finish()
    assert (run.best, run.temperature) == (None, None)
    assert run.best_model().output.weight.equal(run.trainer.average.output.weight)


def test_the_softmax_temperature_is_built_into_what_is_loaded(make_run: MakeRun) -> None:
    run = make_run()
    _train(run)
    run.finish()
    assert run.best is not None
    assert run.temperature is not None
    trained = load_trained(run.directory / FILE_NAME)
    torch.testing.assert_close(
        trained.model.output.weight * run.temperature, run.best["average"]["output.weight"]
    )
    assert trained.provenance["softmax_temperature"] == run.temperature


def test_provenance_tells_the_text_and_no_path(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run()
    _train(run)
    trained = load_trained(run.directory / FILE_NAME)
    assert trained.provenance["corpus"] == "words"
    assert trained.provenance["steps"] == 12
    seen = trained.provenance["num_chars_seen"]
    assert 12 * 4 * 16 * 0.95 < seen <= 12 * 4 * 16  # some windows end with a line
    assert str(tmp_path) not in json.dumps(trained.provenance)
    assert load_split(trained) == run.split


def test_a_changed_text_is_refused(make_run: MakeRun, text_file: Path) -> None:
    run = make_run()
    _train(run)
    text_file.write_text(text_file.read_text() + "more\n")
    with pytest.raises(CorpusError, match="has changed since"):
        Run.resume(run.directory)


@pytest.mark.parametrize(("unit", "num_figures"), [("text", 7), ("line", 5)])
def test_the_report_has_the_network_beside_the_baselines(
    make_run: MakeRun, unit: str, num_figures: int
) -> None:
    run = make_run(unit=unit)
    _train(run)
    quality = run.finish()
    assert len(quality) == num_figures
    assert {entry.name for entry in quality} == {"network", "kneser-ney-7", "zlib-9", "bzip2-9", "xz-9"}
    saved = load_trained(run.directory / FILE_NAME).quality
    assert saved == quality


def test_a_checkpoint_is_replaced_whole_or_not_at_all(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(_content: object, file: IO[bytes]) -> None:
        file.write(b"the first half")
        raise OSError("no space left on device")

    run = make_run()
    run.save()
    before = (run.directory / FILE_NAME).read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", full_disk)
        with pytest.raises(OSError, match="no space left"):
            run.save()
    assert (run.directory / FILE_NAME).read_bytes() == before
    run.save()
    assert [path.name for path in run.directory.iterdir()] == [FILE_NAME]
    assert load_checkpoint(run.directory / FILE_NAME)["format"] == FORMAT


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"\x80\x04."])
def test_a_file_that_is_no_checkpoint_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / FILE_NAME
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=r"not a checkpoint of this program"):
        load_checkpoint(path)
    with pytest.raises(ModelFileError, match="no checkpoint at"):
        load_checkpoint(tmp_path / "absent.pt")
