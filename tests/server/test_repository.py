from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tiny_models import LINES, TEXT, TinyModel, write_models

from nextchar.errors import ModelFileError, ModelNotFound
from nextchar.repository import EngineOptions, ModelPath, Repository, find_model, find_models, step_file


def ignore(outbox: object) -> None:
    del outbox


@contextmanager
def opened(paths: list[ModelPath]) -> Iterator[Repository]:
    with Repository(paths, EngineOptions(ignore, max_lanes=2, reserved_lanes=0, max_waiting=2)) as repository:
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
        with pytest.raises(ModelNotFound, match="there is: a, lines") as caught:
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
    assert step_file(tmp_path, "auto").name == "step-int8.onnx"
    assert step_file(tmp_path, "float32").name == "step-float32.onnx"
    (tmp_path / "step-int8.onnx").unlink()
    assert step_file(tmp_path, "auto").name == "step-float32.onnx"
    with pytest.raises(ModelFileError, match=r"no step-int8\.onnx"):
        step_file(tmp_path, "int8")


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
    repository = Repository(find_models(tmp_path), EngineOptions(ignore, 2, 0, 2))
    with pytest.raises(ModelFileError, match=r"step-int8\.onnx"), repository:
        pass
    assert not repository.ready
