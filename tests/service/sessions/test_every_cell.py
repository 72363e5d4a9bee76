"""Every cell, in int8 and in float32: however a session came to a place, on whichever server it goes on.

It holds for sessions that learn their text as for those that do not, and over each store that servers share.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.live_server import LiveServer, live_server
from support.session_client import Session
from support.tiny_models import STEP_GRAPHS, write_every_cell
from support.valkey_server import ValkeyServer

_TEXT = "the quick brown fox, jumps over a lazy dog. " * 4


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_every_cell(tmp_path_factory.mktemp("cells"), seed=3)


@pytest.fixture(scope="module", params=["valkey", "sqlite"])
def servers(
    folder: Path,
    valkey: ValkeyServer,
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[list[LiveServer]]:
    """Two over one store, and one alone."""
    valkey.flush()
    file = tmp_path_factory.mktemp("store") / "sessions.db"
    store = {"valkey": valkey.url, "sqlite": f"sqlite:///{file}"}[request.param]
    shared = {"session_store": store, "state_key": "k" * 32}
    with (
        live_server(folder, **shared) as one,
        live_server(folder, **shared) as other,
        live_server(folder) as alone,
    ):
        yield [one, other, alone]


@pytest.mark.parametrize(("cell", "precision"), STEP_GRAPHS)
def test_it_goes_on_bit_for_bit(servers: list[LiveServer], cell: str, precision: str) -> None:
    _check(servers, cell, precision, None)


@pytest.mark.parametrize(("cell", "precision"), [("lstm", "int8"), ("gru", "int8"), ("rnn_tanh", "float32")])
def test_what_learns_its_text_goes_on_bit_for_bit(
    servers: list[LiveServer], cell: str, precision: str
) -> None:
    """Of the cells; test_adaptive_trips.py has all of them, over one store."""
    _check(servers, cell, precision, True)


def _check(servers: list[LiveServer], cell: str, precision: str, adaptive: bool | None) -> None:
    one, other, alone = servers
    model = f"{cell}-{precision}"
    whole = Session.create(alone, model=model, prime=_TEXT, adaptive=adaptive)
    moved = Session.create(one, model=model, prime=_TEXT[:50], adaptive=adaptive)
    moved.on(other).do("feed", text=_TEXT[50:])
    fork, imported = moved.on(other), Session.create(other, model=model)
    fork.id = moved.do("fork")["session_id"]
    assert imported.put_state(moved.state()).status_code == 200
    rewound = Session.create(one, model=model, prime=_TEXT, adaptive=adaptive)
    rewound.do("rewind", num_chars=100)
    rewound.on(other).do("feed", text=_TEXT[-100:])
    expected = whole.next(), whole.sample(max_tokens=50, logprobs=2), whole.next()
    for session in (moved, fork, imported, rewound):
        half = session.next(), session.sample(max_tokens=20)
        session = session.on(other if session.url == one.url else one)
        assert half[0] == expected[0]
        assert half[1] + session.sample(max_tokens=30) == expected[1]
        assert session.next() == expected[2]
