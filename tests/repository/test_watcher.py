"""The look at the models folder outlives whatever the folder does."""

import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
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


def test_models_that_come_and_go_during_a_look_disturb_none(tmp_path: Path) -> None:
    folder = _folder(tmp_path, "stays")
    stop = threading.Event()

    def come_and_go() -> None:
        while not stop.is_set():
            shutil.rmtree(_folder(folder, "gone") / "gone")

    with ThreadPoolExecutor() as pool:
        coming = pool.submit(come_and_go)
        try:
            found = [version_folders(folder) for _ in range(2000)]
        finally:
            stop.set()
    assert coming.exception() is None
    assert all(folder / "stays" / "1" in versions for versions in found)
    assert any(folder / "gone" / "1" in versions for versions in found)


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
