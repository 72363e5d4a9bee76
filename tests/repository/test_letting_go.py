"""Versions are let go while others change, and the end of the process finds every engine."""

import asyncio
import threading
from pathlib import Path

import pytest
from support.in_process import context, in_process
from support.tiny_models import LINES, TEXT, TinyModel, write_models

from nextchar.engine.deliveries import GatherReceiver
from nextchar.engine.work import Delivery
from nextchar.errors import Unavailable
from nextchar.repository import loader, retired_versions, served_models
from nextchar.repository.folder import Key, by_version
from nextchar.repository.model import Model

pytestmark = pytest.mark.usefixtures("quick_retirement")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_models(tmp_path / "models", {"tiny": TEXT, "other": LINES})


def _num_engines() -> int:
    return sum(thread.name == "engine" for thread in threading.enumerate())


def test_letting_go_outlives_a_version_that_is_recalled_meanwhile(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Two versions are due; while the sessions of the first are counted, the second is loaded again."""
    write_models(folder, {"tiny": TinyModel(seed=9)}, version=2)
    with in_process(folder) as made:
        manager = made.service.model_manager
        counted: list[str] = []

        async def count(_name: str, version: str) -> int:
            counted.append(version)
            if counted == ["1"]:
                await manager.load("tiny:2")
            return 0

        async def run() -> None:
            manager.unload("tiny")
            task = asyncio.create_task(manager.unload_retired(count, lambda _: None))
            while manager.served_models.running("tiny", "1") is not None or len(counted) < 1:
                assert not task.done()
                await asyncio.sleep(0)
            assert [m.version for m in manager.served_models.serving if m.name == "tiny"] == ["2"]
            manager.unload("tiny:2")
            while manager.served_models.running("tiny", "2") is not None:
                assert not task.done()
                await asyncio.sleep(0)
            task.cancel()

        made.run(run())
        assert counted[0] == "1"
        assert "could not be unloaded" not in caplog.text


def test_a_fault_of_one_version_ends_no_other_and_not_the_task(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with in_process(folder) as made:
        manager, faults = made.service.model_manager, ["once"]

        async def count(name: str, _version: str) -> int:
            if name == "other" and faults:
                faults.pop()
                raise RuntimeError("a fault of the store")
            return 0

        async def run() -> None:
            manager.unload("other")
            manager.unload("tiny")
            task = asyncio.create_task(manager.unload_retired(count, lambda _: None))
            while list(manager.served_models):
                assert not task.done()
                await asyncio.sleep(0)
            task.cancel()

        made.run(run())
    assert "other:1 could not be unloaded; it is tried again" in caplog.text


def test_the_models_can_be_listed_while_they_change(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the thread of the metrics port does: a version that goes in between takes no listing down."""
    with in_process(folder) as made:
        served = made.service.served_models

        def ordered(key: Key) -> tuple[str, int, str]:
            if served.running("tiny", "1") is not None:
                served.remove("tiny", "1")
            return by_version(key)

        monkeypatch.setattr(served_models, "by_version", ordered)
        assert [model.name for model in served] == ["other", "tiny"]
        assert [model.name for model in served] == ["other"]


def test_closing_stops_the_engines_that_requests_still_hold(folder: Path) -> None:
    before = _num_engines()
    with in_process(folder) as made:
        model = made.service.served_models.get("tiny")
        model.used_by(context())
        made.service.model_manager._retired.remove(model)
        assert made.service.served_models.unheld() == []
        assert _num_engines() > before
    assert _num_engines() == before


def test_stopping_a_version_is_tried_again_after_a_failure(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The version after it is stopped meanwhile."""
    before = _num_engines()
    with in_process(folder) as made:
        stopped: list[str] = []

        async def fails_once(model: Model) -> None:
            stopped.append(model.name)
            if len(stopped) == 1:
                raise RuntimeError("a bug")
            await loader.stop(model)

        async def count(_name: str, _version: str) -> int:
            return 0

        async def run() -> None:
            manager = made.service.model_manager
            manager.unload("tiny")
            manager.unload("other")
            task = asyncio.create_task(manager.unload_retired(count, lambda _: None))
            while _num_engines() > before:
                assert not task.done()
                await asyncio.sleep(0)
            task.cancel()

        monkeypatch.setattr(retired_versions, "stop", fails_once)
        made.run(run())
        assert len(stopped) == 3
        assert set(stopped[1:]) == {"tiny", "other"}
        assert f"model {stopped[0]}:1 could not be stopped; it is tried again" in caplog.text
        assert "a bug" in caplog.text


def test_closing_stops_engines_whose_stopping_was_cut_short(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As at the end of the process, which ends the task before its thread has begun."""
    before = _num_engines()
    with in_process(folder) as made:
        begun = asyncio.Event()

        async def never(_model: Model) -> None:
            begun.set()
            await asyncio.Event().wait()

        async def count(_name: str, _version: str) -> int:
            return 0

        async def run() -> None:
            manager = made.service.model_manager
            manager.unload("tiny")
            task = asyncio.create_task(manager.unload_retired(count, lambda _: None))
            await begun.wait()
            task.cancel()

        monkeypatch.setattr(retired_versions, "stop", never)
        made.run(run())
    assert _num_engines() == before


def test_a_load_in_progress_is_finished_before_the_models_are_closed_and_none_begins_after(
    folder: Path,
) -> None:
    before = _num_engines()
    with in_process(folder) as made:
        manager = made.service.model_manager
        write_models(folder, {"tiny": TinyModel(seed=9)}, version=2)

        async def run() -> None:
            loading = asyncio.create_task(manager.load("tiny"))
            while not manager._loader.loading:
                await asyncio.sleep(0)
            loading.cancel()  # as its client leaves
            await manager.close()
            assert manager.served_models.get("tiny").version == "2"
            with pytest.raises(Unavailable, match="shutting down"):
                await manager.load("tiny")

        made.run(run())
    assert _num_engines() == before


def test_a_load_that_is_cut_short_while_it_warms_up_leaves_no_engine(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would deliver to a loop that is closed, which is a traceback at the end of the process."""
    before, warming = _num_engines(), asyncio.Event()

    class Slow(GatherReceiver):
        async def wait(self) -> list[list[Delivery]]:
            warming.set()
            await asyncio.Event().wait()
            return await super().wait()

    monkeypatch.setattr(loader, "GatherReceiver", Slow)
    with in_process(folder) as made:

        async def run() -> None:
            found = made.service.model_manager._loader
            (path,) = await found.versions("tiny", "1")
            opening = asyncio.create_task(found.open(path))
            await warming.wait()
            opening.cancel()
            await asyncio.wait([opening])

        running = _num_engines()
        made.run(run())
        assert _num_engines() == running
    assert _num_engines() == before
