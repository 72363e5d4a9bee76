"""What is refused, and what fails midway, is raised by the openai SDK as its users expect: by class."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.live_server import live_server
from support.midway import fails, midway
from support.tiny_models import REFUSING, TEXT, write_models
from support.tools import tool_python

from nextchar.security.api_keys import make_key
from nextchar.security.principal import Scope

_SCRIPT = Path(__file__).with_name("openai_errors.py")
_SECONDS = 120
LONG = {"max_tokens": 16_384, "seed": 1}

Case = dict[str, Any]


def raised(cases: dict[str, Case]) -> dict[str, Any]:
    command = [tool_python("openai"), _SCRIPT]
    done = subprocess.run(
        command, input=json.dumps(cases), capture_output=True, text=True, timeout=_SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _keyed(folder: Path) -> tuple[Path, str]:
    """A file of keys, and one whose scope is sessions only."""
    key, record = make_key("team", [Scope.SESSIONS])
    path = folder / "keys.jsonl"
    path.write_text(record.line)
    return path, key


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_models(tmp_path_factory.mktemp("models"), {"tiny": TEXT, "refusing": REFUSING})


@pytest.fixture(scope="module")
def found(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What was raised, by name, of one run of the SDK."""
    keys, sessions_key = _keyed(tmp_path_factory.mktemp("keys"))
    with ExitStack() as servers:

        def url(**settings: Any) -> str:
            return servers.enter_context(live_server(models, **settings)).url

        plain, guarded = url(), url(api_keys_file=keys, state_key="k" * 32)
        narrow = url(max_lanes=1, reserved_lanes=0, max_waiting=1)
        httpx.post(f"{plain}/v1/sessions", json={"model": "tiny", "session_id": "mine"})
        moved = {"session_id": "mine", "if_revision": 9}
        yield raised(
            {
                "wrong value": {"url": plain, "fields": {"temperature": 3}},
                "wrong key": {"url": guarded, "fields": {}},
                "wrong scope": {"url": guarded, "key": sessions_key, "fields": {}},
                "no such model": {"url": plain, "fields": {"model": "none"}},
                "no such model, streamed": {"url": plain, "fields": {"model": "none", "stream": True}},
                "session moved": {"url": plain, "fields": {"extra_body": moved}},
                "unknown character": {"url": plain, "fields": {"model": "refusing", "prompt": "\N{SNOWMAN}"}},
                "line full": {"url": narrow, "fields": {"prompt": ["a", "b", "c"]}},
                "out of time": {"url": url(request_timeout_seconds=0.001), "fields": LONG},
                "client out of time": {"url": plain, "timeout": 0.001, "fields": LONG},
                "nobody there": {"url": "http://127.0.0.1:1", "fields": {}},
            }
        )


@pytest.mark.parametrize(
    ("name", "kind", "status", "code"),
    [
        ("wrong value", "BadRequestError", 400, "invalid_value"),
        ("wrong key", "AuthenticationError", 401, "invalid_api_key"),
        ("wrong scope", "PermissionDeniedError", 403, "permission_denied"),
        ("no such model", "NotFoundError", 404, "model_not_found"),
        ("no such model, streamed", "NotFoundError", 404, "model_not_found"),
        ("session moved", "ConflictError", 409, "session_moved"),
        ("unknown character", "UnprocessableEntityError", 422, "unknown_character"),
        ("line full", "RateLimitError", 429, "queue_full"),
        ("out of time", "InternalServerError", 504, "deadline_exceeded"),
        ("client out of time", "APITimeoutError", None, None),
        ("nobody there", "APIConnectionError", None, None),
    ],
)
def test_each_refusal_is_an_exception_of_its_class(
    found: dict[str, Any], name: str, kind: str, status: int | None, code: str | None
) -> None:
    error = found[name]
    assert (error["kind"], error["status"], error["code"]) == (kind, status, code)
    assert (error["retry_after"] is not None) == (status == 429)


def test_a_stream_that_fails_midway_raises_after_what_came(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with live_server(models) as server:
        midway(monkeypatch, server, fails)
        fields = {**LONG, "stream": True}
        error = raised({"midway": {"url": server.url, "fields": fields}})["midway"]
        assert (error["kind"], error["code"], error["type"]) == ("APIError", "server_error", "server_error")
        assert error["came"] > 1
        assert "secret" not in error["message"]
        after = raised({"after": {"url": server.url, "fields": LONG}})["after"]
    assert (after["kind"], after["status"], after["code"]) == ("InternalServerError", 503, "model_not_ready")
    assert int(after["retry_after"]) >= 1
