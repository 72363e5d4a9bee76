"""Adaptive sessions, every cell in int8 and float32: the same bits over each API, store, trip and cut."""

import math
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from support.live_server import LiveServer, live_server
from support.tiny_models import STEP_GRAPHS, TinyModel

from nextchar.client import Client
from nextchar.entrypoints.library.model import Model

_TEXT = "the quick brown fox, jumps over the lazy dog. " * 8
_LINES = ["GET the fox\n", "GET the dog\n", "", "PUT the fox\n", "GET the fox\n"]
_KNOBS = {"orders": [1, 3], "window": 1024, "learn_drawn": True}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cells")
    for cell, precision in STEP_GRAPHS:
        target = folder / f"{cell}-{precision}" / "1"
        target.mkdir(parents=True)
        content = TinyModel(cell, seed=3).step_bytes(precision)
        (target / f"step-{precision}.onnx").write_bytes(content)
    return folder


@pytest.fixture(scope="module")
def servers(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[LiveServer]]:
    """One with SQLite, one in memory, with the same key."""
    store = f"sqlite:///{tmp_path_factory.mktemp('store') / 'sessions.db'}"
    with (
        live_server(folder, session_store=store, state_key="k" * 32) as one,
        live_server(folder, state_key="k" * 32) as other,
    ):
        yield [one, other]


@pytest.fixture(scope="module")
def clients(servers: list[LiveServer]) -> Iterator[list[Client]]:
    with ExitStack() as stack:
        urls = [servers[0].url, f"grpc://{servers[0].grpc_address}", servers[1].url]
        yield [stack.enter_context(Client(url)) for url in urls]


def _told(session: Any) -> tuple[Any, ...]:
    """All that a session says, then what it draws and where it is after that."""
    scores = session.score(["the fox", "zzz", "the fox"], return_chars=True).data
    drawn = session.sample(max_tokens=30, logprobs=1, seed=3).choices[0]
    return (
        session.next().data,
        scores,
        drawn.text,
        drawn.logprobs.token_logprobs,
        drawn.logprobs.model_logprobs,
    )


@pytest.mark.parametrize(
    ("cell", "precision", "adaptive"),
    [*((*graph, True) for graph in STEP_GRAPHS), ("lstm", "int8", _KNOBS), ("gru", "float32", _KNOBS)],
    ids=lambda value: value if isinstance(value, str) else "usual" if value is True else "knobs",
)
def test_it_goes_on_bit_for_bit(
    folder: Path, clients: list[Client], cell: str, precision: str, adaptive: Any
) -> None:
    rest, grpc, other = clients
    name = f"{cell}-{precision}"
    fields: dict[str, Any] = {"model": name, "seed": 5, "adaptive": adaptive}
    whole = rest.session(prime=_TEXT, **fields)
    cut = grpc.session(prime=_TEXT[:100], **fields)
    for k in range(100, len(_TEXT), 90):
        cut.feed(_TEXT[k : k + 90])
    rewound = other.session(prime=_TEXT, **fields)
    rewound.checkpoint("here")
    rewound.rewind(100)
    rewound.feed(_TEXT[-100:])
    imported = rest.session(model=name)
    imported.import_state(rewound.export_state())
    fork, streamed = cut.fork(), cut.fork()
    rolled = other.session(prime=_TEXT, **fields)
    rolled.checkpoint("here")
    rolled.feed("and what was read after it")
    rolled.rollback("here")
    expected = _told(whole)
    with Model(folder / name) as local:
        for session in (cut, fork, rewound, imported, rolled, local.session(prime=_TEXT, **fields)):
            assert _told(session) == expected
    pieces = streamed.stream(max_tokens=30, logprobs=1, seed=3)
    assert "".join(piece.choices[0].text for piece in pieces if piece.choices) == expected[2]
    assert streamed.next().data == whole.next().data
    assert math.fsum(item.probability for item in expected[0]) == pytest.approx(1, abs=1e-6)
    assert whole.info().adaptive is not None
    assert whole.info().adaptive == fork.info().adaptive
    network = other.session(model=name, prime=_TEXT + expected[2]).next().data
    assert {item.char: item.model_logprob for item in expected[0]} == {
        item.char: item.logprob for item in network
    }
    assert {item.model_logprob for item in network} == {None}


@pytest.mark.parametrize("adaptive", [True, _KNOBS], ids=["usual", "knobs"])
def test_scores_in_order_are_what_a_session_says_of_each_string(
    folder: Path, clients: list[Client], adaptive: Any
) -> None:
    name = "gru-int8"
    session = clients[0].session(model=name, adaptive=adaptive)
    fed = [session.feed(line) for line in _LINES]
    expected = [answer.logprob for answer in fed]
    with Model(folder / name) as local:
        for client, model in [(client, name) for client in clients[:2]] + [(local, None)]:
            answer = client.score(_LINES, model=model, adaptive=adaptive, return_chars=True)
            assert [item.logprob for item in answer.data] == pytest.approx(expected, abs=1e-12)
            assert [item.model_logprob for item in answer.data] == pytest.approx(
                [one.model_logprob for one in fed], abs=1e-12
            )
            chars = [char for item in answer.data for char in item.chars or ()]
            assert sum(char.model_logprob or 0.0 for char in chars) == pytest.approx(
                sum(item.model_logprob or 0.0 for item in answer.data), abs=1e-9
            )
            assert all(item.p_value is None for item in answer.data)
            first = client.score(_LINES[:2], model=model, adaptive=adaptive, return_state=True)
            rest = client.score(_LINES[2:], model=model, adaptive=True, state=first.state)
            assert [item.logprob for item in rest.data] == [item.logprob for item in answer.data[2:]]
            after = client.score(_LINES[1:], model=model, adaptive=adaptive, context=_LINES[0])
            assert [item.logprob for item in after.data] == [item.logprob for item in answer.data[1:]]


def test_a_stream_of_strings_is_one_text(
    folder: Path, clients: list[Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over gRPC it is one stream, elsewhere calls one after the other that take the state along."""
    monkeypatch.setattr("nextchar.entrypoints.library.model.BATCH_STRINGS", 100)
    lines, context = _LINES * 60, "what was before "
    with Model(folder / "gru-int8") as local:
        expected = local.score(lines, context=context, adaptive=True).data
        for client, model in [(client, "gru-int8") for client in clients[:2]] + [(local, None)]:
            answers = list(client.score_batches(lines, model=model, context=context, adaptive=True))
            assert [item for answer in answers for item in answer.data] == list(expected)
            assert len(answers) > 1
            assert {answer.state for answer in answers} == {None}


def test_a_prompt_is_learned_before_it_is_continued(folder: Path, clients: list[Client]) -> None:
    name: str = "lstm-float32"
    learns_all: Any = {"learn_drawn": True}
    session = clients[0].session(model=name, prime=_TEXT, adaptive=True, seed=5)
    drawn = clients[0].session(model=name, prime=_TEXT, adaptive=True).sample(max_tokens=20, seed=3)
    expected = session.next().data, drawn.choices[0].text
    plain = clients[0].next(_TEXT, model=name)
    assert [item.model_logprob for item in plain.data] == [None] * len(plain.data)
    with Model(folder / name) as local:
        for client, model in [(client, name) for client in clients] + [(local, None)]:
            found = client.next(_TEXT, model=model, adaptive=True)
            whole = client.complete(_TEXT, model=model, max_tokens=20, seed=3, adaptive=True)
            pieces = list(client.stream(_TEXT, model=model, max_tokens=20, seed=3, adaptive=True))
            assert list(found.data) == expected[0]
            assert whole.choices[0].text == expected[1]
            assert "".join(piece.choices[0].text for piece in pieces if piece.choices) == expected[1]
            kept = client.complete(
                _TEXT, model=model, max_tokens=20, seed=3, adaptive=learns_all, return_state=True
            )
            goes_on = client.next("", model=model, state=kept.state)
            again = client.next(_TEXT + kept.choices[0].text, model=model, adaptive=learns_all)
            assert list(goes_on.data) == list(again.data)


def test_a_restart_changes_no_bit(folder: Path, tmp_path: Path) -> None:
    options = {"session_store": f"sqlite:///{tmp_path / 'sessions.db'}", "state_key": "k" * 32}
    fields: dict[str, Any] = {"model": "gru-float32", "seed": 5, "adaptive": _KNOBS}
    with live_server(folder, **options) as server, Client(server.url) as client:
        expected = _told(client.session(prime=_TEXT, **fields))
        client.session(prime=_TEXT, session_id="kept", keep=True, **fields)
    with live_server(folder, **options) as server, Client(server.url) as client:
        session = client.open_session("kept")
        assert _told(session) == expected
        info = session.info().adaptive
        assert info is not None
        assert info.model_dump() == _KNOBS
