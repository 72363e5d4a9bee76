from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.tiny_models import LINES, TEXT, TinyModel, write_models

from nextchar.engine.options import EngineOptions
from nextchar.errors import GoldenMismatch, ModelFileError, ModelNotFound, Unavailable
from nextchar.model.card import Golden
from nextchar.repository.folder import FoundModels, find_model, find_models, step_files
from nextchar.repository.served_models import ServedModels

OPTIONS = EngineOptions(max_lanes=2, reserved_lanes=0, max_bulk_lanes=2, max_waiting=2)


def ignore(outbox: object) -> None:
    del outbox


@contextmanager
def opened(found: FoundModels, **options: bool) -> Iterator[ServedModels]:
    with ServedModels(found, OPTIONS, num_threads=1, deliver=ignore, **options) as repository:
        yield repository


def damage(folder: Path) -> None:
    file = folder / "step-int8.onnx"
    file.write_bytes(file.read_bytes()[:1000])


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
        said = "version .* here; served versions: 1" if name.startswith("a:") else "served models: a, lines"
        with pytest.raises(ModelNotFound, match=said) as caught:
            repository.get(name)
        assert len(caught.value.message) < 250


def test_a_folder_that_is_not_there_is_an_error_and_an_empty_one_is_not(tmp_path: Path) -> None:
    assert find_models(tmp_path) == FoundModels()
    with pytest.raises(ModelFileError, match="does not exist"):
        find_models(tmp_path / "none")


def test_before_any_model_is_served_every_one_is_not_ready_and_after_it_an_unknown_one_is_unknown(
    tmp_path: Path,
) -> None:
    with opened(find_models(tmp_path)) as repository:
        with pytest.raises(Unavailable, match="has no model yet"):
            repository.get("a")
        (path,) = find_models(write_models(tmp_path, {"b": TEXT})).paths
        repository.add(repository.open(path))
        with pytest.raises(ModelNotFound):
            repository.get("a")


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


def test_a_model_that_cannot_be_served_takes_none_of_the_others_along(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A damaged file, a folder without a version, a version without a file, a name that is none."""
    write_models(tmp_path, {"good": TEXT, "damaged": LINES, "bad name": LINES})
    damage(tmp_path / "damaged" / "1")
    (tmp_path / "empty").mkdir()
    (tmp_path / "half" / "1").mkdir(parents=True)
    (tmp_path / "lost+found").mkdir()
    with opened(find_models(tmp_path)) as repository:
        assert [model.name for model in repository] == ["good"]
        assert repository.ready
        assert set(repository.failures) == {
            ("damaged", "1"),
            ("empty", ""),
            ("half", "1"),
            ("bad name", "1"),
        }
        for (name, _), reason in repository.failures.items():
            assert name in reason
            assert reason in caplog.text
            with pytest.raises(Unavailable, match="cannot be served") as caught:
                repository.get(name)
            assert caught.value.code == "model_not_ready"


def test_a_strict_server_is_ready_only_with_all_of_its_models(tmp_path: Path) -> None:
    write_models(tmp_path, {"a": TEXT, "b": LINES})
    with opened(find_models(tmp_path), strict_readiness=True) as repository:
        assert repository.ready
    damage(tmp_path / "b" / "1")
    with opened(find_models(tmp_path), strict_readiness=True) as repository:
        assert not repository.ready
        assert "not every model is served" in repository.unready_reason
        assert repository.get("a").ready


def test_the_latest_version_that_can_be_served_is_that_of_the_model(tmp_path: Path) -> None:
    for version in (1, 2, 3):
        write_models(tmp_path, {"a": TinyModel(seed=version)}, version=version)
    damage(tmp_path / "a" / "3")
    with opened(find_models(tmp_path)) as repository:
        assert [model.version for model in repository] == ["1", "2"]
        assert repository.get("a").version == "2"
        with pytest.raises(Unavailable):
            repository.get("a:3")
        with pytest.raises(ModelNotFound):
            repository.get("a:4")
    with opened(find_models(tmp_path), latest_only=True) as repository:
        assert [model.version for model in repository] == ["2"]
        assert list(repository.failures) == [("a", "3")]


def test_auto_serves_float32_where_int8_does_not_score_as_written(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As on a processor whose int8 arithmetic saturates."""
    folder = tmp_path / "a" / "1"
    folder.mkdir(parents=True)
    wrong = [Golden(text="hello", logprob=-1.0)]
    (folder / "step-int8.onnx").write_bytes(TEXT.step_bytes("int8", golden=wrong))
    with opened(find_models(tmp_path)) as repository:
        assert list(repository.failures) == [("a", "1")]
    (folder / "step-float32.onnx").write_bytes(TEXT.step_bytes("float32"))
    with opened(find_models(tmp_path)) as repository:
        assert repository.get("a").graph.card.precision == "float32"
    assert "serving step-float32.onnx instead" in caplog.text
    (int8,) = find_models(tmp_path, "int8").paths
    with pytest.raises(GoldenMismatch):
        repository.open(int8)
