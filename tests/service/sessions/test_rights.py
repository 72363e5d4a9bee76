"""What one owner may have, for how long, and what a call that cannot go on is told."""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.live_server import LiveServer, live_server
from support.session_client import Session
from support.valkey_server import valkey_server
from support.waiting import until

from nextchar.entrypoints.settings import Settings
from nextchar.errors import NextcharError
from nextchar.schemas.score import NextRequest
from nextchar.schemas.sessions import CreateSessionRequest, ForkRequest, ListSessionsRequest
from nextchar.security.principal import ANONYMOUS
from nextchar.service.sessions.stepper import SessionStepper
from nextchar.telemetry.request_context import RequestContext


def _error(answer: httpx.Response, status: int, code: str) -> str:
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert error["code"] == code
    message: str = error["message"]
    return message


def test_bytes_of_states_are_limited_by_owner_and_room_is_made_by_ending_one(models: Path) -> None:
    with live_server(models, max_state_bytes=2000) as server:
        session = Session.create(server, prime="abc")
        sessions = [session]
        for _ in range(20):
            if (answer := session.post("fork")).status_code != 201:
                break
            sessions.append(session.on(server))
            sessions[-1].id = answer.json()["session_id"]
        assert "the limit is 2000" in _error(answer, 503, "session_limit")
        assert int(answer.headers["Retry-After"]) > 3600  # an expired one is kept for an hour more
        assert len(sessions) > 1
        before, text = session.info(), "the quick brown fox"
        for _ in range(20):
            if (answer := session.post("feed", text=text)).status_code != 200:
                break
            before = session.info()
        _error(answer, 503, "session_limit")
        after = session.info()
        assert (after["position"], after["revision"]) == (before["position"], before["revision"])
        for other in sessions[1:]:
            other.delete()
        session.do("feed", text="a")
        session.do("fork")


def test_a_call_for_another_revision_moves_nothing(server: LiveServer) -> None:
    session = Session.create(server, prime="abc")
    session.do("feed", text="d", if_revision=1)
    calls: list[tuple[str, dict[str, Any]]] = [
        ("feed", {"text": "d"}),
        ("sample", {"max_tokens": 3}),
        ("sample", {"max_tokens": 3, "stream": True}),
        ("checkpoint", {"name": "c"}),
        ("rollback", {"name": "c"}),
        ("rewind", {"num_chars": 1}),
    ]
    for ctx, fields in calls:
        told = _error(session.post(ctx, **fields, if_revision=1), 409, "session_moved")
        assert "at revision 2, position 4" in told
    completion = {"model": "tiny", "session_id": session.id, "if_revision": 1}
    _error(server.post("/v1/completions", completion), 409, "session_moved")
    _error(server.post("/v1/completions", {"model": "tiny", "if_revision": 1}), 400, "invalid_value")
    assert (session.info()["revision"], session.info()["position"]) == (2, 4)
    completion["if_revision"] = 2
    assert server.post("/v1/completions", completion).json()["revision"] == 3


def test_a_time_to_live_is_the_models_the_sessions_or_renewed(models: Path) -> None:
    with live_server(models, session_ttl_seconds=50, model_session_ttl_seconds={"lines": 70}) as server:
        assert Session.create(server).info()["ttl_seconds"] == 50
        assert Session.create(server, model="lines").info()["ttl_seconds"] == 70
        assert Settings(model_session_ttl_seconds='{"lines": 7}').model_session_ttl_seconds == {"lines": 7}  # type: ignore[arg-type]
        session = Session.create(server, model="lines", ttl_seconds=90)
        first = session.info()
        assert first["ttl_seconds"] == 90
        renewed = session.do("renew", ttl_seconds=900)
        assert renewed["expires_at"] > first["expires_at"] + 800
        assert renewed | {"ttl_seconds": 90, "expires_at": 0} == first | {"expires_at": 0}
        again = session.do("renew")
        assert (again["ttl_seconds"], again["revision"]) == (900, 1)
        before = time.time()
        session.do("feed", text="a")
        assert session.info()["ttl_seconds"] == 900
        assert session.info()["expires_at"] > before + 870  # by the clock of the store


def test_a_session_that_is_being_ended_takes_no_more_calls(
    server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Session.create(server, prime="a")
    feeding, go_on = threading.Event(), threading.Event()
    feed = SessionStepper.feed

    async def slow(self: SessionStepper, *arguments: Any, **wanted: Any) -> Any:
        feeding.set()
        await asyncio.to_thread(go_on.wait, 30)
        return await feed(self, *arguments, **wanted)

    monkeypatch.setattr(SessionStepper, "feed", slow)
    with ThreadPoolExecutor(2) as pool:
        running = pool.submit(session.post, "feed", text="b")
        assert feeding.wait(30)
        ending = pool.submit(session.delete)  # waits for the call that runs
        until(lambda: server.app.service.session_manager._locks._closing)
        answer = session.post("checkpoint", name="c")
        go_on.set()
        assert "is being deleted" in _error(answer, 412, "session_closing")
        assert running.result().status_code == 200  # it came before
        assert ending.result().status_code == 204
    _error(session.post("next"), 404, "session_not_found")


def test_a_session_that_the_store_has_thrown_out_is_told_from_one_that_never_was(
    models: Path, tmp_path: Path
) -> None:
    with (
        valkey_server(tmp_path) as store,
        live_server(models, session_store=store.url, state_key="k" * 32) as server,
    ):
        session = Session.create(server, prime="abc")
        with store.client as client:
            for key in client.keys("nextchar:*:session:*"):
                client.delete(key)  # as an eviction does
        assert "has evicted session" in _error(session.post("next"), 410, "session_evicted")
        _error(Session(server.url, "never").post("next"), 404, "session_not_found")
        tidied = server.app.service.session_maintenance.tidy()
        asyncio.run_coroutine_threadsafe(tidied, server.loop).result(30)
        assert server.metric("nextchar_sessions_ended_total", cause="evicted") == 1
        assert server.metric("nextchar_sessions_active") == 0
        assert Session.create(server, session_id=session.id).info()["position"] == 0


def _call(owner: str) -> RequestContext:
    return RequestContext(
        "session", "rest", time.monotonic() + 30, "r", principal=replace(ANONYMOUS, owner=owner)
    )


@pytest.fixture
def on_loop(server: LiveServer) -> Callable[[Any], Any]:
    def run(work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, server.loop).result(30)

    return run


def _refused(code: str, run: Callable[[], Any]) -> str:
    with pytest.raises(NextcharError) as refused:
        run()
    assert refused.value.code == code
    return refused.value.message


def test_what_is_anothers_is_not_there(server: LiveServer, on_loop: Callable[[Any], Any]) -> None:
    sessions, service = server.app.service.sessions, server.app.service
    request = CreateSessionRequest(model="tiny", session_id="mine", prime="abc")
    on_loop(sessions.create(request, _call("ann")))
    for ctx in (
        sessions.get("mine", _call("bob")),
        sessions.fork("mine", ForkRequest(), _call("bob")),
        sessions.delete("mine", _call("bob")),
        sessions.export("mine", _call("bob")),
    ):
        told = _refused("session_not_found", lambda ctx=ctx: on_loop(ctx))
        assert told == "there is no session 'mine'"  # as of one that never was
    assert on_loop(sessions.list(ListSessionsRequest(), _call("bob"))).data == []
    on_loop(sessions.create(request, _call("bob")))  # an id is its owner's own
    state = on_loop(sessions.export("mine", _call("ann")))
    _refused("state_invalid", lambda: on_loop(sessions.restore("mine", state, _call("bob"))))
    carried = NextRequest(model="tiny", input="a", state=state)
    _refused("state_invalid", lambda: on_loop(service.predictor.next(carried, _call("bob"))))
    assert on_loop(service.predictor.next(carried, _call("ann"))).model == "tiny"
    for owner in ("ann", "bob"):
        on_loop(sessions.delete("mine", _call(owner)))
