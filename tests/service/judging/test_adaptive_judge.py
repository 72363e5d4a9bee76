"""A judge that learns: strings are one text, over every protocol, in one request or in many."""

import base64
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from service.judging.served_judges import BAD, write_judge
from support.live_server import LiveServer, live_server
from support.rpc_answers import details
from support.tiny_models import LINES, TEXT

from nextchar import load_judge
from nextchar.client import Client
from nextchar.entrypoints.library.judge import LoadedJudge
from nextchar.errors import InvalidRequest, StateInvalid, StateModelMismatch
from nextchar.model.judging.judge import Judge
from nextchar.model.judging.ordered import nothing_read, verdicts_in_order
from nextchar.pb import nextchar_pb2 as pb
from nextchar.schemas.judging import Verdict

RATE = 0.05
_WORDS = ["alpha", "bacchic", "camel", "dilemma", "fig", "gala"]
STRINGS = [f"{_WORDS[k * k % 6]} {_WORDS[k % 5]}" for k in range(60)] + [*BAD, "", "zq\N{SNOWMAN}zq.zq"]
RUNNING = ["the fox\r", "\nthe dog\n", "", "the fox\n", *[f"{word}\n" for word in _WORDS * 8], "zqx.zqx\n"]
ODD = "zq.xvé,zq"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Judges of lines, in two versions, of running text, and of lines by another name."""
    path = tmp_path_factory.mktemp("learning")
    write_judge(path)
    write_judge(path, name="running", model=TEXT, model_name="tiny", knows_bad=False)
    write_judge(path, name="others", knows_bad=False)
    return path


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[LiveServer]:
    with live_server(folder / "models", state_key="k" * 32) as running:
        yield running


@pytest.fixture(scope="module")
def clients(server: LiveServer) -> Iterator[list[Client]]:
    with ExitStack() as stack:
        yield [stack.enter_context(Client(url)) for url in (server.url, f"grpc://{server.grpc_address}")]


@pytest.fixture(scope="module")
def local(folder: Path) -> Iterator[Callable[[str], LoadedJudge]]:
    with ExitStack() as stack:
        yield lambda name: stack.enter_context(load_judge(folder / "judges" / name, num_threads=1))


def of(data: list[Verdict]) -> list[dict[str, Any]]:
    return [verdict.model_dump(exclude={"index"}) for verdict in data]


@pytest.mark.parametrize(
    ("name", "model", "strings"), [("words", "lines", STRINGS), ("running", "tiny", RUNNING)]
)
def test_the_scores_of_a_text_that_is_learned_are_ranked(
    folder: Path, clients: list[Client], name: str, model: str, strings: list[str]
) -> None:
    judge = Judge.load(folder / "judges" / name / "1")
    has_end = model == "lines"
    learned = clients[0].score(strings, model=model, adaptive=True, include_end=has_end, return_chars=True)
    chars = [list(item.chars or ()) for item in learned.data]
    texts = ["".join(one.char or "" for one in each) for each in chars]
    logprobs = [np.array([one.logprob for one in each]) for each in chars]
    ids = judge.vocabulary.encode_all(texts)
    found, _ = verdicts_in_order(judge, texts, ids, logprobs, nothing_read(), false_alarm_rate=RATE)
    answer = clients[0].judge(strings, judge=name, adaptive=True, false_alarm_rate=RATE, return_reasons=True)
    assert [v.index for v in answer.data] == list(range(len(strings)))
    assert [v.score for v in answer.data] == pytest.approx(found.score.tolist(), rel=1e-9)
    assert [v.p_value for v in answer.data] == found.p_value.tolist()
    assert [v.is_flagged for v in answer.data] == found.is_flagged.tolist()
    assert [(v.low, v.high) for v in answer.data] == list(
        zip(found.low.tolist(), found.high.tolist(), strict=True)
    )
    assert answer.warning == found.asked.warning
    assert (answer.false_alarm_low, answer.false_alarm_high) == (found.asked.low, found.asked.high)
    assert answer.usage.prompt_tokens == learned.usage.prompt_tokens
    assert answer.state is None


@pytest.mark.parametrize(("name", "strings"), [("words", STRINGS * 5), ("running", RUNNING * 5)])
def test_one_request_several_a_stream_and_the_library_say_the_same(
    clients: list[Client],
    local: Callable[[str], LoadedJudge],
    name: str,
    strings: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("nextchar.entrypoints.library.model.BATCH_STRINGS", 100)
    fields: dict[str, Any] = {"judge": name, "adaptive": {"orders": [1, 3]}, "false_alarm_rate": RATE}
    wanted = clients[0].judge(strings, **fields)
    assert any(verdict.is_flagged for verdict in wanted.data)
    loaded = local(name)
    with_own = {**fields, "judge": None}
    assert of(clients[1].judge(strings, **fields).data) == of(wanted.data)
    for client, given in [(clients[0], fields), (clients[1], fields), (loaded, with_own)]:
        answers = list(client.judge_batches(iter(strings), **given))
        assert len(answers) > 1
        assert of([v for answer in answers for v in answer.data]) == of(wanted.data)
        assert [v.index for answer in answers for v in answer.data] == list(range(len(strings)))
        assert {answer.state for answer in answers} == {None}
        assert answers[-1].false_alarm_high == wanted.false_alarm_high
        first = client.judge(strings[:30], return_state=True, **given)
        rest = client.judge(strings[30:60], state=first.state, **{**given, "adaptive": True})
        assert of([*first.data, *rest.data]) == of(wanted.data[:60])


def test_an_odd_string_is_flagged_the_first_time_and_surprises_less_each_time(clients: list[Client]) -> None:
    usual = [_WORDS[k % 6] for k in range(120)]
    strings = [*usual, *[s for word in usual[:12] for s in (ODD, word)]]
    data = clients[0].judge(strings, judge="words", adaptive=True, false_alarm_rate=RATE).data
    odd = data[120::2]
    assert odd[0].is_flagged
    assert not any(verdict.is_flagged for verdict in odd[6:])
    assert odd[0].score > odd[3].score >= odd[-1].score
    assert odd[0].p_value < odd[-1].p_value


def test_strings_that_are_not_learned_are_judged_as_before(server: LiveServer) -> None:
    fields: dict[str, Any] = {"judge": "words", "input": [*_WORDS, ODD, *_WORDS]}
    plain, off = server.post("/v1/judge", fields), server.post("/v1/judge", {**fields, "adaptive": False})
    assert plain.json() == off.json()
    assert "state" not in plain.json()
    data = plain.json()["data"]
    for one, other in zip(data[:6], data[7:], strict=True):
        assert {**one, "index": 0} == pytest.approx({**other, "index": 0})


def test_a_judge_that_learns_takes_any_rate_and_says_what_it_cannot_flag(server: LiveServer) -> None:
    body = {"judge": "words", "input": ["a", "b"], "adaptive": True}
    answer = server.post("/v1/judge", {**body, "false_alarm_rate": 1e-6})
    assert answer.status_code == 200
    assert "its finest rate is 0.00098" in answer.json()["warning"]
    default = server.post("/v1/judge", body).json()
    assert default["false_alarm_rate"] == 0.05
    assert "before 37 strings were read; before these, 0 were" in default["warning"]
    refused = server.post("/v1/judge", {**body, "false_alarm_rate": 1.0})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "false_alarm_rate")


def test_a_state_goes_on_with_its_own_judge_alone(
    folder: Path, clients: list[Client], server: LiveServer
) -> None:
    state = clients[0].judge(["a"], judge="words", adaptive=True, return_state=True).state
    assert state is not None
    for client in clients:
        with pytest.raises(StateModelMismatch, match="made for another judge, or another version of it"):
            client.judge(["a"], judge="others", adaptive=True, state=state)
        plain = client.score(["a"], model="lines", adaptive=True, return_state=True).state
        assert plain is not None
        with pytest.raises(StateInvalid, match="not a state of a judge"):
            client.judge(["a"], judge="words", adaptive=True, state=plain)
        with pytest.raises(StateInvalid, match="not a state of nextchar"):
            client.score(["a"], model="lines", adaptive=True, state=state)
        for bad in (state[:20], state[:-1], state[:-9] + bytes([state[-9] ^ 1]) + state[-8:]):
            with pytest.raises(StateInvalid):
                client.judge(["a"], judge="words", adaptive=True, state=bad)
        with pytest.raises(InvalidRequest, match="adaptive has other values than state was made with"):
            client.judge(["a"], judge="words", adaptive={"orders": [1]}, state=state)
    write_judge(folder, version=2, knows_bad=False)
    assert server.post("/v1/reload_judges", {}).status_code == 200
    assert clients[0].judge(["a"], judge="words", adaptive=True).judge_version == "2"
    goes_on = clients[0].judge(["a"], judge="words", adaptive=True, state=state)
    assert goes_on.judge_version == "1"
    with pytest.raises(StateModelMismatch):
        clients[0].judge(["a"], judge="words:2", adaptive=True, state=state)


@pytest.mark.parametrize("fields", [{"state": base64.b64encode(b"x").decode()}, {"return_state": True}])
def test_only_a_text_that_is_learned_has_a_state(server: LiveServer, fields: dict[str, Any]) -> None:
    body = {"judge": "others", "input": ["a"], **fields}
    answer = server.post("/v1/judge", body)
    error = answer.json()["error"]
    (name,) = fields
    assert (answer.status_code, error["param"]) == (400, name)
    assert "set adaptive too" in error["message"]
    message = pb.JudgeRequest(**{**body, name: True if name == "return_state" else b"x"})
    with server.stub() as stub, pytest.raises(grpc.RpcError) as caught:
        stub.Judge(message)
    assert details(caught.value)[1] == name


def test_the_state_stays_small(clients: list[Client]) -> None:
    fields: dict[str, Any] = {"judge": "running", "adaptive": {"window": 1024}, "return_state": True}
    first = clients[0].judge(["abc\n"] * 1000, **fields).state
    assert first is not None
    state, sizes = first, list[int]()
    for _ in range(3):
        after = clients[0].judge(["abc\n"] * 1000, state=state, **fields).state
        assert after is not None
        state = after
        sizes.append(len(state))
    assert abs(sizes[2] - sizes[1]) < 64
    assert max(sizes) - len(first) <= 8 * 1024


def test_their_verdicts_and_p_values_are_counted_and_what_was_learned(server: LiveServer) -> None:
    def counted() -> list[float]:
        labels = {"judge": "others", "version": "1"}
        return [
            sum(server.metric("nextchar_verdicts_total", verdict=v, **labels) for v in ("flagged", "normal")),
            server.metric("nextchar_verdict_p_value_count", **labels),
            server.metric("nextchar_adaptive_chars_total", model="lines"),
        ]

    before = counted()
    server.post("/v1/judge", {"judge": "others", "input": ["abc", "de"], "adaptive": True})
    assert np.subtract(counted(), before).tolist() == [2, 2, 7]  # with two ends


def test_limits_are_those_of_a_text_that_is_learned(tmp_path: Path) -> None:
    write_judge(tmp_path, model=LINES)
    limits = {
        "max_strings": 8,
        "max_input_chars": 10,
        "max_answer_bytes": 65_536,
        "max_adaptive_window": 2048,
    }
    with live_server(tmp_path / "models", **limits) as running:
        body = {"judge": "words", "input": ["a"], "adaptive": True}
        for fields, status, code, param in [
            ({"input": ["a"] * 9}, 400, "too_many_items", "input"),
            ({"input": ["a", "a" * 11]}, 413, "input_too_large", "input.1"),
            ({"adaptive": {"window": 4096}}, 400, "invalid_value", "adaptive.window"),
            ({"adaptive": {"order": [2]}}, 400, "unknown_field", "adaptive.order"),
            ({"adaptive": 1}, 400, "invalid_value", "adaptive"),
            ({"input": ["a"] * 8, "return_reasons": True}, 413, "answer_too_large", "return_reasons"),
        ]:
            answer = running.post("/v1/judge", {**body, **fields})
            error = answer.json()["error"]
            assert (answer.status_code, error["code"], error["param"]) == (status, code, param)
        assert running.post("/v1/judge", body).status_code == 200
