"""Versions come and go while a server runs; a session stays with the one it began with, as long as it can."""

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.live_server import TLS, LiveServer, live_server
from support.session_client import Session
from support.tiny_models import LINES, TinyModel, write_models
from support.waiting import until

_OLD, _NEW = TinyModel(), TinyModel(seed=9)
_TEXT = "the quick brown fox, jumps over a lazy dog. "


pytestmark = pytest.mark.usefixtures("quick_retirement")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_models(tmp_path / "models", {"tiny": _OLD, "other": LINES})


@pytest.fixture
def latest(folder: Path, tmp_path: Path) -> Iterator[LiveServer]:
    """A server whose new versions take over."""
    with live_server(folder, model_versions="latest", data_dir=tmp_path / "data") as server:
        yield server


def _load(server: LiveServer, model: str, what: str = "load") -> httpx.Response:
    return httpx.post(f"{server.url}/v2/repository/models/{model}/{what}", timeout=30, verify=TLS)


def _states(server: LiveServer) -> dict[str, str]:
    found = httpx.post(f"{server.url}/v2/repository/index", timeout=30, verify=TLS).json()
    return {f"{entry['name']}:{entry['version']}": entry["state"] for entry in found}


def _wait_for(server: LiveServer, model: str, state: str) -> None:
    until(lambda: _states(server).get(model) == state)


def _next(server: LiveServer, model: str = "tiny") -> dict[str, Any]:
    found: dict[str, Any] = server.post("/v1/next", {"model": model, "input": _TEXT}).json()
    return found


def _num_engines() -> int:
    return sum(thread.name == "engine" for thread in threading.enumerate())


def _new_version(folder: Path) -> None:
    write_models(folder, {"tiny": _NEW}, version=2)


def test_a_new_version_takes_new_work_and_sessions_stay_with_theirs(latest: LiveServer, folder: Path) -> None:
    session, twin = (Session.create(latest, prime=_TEXT) for _ in range(2))
    before = session.sample(max_tokens=30)
    _new_version(folder)
    answer = _load(latest, "tiny")
    assert answer.json() == {"name": "tiny", "versions": ["2"], "state": "READY"}
    assert _next(latest)["model_version"] == "2"
    assert _states(latest) == {"other:1": "READY", "tiny:1": "UNLOADING", "tiny:2": "READY"}
    assert twin.sample(max_tokens=60).startswith(before)  # to the bit what it would have been
    assert session.info()["model_version"] == "1"
    assert Session.create(latest).info()["model_version"] == "2"
    assert session.on(latest).do("fork")["model_version"] == "1"
    pinned = latest.post("/v1/next", {"model": "tiny:1", "input": "a"})
    assert (pinned.status_code, pinned.json()["error"]["code"]) == (404, "model_not_found")


def test_a_version_without_sessions_is_let_go(latest: LiveServer, folder: Path) -> None:
    session = Session.create(latest)
    _new_version(folder)
    _load(latest, "tiny")
    engines = _num_engines()
    session.delete()
    _wait_for(latest, "tiny:1", "UNAVAILABLE")
    until(lambda: _num_engines() < engines)  # its threads end
    assert latest.metric("nextchar_model_info", model="tiny", version="1") == 0
    assert latest.metric("nextchar_sessions_ended_total", cause="version") == 0


def test_requests_while_a_version_is_swapped_all_succeed(latest: LiveServer, folder: Path) -> None:
    stop, failures, versions = threading.Event(), [], set()

    def ask() -> None:
        with httpx.Client(timeout=30, verify=TLS) as client:
            while not stop.is_set():
                body = {"model": "tiny", "prompt": "a", "max_tokens": 20, "seed": 1}
                answer = client.post(f"{latest.url}/v1/completions", json=body)
                if answer.status_code == 200:
                    versions.add(answer.json()["model_version"])
                else:
                    failures.append(answer.text)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        until(lambda: versions == {"1"} or failures)
        _new_version(folder)
        assert _load(latest, "tiny").status_code == 200
        until(lambda: versions == {"1", "2"} or failures)
        _wait_for(latest, "tiny:1", "UNAVAILABLE")
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert failures == []


@pytest.mark.parametrize("content", [b"", b"nonsense", _NEW.step_bytes()[:-100], "golden", "line"])
def test_a_bad_version_changes_nothing(latest: LiveServer, folder: Path, content: bytes | str) -> None:
    if content == "golden":  # whole, but it does not score as its card says
        from nextchar.model.card import Golden

        content = _NEW.step_bytes(golden=[Golden(text="hello", logprob=-1.0)])
    elif content == "line":
        content = _NEW.sequence_bytes()
    assert isinstance(content, bytes)
    before, engines = _next(latest), _num_engines()
    session = Session.create(latest)
    path = folder / "tiny" / "2" / "step-int8.onnx"
    path.parent.mkdir()
    path.write_bytes(content)
    answer = _load(latest, "tiny")
    assert answer.status_code == 400
    assert answer.headers["X-Error-Code"] == "model_file_invalid"
    assert isinstance(answer.json()["error"], str)
    assert _next(latest) == before
    assert _states(latest) == {"other:1": "READY", "tiny:1": "READY", "tiny:2": "UNAVAILABLE"}
    assert session.do("feed", text="a")["model_version"] == "1"
    assert _num_engines() == engines  # none was left behind
    path.write_bytes(_NEW.step_bytes())
    assert _load(latest, "tiny").status_code == 200
    assert _next(latest)["model_version"] == "2"


def test_a_served_version_whose_file_changed_is_refused(latest: LiveServer, folder: Path) -> None:
    before = _next(latest)
    (folder / "tiny" / "1" / "step-int8.onnx").write_bytes(_NEW.step_bytes())
    answer = _load(latest, "tiny")
    assert answer.status_code == 400
    assert "its file has changed: save it as a new version" in answer.text
    assert _next(latest) == before


def test_unloading_ends_new_work_and_loading_again_brings_it_back(folder: Path) -> None:
    _new_version(folder)
    with live_server(folder) as server:
        assert {_next(server, name)["model_version"] for name in ("tiny:1", "tiny:2")} == {"1", "2"}
        session = Session.create(server, model="tiny:2", prime=_TEXT)
        expected = session.next()
        assert _load(server, "tiny:2", "unload").json()["versions"] == ["2"]
        assert _next(server)["model_version"] == "1"
        assert session.next() == expected
        assert _load(server, "tiny:2", "unload").status_code == 404
        assert _load(server, "tiny:2").status_code == 200
        assert _next(server)["model_version"] == "2"
        assert _load(server, "tiny", "unload").json()["versions"] == ["1", "2"]
        assert _next(server)["error"]["code"] == "model_not_found"
        assert session.do("feed", text="a")["model_version"] == "2"


@pytest.mark.parametrize(
    ("model", "status", "code"),
    [("none", 404, "model_not_found"), ("tiny:7", 404, "model_not_found"), ("..", 404, None)],
)
def test_what_is_not_there_cannot_be_loaded(latest: LiveServer, model: str, status: int, code: str) -> None:
    for what in ("load", "unload"):
        answer = _load(latest, model, what)
        assert answer.status_code == status, answer.text
        assert code is None or answer.headers["X-Error-Code"] == code
        assert code is None or isinstance(answer.json()["error"], str)


def test_at_the_deadline_sessions_of_a_version_are_told(folder: Path) -> None:
    with live_server(folder, model_versions="latest", unload_after_seconds=0.2) as server:
        session = Session.create(server, prime=_TEXT)
        _new_version(folder)
        _load(server, "tiny")
        _wait_for(server, "tiny:1", "UNAVAILABLE")
        answer = session.post("feed", text="a")
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "state_model_mismatch")
        assert server.metric("nextchar_sessions_ended_total", cause="version") == 1


@pytest.mark.parametrize("length", [0, 5, 44, 300])
def test_replayed_it_goes_on_in_the_new_version_from_its_last_characters(folder: Path, length: int) -> None:
    text = (_TEXT * 9)[:length]
    with live_server(
        folder, model_versions="latest", unload_after_seconds=0.2, replay_sessions=True
    ) as server:
        session = Session.create(server, prime=text)
        recent = session.info()["max_rewind"]
        _new_version(folder)
        _load(server, "tiny")
        _wait_for(server, "tiny:1", "UNAVAILABLE")
        info = session.info()
        assert (info["model_version"], info["position"], info["revision"]) == ("2", length, 2)
        assert session.info()["revision"] == 2  # once
        fresh = Session.create(server, prime=text[length - recent :])
        assert session.next() == fresh.next()
        assert session.sample(max_tokens=30) == fresh.sample(max_tokens=30)
        session.do("rewind", num_chars=min(30 + length, 60))
        fresh.do("rewind", num_chars=min(30 + length, 60))
        assert session.next() == fresh.next()
        assert server.metric("nextchar_sessions_replayed_total") == 1
        assert server.metric("nextchar_sessions_ended_total", cause="version") == 0


def test_after_a_restart_a_sessions_version_is_loaded_for_it(latest: LiveServer, folder: Path) -> None:
    session = Session.create(latest, prime=_TEXT)
    expected = session.next()
    _new_version(folder)
    data = latest.settings.data_dir
    with live_server(folder, model_versions="latest", data_dir=data) as server:
        assert "tiny:1" not in {k for k, state in _states(server).items() if state != "UNAVAILABLE"}
        assert session.on(server).next() == expected
        assert _states(server)["tiny:1"] == "UNLOADING"
        assert _next(server)["model_version"] == "2"
        assert server.metric("nextchar_session_lookups_total", result="restored") == 1
    shutil.rmtree(folder / "tiny" / "1")
    with live_server(folder, model_versions="latest", data_dir=data) as server:
        answer = session.on(server).post("next")
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "state_model_mismatch")


def test_a_carried_state_goes_on_with_its_version(folder: Path) -> None:
    with live_server(folder) as server:
        body = {"model": "tiny", "input": _TEXT, "return_state": True}
        state = server.post("/v1/next", body).json()["state"]
        more = {"model": "tiny", "input": "abc", "state": state}
        expected = server.post("/v1/next", more).json()
        _new_version(folder)
        _load(server, "tiny")
        assert server.post("/v1/next", more).json() == expected
        pinned = server.post("/v1/next", more | {"model": "tiny:2"})
        assert (pinned.status_code, pinned.json()["error"]["code"]) == (409, "state_model_mismatch")


def test_the_folder_is_followed(folder: Path) -> None:
    with live_server(folder, model_versions="latest", model_poll_seconds=0.02) as server:
        _new_version(folder)
        _wait_for(server, "tiny:2", "READY")
        assert _next(server)["model_version"] == "2"
        bad = folder / "tiny" / "3" / "step-int8.onnx"
        bad.parent.mkdir()
        bad.write_bytes(b"nonsense")
        write_models(folder, {"more": LINES})
        _wait_for(server, "more:1", "READY")
        assert _next(server)["model_version"] == "2"
        assert _states(server)["tiny:3"] == "UNAVAILABLE"
        shutil.rmtree(folder / "more")
        until(lambda: "more:1" not in _states(server))
        _load(server, "tiny:2", "unload")
        assert _next(server)["error"]["code"] == "model_not_found"
