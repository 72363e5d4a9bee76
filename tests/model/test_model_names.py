"""A model's name is short ASCII, and its files lie inside the models folder, whatever a link says."""

import os
from pathlib import Path

import pytest
from support.tiny_models import TEXT, write_models

from nextchar.errors import InvalidRequest, ModelFileError
from nextchar.model.graph import open_graph
from nextchar.model.names import check_model_name, is_version
from nextchar.repository.folder import Key, find_models

BAD_NAMES = [
    *("", ".", "..", "../a", "a/b", "/etc", "a\\b", "a\0b", ".hidden", "a:1", "a b", "a\n", "a" * 129),
    *("ｓhakespeare", "shаkespeare", "a\N{RIGHT-TO-LEFT OVERRIDE}b", "a\N{ZERO WIDTH SPACE}", "..%2fa", "é"),
]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_name_that_means_something_else_somewhere_is_refused(name: str) -> None:
    with pytest.raises(InvalidRequest, match="model must be 1 to 128 characters") as caught:
        check_model_name(name)
    assert caught.value.param == "model"


_BAD_VERSIONS = ["", "01", "1.", "-1", "+1", "1_0", "１", "²", "1\n", "9" * 19, "../1", "1/.."]


@pytest.mark.parametrize("version", _BAD_VERSIONS)
def test_a_version_has_one_spelling(version: str) -> None:
    assert not is_version(version)
    with pytest.raises(InvalidRequest, match="version must be a number"):
        check_model_name("a", version)


def test_plain_names_and_versions_are_fine() -> None:
    for name in ("a", "shakespeare", "gru-2x512_v1.3", "0", "A" * 128):
        check_model_name(name, "10")


def fault(folder: Path, key: Key) -> str:
    """Why the only model of a folder cannot be served."""
    found = find_models(folder)
    assert (found.paths, list(found.faults)) == ([], [key])
    return found.faults[key]


@pytest.mark.parametrize("name", ["a:b", "a b", "é", "ｓ"])
def test_a_folder_with_such_a_name_is_refused(tmp_path: Path, name: str) -> None:
    write_models(tmp_path, {name: TEXT})
    assert "cannot be a model name" in fault(tmp_path, (name, "1"))


def test_hidden_folders_are_no_models_and_no_versions(tmp_path: Path) -> None:
    write_models(tmp_path, {"a": TEXT, ".b": TEXT})
    (tmp_path / "a" / "1").rename(tmp_path / "a" / ".1")
    assert "has no version" in fault(tmp_path, ("a", ""))


@pytest.mark.parametrize("version", ["01", "1" * 30])
def test_a_folder_that_is_meant_as_a_version_is_told(tmp_path: Path, version: str) -> None:
    write_models(tmp_path, {"a": TEXT})
    (tmp_path / "a" / "1").rename(tmp_path / "a" / version)
    assert "at most 18 digits, without leading zeros" in fault(tmp_path, ("a", version))


@pytest.mark.parametrize("link", ["a", "a/1", "a/1/step-int8.onnx"])
def test_a_link_out_of_the_folder_is_refused(tmp_path: Path, link: str) -> None:
    outside, models = tmp_path / "outside", tmp_path / "models"
    write_models(outside, {"a": TEXT})
    place = models / link
    place.parent.mkdir(parents=True)
    place.symlink_to(outside / link)
    assert "leads out of the models folder" in fault(models, ("a", "1"))


def test_links_inside_the_folder_are_followed_and_the_folder_may_be_one(tmp_path: Path) -> None:
    real = write_models(tmp_path / "real", {".data": TEXT})
    (real / "a").symlink_to(real / ".data")
    (tmp_path / "models").symlink_to(real)
    (found,) = find_models(tmp_path / "models").paths
    assert found.name == "a"
    assert open_graph(found.path).card == TEXT.step().card


def test_a_link_in_circles_is_refused(tmp_path: Path) -> None:
    write_models(tmp_path, {"a": TEXT})
    file = tmp_path / "a" / "1" / "step-int8.onnx"
    file.unlink()
    file.symlink_to(file)
    assert fault(tmp_path, ("a", "1"))


def test_a_pipe_in_place_of_a_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "step-int8.onnx")
    with pytest.raises(ModelFileError, match="not a regular file"):
        open_graph(tmp_path / "step-int8.onnx")
