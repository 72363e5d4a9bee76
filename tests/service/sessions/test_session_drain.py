"""A server that drains answers every call of a live session, and begins no new one."""

from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from support.in_process import Sessions, owner_context
from support.oip_client import message

from nextchar.rpc.oip_messages import to_request
from nextchar.schemas.completion import CompletionRequest
from nextchar.schemas.sessions import (
    CheckpointRequest,
    CreateSessionRequest,
    FeedRequest,
    ForkRequest,
    ListSessionsRequest,
    RenewRequest,
    RewindRequest,
    SampleRequest,
    SessionNextRequest,
    SessionScoreRequest,
)

Work = Callable[[Sessions], Coroutine[Any, Any, object]]


def _infer(sessions: Sessions, *, starts: bool) -> Coroutine[Any, Any, object]:
    given = message("tiny", [b"a"], sequence_id=7, sequence_start=starts)
    request = to_request(given, lenient_fields=False)
    return sessions.made.service.tensor_inference.infer(request, owner_context())


def _complete(sessions: Sessions, **fields: Any) -> Coroutine[Any, Any, object]:
    request = CompletionRequest.model_validate({"model": "tiny", "max_tokens": 2} | fields)
    return sessions.made.service.completer.complete(request, owner_context())


LIVE: dict[str, Work] = {
    "get": lambda s: s.calls.get("one", owner_context()),
    "list": lambda s: s.calls.list(ListSessionsRequest.model_validate({}), owner_context()),
    "feed": lambda s: s.calls.text.feed("one", FeedRequest(text="ab"), owner_context()),
    "next": lambda s: s.calls.text.next("one", SessionNextRequest(), owner_context()),
    "score": lambda s: s.calls.text.score("one", SessionScoreRequest(input=["a"]), owner_context()),
    "sample": lambda s: s.calls.text.sample(
        "one", SampleRequest.model_validate({"max_tokens": 2}), owner_context()
    ),
    "complete": lambda s: _complete(s, session_id="one"),
    "checkpoint": lambda s: s.calls.checkpoint("one", CheckpointRequest(name="c"), owner_context()),
    "rollback": lambda s: s.calls.rollback("one", CheckpointRequest(name="kept"), owner_context()),
    "rewind": lambda s: s.calls.rewind("one", RewindRequest(num_chars=1), owner_context()),
    "renew": lambda s: s.calls.renew("one", RenewRequest(ttl_seconds=None), owner_context()),
    "export": lambda s: s.calls.export("one", owner_context()),
    "import": lambda s: s.calls.restore("one", s.store._records["ann", "one"].sealed, owner_context()),
    "sequence": lambda s: _infer(s, starts=False),
    "delete": lambda s: s.calls.delete("one", owner_context()),
}
NEW: dict[str, Work] = {
    "create": lambda s: s.calls.create(CreateSessionRequest(model="tiny"), owner_context()),
    "fork": lambda s: s.calls.fork("one", ForkRequest(session_id=None), owner_context()),
    "sequence": lambda s: _infer(s, starts=True),
    "complete": lambda s: _complete(s),
    "state": lambda s: _complete(s, return_state=True),
}


@pytest.fixture
def draining(sessions: Sessions) -> Sessions:
    sessions.create(prime="abc")
    sessions.made.run(LIVE["checkpoint"](sessions))
    sessions.made.run(sessions.calls.checkpoint("one", CheckpointRequest(name="kept"), owner_context()))
    sessions.made.run(_infer(sessions, starts=True))
    sessions.made.service.lifecycle.drain(0.0)
    return sessions


@pytest.mark.parametrize("name", LIVE)
def test_a_call_of_a_live_session_is_answered(draining: Sessions, name: str) -> None:
    draining.made.run(LIVE[name](draining))


@pytest.mark.parametrize("name", NEW)
def test_what_is_new_is_refused(draining: Sessions, name: str) -> None:
    assert draining.refused(NEW[name](draining))[0] == "draining"
