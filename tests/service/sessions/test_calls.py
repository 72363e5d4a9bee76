"""What the calls of sessions answer, and what they refuse."""

import gc
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner
from support.live_server import TLS, LiveServer, live_server
from support.session_client import Session
from support.waiting import until

from nextchar.entrypoints.main import main
from nextchar.service.sessions import maintenance as session_maintenance
from nextchar.service.sessions.stepper import SessionStepper


def _error(answer: httpx.Response, status: int, code: str) -> str:
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert error["code"] == code
    assert "Traceback" not in answer.text
    message: str = error["message"]
    return message


def test_a_session_is_created_as_asked_for(server: LiveServer) -> None:
    before = time.time()
    answer = server.post(
        "/v1/sessions", {"model": "tiny", "session_id": "mine", "prime": "abc", "ttl_seconds": 90}
    )
    assert answer.status_code == 201
    assert answer.headers["X-Session-Id"] == "mine"
    found = answer.json()
    assert (found["position"], found["revision"], found["model_version"]) == (3, 1, "1")
    assert before + 60 < found["expires_at"] < time.time() + 120  # by the clock of the store
    assert Session(server.url, "mine").info() == found
    assert _error(server.post("/v1/sessions", {"model": "tiny", "session_id": "mine"}), 409, "session_exists")
    assert Session(server.url, "mine").delete().status_code == 204


def test_random_ids_have_128_bits_and_random_seeds_differ(server: LiveServer) -> None:
    made = [
        Session(server.url, server.post("/v1/sessions", {"model": "tiny"}).json()["session_id"]) for _ in "ab"
    ]
    assert all(len(session.id) >= len("sess-") + 22 for session in made)
    assert made[0].sample(max_tokens=40) != made[1].sample(max_tokens=40)


def test_every_change_is_a_revision(server: LiveServer) -> None:
    session = Session.create(server)
    changes = [("feed", {"text": "a"}), ("sample", {"max_tokens": 3}), ("checkpoint", {"name": "c"})]
    changes += [("rewind", {"num_chars": 1}), ("rollback", {"name": "c"})]
    for call, fields in changes:
        session.do(call, **fields)
    assert session.info()["revision"] == 1 + len(changes)


def _listed(server: LiveServer, **parameters: object) -> httpx.Response:
    return httpx.get(f"{server.url}/v1/sessions", params=parameters, verify=TLS)


def test_sessions_are_listed_by_page(models: Path) -> None:
    with live_server(models) as server:
        ids = sorted(Session.create(server, session_id=f"s{k}").id for k in range(5))
        first = _listed(server, limit=3).json()
        rest = _listed(server, limit=3, after=first["next_after"]).json()
        assert [entry["session_id"] for entry in first["data"] + rest["data"]] == ids
        assert "next_after" not in rest
        for wrong in ("0", "1001", "many"):
            assert "limit" in _error(_listed(server, limit=wrong), 400, "invalid_value")
        _error(_listed(server, page=2), 400, "unknown_field")


def test_an_unknown_session_and_an_ended_one_are_not_found(server: LiveServer) -> None:
    session = Session.create(server)
    assert session.delete().status_code == 204
    for gone in (session, Session(server.url, "never-was")):
        assert gone.id in _error(gone.post("next"), 404, "session_not_found")
        _error(gone.delete(), 404, "session_not_found")
        _error(gone.put_state(b"x"), 404, "session_not_found")


@pytest.mark.parametrize("path", ["%ff", "a%00b", "%F0%9F%98%80", "x" * 5000, "a%2Fb%27--"])
def test_an_id_that_no_session_can_have_is_not_found(server: LiveServer, path: str) -> None:
    answer = httpx.get(f"{server.url}/v1/sessions/{path}", timeout=30, verify=TLS)
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] in ("session_not_found", "not_found")


def test_an_expired_session_is_gone_and_says_so(models: Path) -> None:
    with live_server(models) as server:
        session = Session.create(server, ttl_seconds=0.001)
        until(lambda: session.info().get("error", {}).get("code") == "session_expired")
        assert "0.001 s" in _error(session.post("feed", text="a"), 410, "session_expired")
        assert Session.create(server, session_id=session.id).info()["position"] == 0  # the id is free again


def test_the_limit_of_sessions_is_refused_and_room_is_made_by_ending_one(models: Path) -> None:
    with live_server(models, max_sessions=2) as server:
        first, _ = Session.create(server, ttl_seconds=500), Session.create(server, ttl_seconds=900)
        answer = server.post("/v1/sessions", {"model": "tiny"})
        assert "the limit is 2" in _error(answer, 503, "session_limit")
        assert 400 < int(answer.headers["Retry-After"]) <= 500  # when the first of them has expired
        _error(first.post("fork"), 503, "session_limit")
        first.delete()
        Session.create(server)


@pytest.mark.parametrize(
    ("call", "fields", "param", "says"),
    [
        ("feed", {}, "text", "field required"),
        ("feed", {"text": 5}, "text", "valid string"),
        ("feed", {"text": "a", "what": 1}, "what", "unknown field"),
        ("feed", {"text": "a", "return": "all"}, "return", "'last', 'each' or 'none'"),
        ("feed", {"text": "a" * 300, "return": "each"}, "text", "the limit is 256"),
        (
            "rewind",
            {"num_chars": 99},
            "num_chars",
            "num_chars is 99; at most the last 3 characters can be taken back",
        ),
        ("rewind", {"num_chars": -1}, "num_chars", "greater than or equal to 0"),
        ("rollback", {"name": "nowhere"}, "name", "name is 'nowhere', the session's checkpoints are: none"),
        ("checkpoint", {"name": "a b"}, "name", "should match pattern"),
        ("sample", {"max_tokens": 10**9}, "max_tokens", "the limit is"),
        ("sample", {"prompt": "a"}, "prompt", "unknown field"),
        ("score", {"input": []}, "input", "at least 1"),
        ("next", {"top": 0}, "top", "greater than or equal to 1"),
        ("fork", {"session_id": "a/b"}, "session_id", "should match pattern"),
    ],
)
def test_a_bad_field_is_named_and_the_session_stays(
    server: LiveServer, call: str, fields: dict, param: str, says: str
) -> None:
    session = Session.create(server, prime="abc")
    before = session.info()
    answer = session.post(call, **fields)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == param
    assert says in answer.json()["error"]["message"]
    assert session.info() == before


def test_checkpoints_are_limited(server: LiveServer) -> None:
    session = Session.create(server)
    for k in range(16):
        session.do("checkpoint", name=f"c{k}")
    assert "16 checkpoints" in _error(session.post("checkpoint", name="more"), 400, "invalid_value")
    session.do("checkpoint", name="c3")


def test_bytes_that_are_no_state_of_this_session_leave_it_where_it_is(server: LiveServer) -> None:
    session, other = Session.create(server, prime="abc"), Session.create(server, model="lines", prime="abc")
    sealed, before = session.state(), session.info()
    for bad in (b"", b"nonsense", sealed[:-1], sealed[:50] + b"\0" + sealed[51:]):
        _error(session.put_state(bad), 400, "state_invalid")
    _error(session.put_state(other.state()), 409, "state_model_mismatch")
    assert session.info() == before


def test_a_refused_character_moves_nothing(server: LiveServer) -> None:
    session = Session.create(server, model="refusing", prime="abc")
    _error(session.post("feed", text="abc\N{SNOWMAN}"), 422, "unknown_character")
    assert session.info()["position"] == 3


def test_a_client_that_leaves_in_the_middle_leaves_the_session_where_it_was(server: LiveServer) -> None:
    session = Session.create(server, prime="a ")
    before = session.info()
    with session.held_stream() as lines:
        next(lines)
    first = session.sample(max_tokens=30)  # waits for its turn, which comes when the other is gone
    assert session.info()["revision"] == before["revision"] + 1
    assert first == Session.create(server, prime="a ").sample(max_tokens=30)


@pytest.fixture
def pair(models: Path, tmp_path: Path) -> Iterator[tuple[LiveServer, LiveServer]]:
    with live_server(models, data_dir=tmp_path) as one, live_server(models, data_dir=tmp_path) as other:
        yield one, other


def test_two_servers_of_one_store_are_one(pair: tuple[LiveServer, LiveServer]) -> None:
    session = Session.create(pair[0], prime="abc")
    for k in range(6):
        session.on(pair[k % 2]).do("feed", text="xyz")
    assert session.info()["position"] == 21
    assert session.on(pair[1]).next() == Session.create(pair[0], prime="abc" + "xyz" * 6).next()
    sealed = session.state()
    moved = Session.create(pair[1])
    assert moved.put_state(sealed).status_code == 200  # they share the key of the data folder
    assert moved.next() == session.next()


def test_who_comes_too_late_does_its_work_anew_or_is_told(
    pair: tuple[LiveServer, LiveServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Session.create(pair[0], prime="a")
    steps, num_left, is_overtaking = SessionStepper.feed, 1, False

    async def overtaken(self: object, state: object, ids: object, **wanted: bool) -> object:
        """Another server feeds the session between this one's reading and writing it."""
        nonlocal num_left, is_overtaking
        if num_left and not is_overtaking:
            num_left, is_overtaking = num_left - 1, True
            await _off_loop(lambda: session.on(pair[1]).do("feed", text="b", **{"return": "none"}))
            is_overtaking = False
        return await steps(self, state, ids, **wanted)  # type: ignore[arg-type]

    monkeypatch.setattr(SessionStepper, "feed", overtaken)
    session.do("feed", text="c", **{"return": "none"})
    assert session.next() == Session.create(pair[0], prime="abc").next()
    num_left = 4  # as this server has it, and three times as the store has it
    assert "changed or deleted by another request" in _error(
        session.post("feed", text="c"), 409, "session_busy"
    )
    assert session.info()["position"] == 7


async def _off_loop(work: object) -> None:
    import asyncio

    await asyncio.to_thread(work)  # type: ignore[arg-type]


def test_calls_of_one_session_at_once_lose_nothing(server: LiveServer) -> None:
    from concurrent.futures import ThreadPoolExecutor

    session = Session.create(server)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: session.do("feed", text="ab", **{"return": "none"}), range(40)))
    assert sorted(answer["position"] for answer in answers) == list(range(2, 82, 2))
    assert session.next() == Session.create(server, prime="ab" * 40).next()


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (
            ["--session-store", "oracle://db"],
            "session_store is 'oracle://db'; it must be memory:, sqlite:///path or valkey://host",
        ),
        (["--session-store", "sqlite:///"], "it must be memory:, sqlite:///path"),
        (
            ["--session-store", "sqlite:////proc/none/sessions.db", "--state-key", "k" * 32],
            "cannot open the session store",
        ),
        (["--state-key", "short"], "state_key has 5 bytes; it must have at least 32"),
        (["--data-dir", "/proc/none"], "cannot write the state key in '/proc/none'"),
    ],
)
def test_settings_that_cannot_be_used_are_said_at_start(models: Path, flags: list[str], says: str) -> None:
    ports = [f"--{name}-port=0" for name in ("http", "grpc", "metrics")]
    result = CliRunner().invoke(main, ["serve", "--models", str(models), *ports, *flags])
    assert result.exit_code == 2
    assert says in result.stderr
    assert "Traceback" not in result.output
    assert gc.isenabled()  # off while it starts


@pytest.mark.usefixtures("pair")
def test_the_key_of_a_data_folder_is_its_owners(tmp_path: Path) -> None:
    key = tmp_path / "state.key"
    assert key.stat().st_mode & 0o777 == 0o600
    assert len(key.read_bytes()) == 32
    assert {path.name.partition("-")[0] for path in tmp_path.iterdir()} == {
        "state.key",
        "sessions.db",
        "sessions.reserve",
    }


def test_sessions_are_counted(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_maintenance, "_TIDY_SECONDS", 0.01)
    with live_server(models) as server:
        sessions = [Session.create(server) for _ in range(3)]
        sessions[0].do("fork")
        sessions[1].delete()
        sessions[1].post("next")
        until(lambda: server.metric("nextchar_sessions_active") == 3)
        assert server.metric("nextchar_sessions_created_total") == 4
        assert server.metric("nextchar_sessions_ended_total", cause="end") == 1
        assert server.metric("nextchar_session_lookups_total", result="missing") == 1
        assert server.metric("nextchar_session_lookups_total", result="hit") == 2
        assert server.metric("nextchar_session_conflicts_total") == 0
        assert server.metric("nextchar_session_state_bytes_count") == 4
        assert server.metric("nextchar_state_store_duration_seconds_count", op="create") == 4
        assert server.metric("nextchar_requests_total", route="session", outcome="success") == 5
        assert server.metric("nextchar_requests_total", route="session", outcome="invalid") == 1
