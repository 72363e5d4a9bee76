from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.tiny_models import LINES, TEXT, TinyModel, write_models

from nextchar.engine.engine import EngineOptions
from nextchar.errors import GoldenMismatch, ModelFileError, ModelNotFound
from nextchar.model.card import Golden
from nextchar.repository.folder import ModelPath, find_model, find_models, step_files
from nextchar.repository.served_models import ServedModels

OPTIONS = EngineOptions(max_lanes=2, reserved_lanes=0, max_bulk_lanes=2, max_waiting=2)


def ignore(outbox: object) -> None:
    del outbox


@contextmanager
def opened(paths: list[ModelPath]) -> Iterator[ServedModels]:
    with ServedModels(paths, OPTIONS, num_threads=1, deliver=ignore) as repository:
        yield repository


def test_a_name_means_the_highest_version_and_a_number_pins_one(tmp_path: Path) -> None:
    for version in (2, 10, 9):
        write_models(tmp_path, {"a": TinyModel(seed=version)}, version=version)
    with opened(find_models(tmp_path)) as repository:
        assert repository.get("a").version == "10"
        assert repository.get("a:9").version == "9"
        assert [model.version for model in repository] == ["2", "9", "10"]
        assert repository.ready
    assert not repository.ready


@pytest.mark.parametrize("name", ["", "b", "a:3", "a:x", "a:", ":1", "../a", "a" * 5000])
def test_an_unknown_model_is_told_which_there_are(tmp_path: Path, name: str) -> None:
    write_models(tmp_path, {"a": TEXT, "lines": LINES})
    with opened(find_models(tmp_path)) as repository:
        if name == "a:":
            assert repository.get(name).name == "a"
            return
        with pytest.raises(ModelNotFound, match="served models: a, lines") as caught:
            repository.get(name)
        assert len(caught.value.message) < 250


def test_a_folder_without_models_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="no models in"):
        find_models(tmp_path)
    with pytest.raises(ModelFileError, match="does not exist"):
        find_models(tmp_path / "none")


def test_auto_prefers_int8_and_a_named_precision_is_kept(tmp_path: Path) -> None:
    for name in ("step-int8.onnx", "step-float32.onnx"):
        (tmp_path / name).touch()
    names = ["step-int8.onnx", "step-float32.onnx"]
    assert [path.name for path in step_files(tmp_path, "auto")] == names
    assert [path.name for path in step_files(tmp_path, "float32")] == names[1:]
    (tmp_path / "step-int8.onnx").unlink()
    assert [path.name for path in step_files(tmp_path, "auto")] == names[1:]
    with pytest.raises(ModelFileError, match=r"no step-int8\.onnx"):
        step_files(tmp_path, "int8")


def test_a_model_is_found_by_file_version_and_folder(tmp_path: Path) -> None:
    for version in (1, 2):
        write_models(tmp_path, {"a": TEXT}, version=version)
    for path in ("a", "a/2", "a/2/step-int8.onnx"):
        found = find_model(tmp_path / path)
        assert (found.name, found.version) == ("a", "2")


def test_one_bad_file_stops_the_start_and_leaves_no_engine_running(tmp_path: Path) -> None:
    write_models(tmp_path, {"a": TEXT, "b": LINES})
    bad = tmp_path / "b" / "1" / "step-int8.onnx"
    bad.write_bytes(bad.read_bytes()[:1000])
    repository = ServedModels(find_models(tmp_path), OPTIONS, num_threads=2, deliver=ignore)
    with pytest.raises(ModelFileError, match=r"step-int8\.onnx"), repository:
        pass
    assert not repository.ready


def test_auto_serves_float32_where_int8_does_not_score_as_written(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As on a processor whose int8 arithmetic saturates."""
    folder = tmp_path / "a" / "1"
    folder.mkdir(parents=True)
    wrong = [Golden(text="hello", logprob=-1.0)]
    (folder / "step-int8.onnx").write_bytes(TEXT.step_bytes("int8", golden=wrong))
    with pytest.raises(GoldenMismatch), opened(find_models(tmp_path)):
        pass
    (folder / "step-float32.onnx").write_bytes(TEXT.step_bytes("float32"))
    with opened(find_models(tmp_path)) as repository:
        assert repository.get("a").graph.card.precision == "float32"
    assert "serving step-float32.onnx instead" in caplog.text
    with pytest.raises(GoldenMismatch), opened(find_models(tmp_path, "int8")):
        pass
