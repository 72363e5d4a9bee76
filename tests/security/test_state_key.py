"""The key of states: whole or refused, one for all who share a folder, there as long as the server is."""

import asyncio
import logging
import threading
from pathlib import Path

import pytest
from support.live_server import live_server
from support.waiting import until

from nextchar.entrypoints import session_backend
from nextchar.entrypoints.app import running
from nextchar.entrypoints.session_backend import session_store
from nextchar.entrypoints.settings import Settings
from nextchar.errors import SettingsInvalid
from nextchar.security import state_key
from nextchar.security.state_key import StateKey, make_state_key
from nextchar.service.sessions.stores.sqlite import SqliteStore


def key_of(folder: Path) -> StateKey:
    return make_state_key(None, folder)


def opened(settings: Settings) -> None:
    """Opens and closes the store of settings."""

    async def work() -> None:
        async with session_store(settings, session_backend.state_key(settings)):
            pass

    asyncio.run(work())


@pytest.mark.parametrize("num_bytes", [0, 1, 31])
def test_a_file_of_too_few_bytes_is_no_key(tmp_path: Path, num_bytes: int) -> None:
    (tmp_path / "state.key").write_bytes(b"x" * num_bytes)
    with pytest.raises(
        SettingsInvalid, match=rf"has {num_bytes} bytes; a state key has at least 32"
    ) as caught:
        key_of(tmp_path)
    assert caught.value.param == "data_dir"
    assert (tmp_path / "state.key").read_bytes() == b"x" * num_bytes


def test_a_new_key_is_whole_its_owners_only_and_the_same_again(tmp_path: Path) -> None:
    made = key_of(tmp_path / "new" / "data")
    folder = tmp_path / "new" / "data"
    assert [path.name for path in folder.iterdir()] == ["state.key"]
    assert (folder / "state.key").stat().st_mode & 0o777 == 0o600
    assert (folder / "state.key").read_bytes() == made.secret
    assert len(made.secret) == 32
    assert key_of(folder).fingerprint == made.fingerprint


def test_a_key_is_on_the_disk_before_it_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file when it is whole, and the folders when they name it."""
    synced: list[tuple[bool, int]] = []
    fsync = state_key.os.fsync

    def noted(descriptor: int) -> None:
        named = (tmp_path / "data" / "state.key").exists()
        synced.append((named, state_key.os.fstat(descriptor).st_size if not named else -1))
        fsync(descriptor)

    monkeypatch.setattr(state_key, "os", _With(state_key.os, fsync=noted))
    key_of(tmp_path / "data")
    assert synced == [(False, 32), (True, -1), (True, -1)]


class _With:
    """A module with other functions in it."""

    def __init__(self, module: object, **functions: object) -> None:
        self._module = module
        self.__dict__.update(functions)

    def __getattr__(self, name: str) -> object:
        return getattr(self._module, name)


def test_processes_that_start_at_once_share_one_key_whatever_their_numbers(tmp_path: Path) -> None:
    """In containers all of them have the number 1; threads of one process have one number too."""
    found: list[bytes] = []
    begin = threading.Barrier(16)

    def start() -> None:
        begin.wait()
        found.append(key_of(tmp_path).secret)

    threads = [threading.Thread(target=start) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [(tmp_path / "state.key").read_bytes()] * 16
    assert len(list(tmp_path.iterdir())) == 1


def test_a_key_that_is_deleted_is_written_back(tmp_path: Path) -> None:
    key = key_of(tmp_path / "data")
    (tmp_path / "data" / "state.key").unlink()
    (tmp_path / "data").rmdir()
    key.ensure()
    assert (tmp_path / "data" / "state.key").read_bytes() == key.secret


def test_a_key_that_is_replaced_is_told_once_and_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    key, other = key_of(tmp_path), b"y" * 32
    (tmp_path / "state.key").write_bytes(other)
    key.ensure()
    key.ensure()
    told = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(told) == 1
    assert "it holds another key" in told[0].getMessage()
    assert (tmp_path / "state.key").read_bytes() == other


def test_a_running_server_keeps_the_file_of_its_key(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state_key, "_CHECK_SECONDS", 0.02)
    with live_server(models, data_dir=tmp_path):
        before = (tmp_path / "state.key").read_bytes()
        (tmp_path / "state.key").unlink()
        until((tmp_path / "state.key").exists)
        until(lambda: (tmp_path / "state.key").read_bytes() == before)


def test_a_store_that_outlives_the_process_needs_a_key_that_does(tmp_path: Path) -> None:
    lasting = f"sqlite:///{tmp_path}/sessions.db"
    opened(Settings(session_store="memory:"))
    with pytest.raises(SettingsInvalid, match="state_key must be set, or data_dir") as caught:
        opened(Settings(session_store=lasting))
    assert caught.value.param == "state_key"
    opened(Settings(session_store=lasting, data_dir=tmp_path))
    opened(Settings(session_store=lasting, state_key="k" * 32))


def test_a_store_of_another_key_is_refused_at_the_start(models: Path, tmp_path: Path) -> None:
    settings = Settings(models=models, data_dir=tmp_path, http_port=0, grpc_port=0, metrics_port=0)

    async def start() -> None:
        async with running(settings):
            pass

    asyncio.run(start())
    kept = (tmp_path / "state.key").read_bytes()
    (tmp_path / "state.key").unlink()
    with pytest.raises(SettingsInvalid, match="sealed with another key") as caught:
        asyncio.run(start())
    assert caught.value.param == "state_key"
    (tmp_path / "state.key").write_bytes(kept)
    asyncio.run(start())


def test_the_fingerprint_tells_keys_apart_and_gives_none_away() -> None:
    first, second = StateKey(b"a" * 32), StateKey(b"a" * 31 + b"b")
    assert first.fingerprint == StateKey(b"a" * 32).fingerprint != second.fingerprint
    assert first.secret.hex() not in first.fingerprint


def test_a_store_that_is_away_at_the_start_is_asked_later(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With another key than the store's, the server ends up unready."""
    answers = iter([session_backend.Unavailable("away"), session_backend.Unavailable("away"), False])

    async def asked(_store: SqliteStore, _fingerprint: str) -> bool:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return bool(answer)

    monkeypatch.setattr(SqliteStore, "check_key", asked)
    monkeypatch.setattr(session_backend, "_RETRY_SECONDS", 0.02)
    with live_server(models, data_dir=tmp_path) as server:
        until(lambda: server.get("/readyz").status_code == 503)
        assert "store_key" in server.get("/readyz").text
