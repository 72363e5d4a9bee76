"""The look at the models folder outlives whatever the folder does."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.live_server import live_server
from support.waiting import until

from nextchar.repository import watcher as model_watch
from nextchar.repository.folder import version_folders


def _folder(path: Path, *names: str) -> Path:
    for name in names:
        (path / name / "1").mkdir(parents=True)
        (path / name / "1" / "step-int8.onnx").write_bytes(b"a step")
    return path


@pytest.mark.parametrize("listed", ["", "gone"])
def test_a_model_that_goes_during_a_look_disturbs_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, listed: str
) -> None:
    """It goes when the models have been listed, or its own versions."""
    folder = _folder(tmp_path, "gone", "stays")
    iterdir = Path.iterdir

    def then_gone(path: Path) -> Iterator[Path]:
        found = list(iterdir(path))
        if path == folder / listed:
            shutil.rmtree(folder / "gone")
        return iter(found)

    monkeypatch.setattr(Path, "iterdir", then_gone)
    assert version_folders(folder) == [folder / "stays" / "1"]


def test_what_cannot_be_a_model_is_passed_over(tmp_path: Path) -> None:
    folder = _folder(tmp_path, "a", ".hidden", "b")
    (folder / "b" / "10").mkdir()
    (folder / "b" / "2").mkdir()
    (folder / "b" / "draft").mkdir()
    (folder / "b" / "3").touch()
    (folder / "README.md").touch()
    versions = ["a/1", "b/1", "b/2", "b/10"]
    assert version_folders(folder) == [folder / version for version in versions]
    assert version_folders(folder, "b") == [folder / version for version in versions[1:]]
    assert version_folders(folder, "c") == version_folders(folder / "none") == []


def test_a_folder_that_is_away_for_a_while_takes_no_model_along(
    models: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "models"
    shutil.copytree(models, folder)
    asked = {"model": "tiny", "input": "a"}
    with live_server(folder, model_poll_seconds=0.02) as server:
        folder.rename(tmp_path / "away")
        until(lambda: caplog.text.count("the models folder cannot be read now") >= 3)
        assert server.post("/v1/next", asked).status_code == 200
        (tmp_path / "away").rename(folder)
        assert server.post("/v1/next", asked).status_code == 200
    assert caplog.text.count("No such file or directory") >= 3


def test_a_folder_that_cannot_be_read_for_a_while_is_followed_after_it(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "models"
    shutil.copytree(models, folder)
    looks: list[int] = []

    def versions(path: Path) -> list[Path]:
        looks.append(1)
        if len(looks) <= 3:  # the first look among them
            raise OSError(24, "Too many open files")
        return version_folders(path)

    monkeypatch.setattr(model_watch, "version_folders", versions)
    with live_server(folder, model_poll_seconds=0.02) as server:
        shutil.copytree(folder / "tiny" / "1", folder / "tiny" / "2")
        until(lambda: server.post("/v1/next", {"model": "tiny:2", "input": "a"}).status_code == 200)
    assert caplog.text.count("the models folder cannot be read now: [Errno 24] Too many open files") == 3
