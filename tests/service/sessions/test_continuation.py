"""However a session came to a place, it goes on from there in the same way, bit for bit."""

import random

import pytest
from support.live_server import LiveServer
from support.session_client import MODELS, Session

from nextchar.service.sessions.stepper import REWIND_CHARS

_TEXT = "the quick brown fox, jumps over a lazy dog. " * 30


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def _at(server: LiveServer, model: str, text: str) -> Session:
    return Session.create(server, model=model, prime=text)


def _same(one: Session, other: Session) -> None:
    """Both give the same distribution, and then the same text."""
    assert one.next() == other.next()
    assert one.sample(max_tokens=40) == other.sample(max_tokens=40)
    assert one.next() == other.next()


@pytest.mark.parametrize("length", [0, 1, REWIND_CHARS, 3 * REWIND_CHARS, 1000])
def test_fed_in_pieces_is_primed(server: LiveServer, model: str, length: int) -> None:
    draw, text = random.Random(length), _TEXT[:length]
    whole, pieces = _at(server, model, text), _at(server, model, "")
    total, at = 0.0, 0
    while at < length:
        size = draw.choice([1, 2, 7, 100, 400])
        total += pieces.do("feed", text=text[at : at + size], **{"return": "none"})["logprob"]
        at += size
    assert pieces.info()["position"] == length
    _same(whole, pieces)
    scored = server.post("/v1/score", {"model": model, "input": [text]}).json()["data"][0]["logprob"]
    assert total == pytest.approx(scored, abs=1e-9)


def test_a_session_says_what_the_stateless_calls_say(server: LiveServer, model: str) -> None:
    text, strings = _TEXT[:200], ["fox", "dog", ""]
    session = _at(server, model, text)
    body = {"model": model, "input": text}
    assert session.next() == server.post("/v1/next", body).json()["data"]
    scored = server.post("/v1/score", {"model": model, "input": strings, "context": text}).json()["data"]
    assert session.do("score", input=strings)["data"] == scored
    completed = server.post("/v1/completions", {"model": model, "prompt": text, "seed": 3, "max_tokens": 30})
    assert session.sample(seed=3, max_tokens=30) == completed.json()["choices"][0]["text"]


def test_scores_and_distributions_leave_it_where_it_is(server: LiveServer, model: str) -> None:
    session = _at(server, model, "the ")
    before = session.info()
    first = session.next()
    session.do("score", input=["quick", "slow"])
    assert session.next() == first
    after = session.info()
    assert after | {"expires_at": 0} == before | {"expires_at": 0}
    assert after["expires_at"] > before["expires_at"]  # it was used


def test_a_fork_goes_on_as_its_origin_and_apart_from_it(server: LiveServer, model: str) -> None:
    session = _at(server, model, "the quick ")
    session.sample(max_tokens=5)
    fork = session.on(server)
    fork.id = session.do("fork")["session_id"]
    session.do("feed", text="zzz")
    session.do("rewind", num_chars=3)
    _same(session, fork)


@pytest.mark.parametrize("num_chars", [1, 60, REWIND_CHARS])
@pytest.mark.parametrize("length", [REWIND_CHARS, 2 * REWIND_CHARS + 1, 900])
def test_what_is_taken_back_and_fed_again_was_never_taken_back(
    server: LiveServer, model: str, length: int, num_chars: int
) -> None:
    text = _TEXT[:length]
    plain, rewound = _at(server, model, text), _at(server, model, text)
    rewound.do("rewind", num_chars=num_chars)
    _same(rewound.on(server), _at(server, model, text[: length - num_chars]))
    rewound.do("rewind", num_chars=rewound.info()["position"] - (length - num_chars))
    rewound.do("feed", text=text[length - num_chars :])
    _same(plain, rewound)


def test_keystrokes_forward_and_back_lead_where_the_text_leads(server: LiveServer) -> None:
    draw, session, text = random.Random(0), _at(server, "tiny", ""), ""
    for _ in range(150):
        if text and draw.random() < 0.3:
            count = draw.randint(1, min(len(text), session.info()["max_rewind"], 9))
            session.do("rewind", num_chars=count)
            text = text[:-count]
        else:
            more = _TEXT[len(text) :][: draw.choice([1, 1, 1, 5, 50])]
            session.do("feed", text=more, **{"return": "none"})
            text += more
    assert session.info()["position"] == len(text)
    assert session.next() == _at(server, "tiny", text).next()


def test_back_to_a_checkpoint_is_back(server: LiveServer, model: str) -> None:
    session, plain = _at(server, model, "the quick "), _at(server, model, "the quick ")
    assert session.do("checkpoint", name="here")["checkpoints"] == ["here"]
    session.sample(max_tokens=50)
    session.do("feed", text=" brown")
    assert session.do("rollback", name="here")["position"] == 10
    _same(session, plain)
    assert session.do("rollback", name="here")["position"] == 10


def test_sampled_in_parts_is_sampled_at_once(server: LiveServer, model: str) -> None:
    whole, parts = (_at(server, model, "a ") for _ in range(2))
    text = whole.sample(max_tokens=60)
    found = "".join(parts.sample(max_tokens=size) for size in (1, 9, 20, 30))
    assert found.startswith(text)  # a line that has ended goes on in parts
    if model != "lines":
        assert found == text
        assert whole.next() == parts.next()


def test_streamed_is_given_whole(server: LiveServer, model: str) -> None:
    whole, streamed = (_at(server, model, "a ") for _ in range(2))
    events = streamed.stream(max_tokens=100)
    assert "".join(event["choices"][0]["text"] for event in events) == whole.sample(max_tokens=100)
    assert [event["position"] for event in events if "position" in event] == [whole.info()["position"]]
    assert whole.next() == streamed.next()


def test_a_stop_string_is_no_part_of_the_text_that_goes_on(server: LiveServer) -> None:
    free = _at(server, "tiny", "a ").sample(max_tokens=60)
    stop = free[20:22]
    session = _at(server, "tiny", "a ")
    text = session.sample(max_tokens=60, stop=stop)
    assert text == free[: free.index(stop)]
    assert session.info()["position"] == 2 + len(text)
    assert session.next() == _at(server, "tiny", "a " + text).next()
    assert session.sample(max_tokens=5) != ""  # it is not drawn again for ever


def test_exported_and_imported_goes_on(server: LiveServer, model: str) -> None:
    session = _at(server, model, _TEXT[:300])
    session.sample(max_tokens=20)
    sealed = session.state()
    other = _at(server, model, "something else")
    assert other.put_state(sealed).status_code == 200
    assert other.do("rewind", num_chars=5)["position"] == session.do("rewind", num_chars=5)["position"]
    _same(session, other)


def test_each_character_has_its_distribution(server: LiveServer) -> None:
    each, one = (_at(server, "tiny", "") for _ in range(2))
    found = each.do("feed", text="the fox", **{"return": "each"})
    for character, distribution in zip("the fox", found["data"], strict=True):
        single = one.do("feed", text=character)
        assert (single["data"], single["entropy_bits"]) == (
            distribution["data"],
            distribution["entropy_bits"],
        )
    assert found["position"] == 7
    assert each.next() == one.next()
