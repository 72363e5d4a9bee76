"""A text is read in the model's own form at every door: newlines and case, in one piece or in several."""

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from click.testing import CliRunner
from support.live_server import LiveServer, live_server
from support.oip_client import body, post
from support.session_client import Session
from support.tiny_models import BYTES, CHARACTERS, TEXT, TinyModel, write_models

from nextchar.entrypoints.main import main
from nextchar.model.vocabulary import Vocabulary
from nextchar.pb import nextchar_pb2 as pb
from nextchar.pb import nextchar_pb2_grpc

RETURNS = TinyModel(seed=4, vocabulary=Vocabulary(tuple("\r" + CHARACTERS)))
LOWER = TinyModel(seed=5, vocabulary=Vocabulary(tuple(CHARACTERS), case_folding="lower"))
_CHANGING = ("id", "created", "session_id", "expires_at")

Ask = Callable[[LiveServer, str, str], Any]


@pytest.fixture(scope="module")
def forms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    models = {"tiny": TEXT, "returns": RETURNS, "bytes": BYTES, "lower": LOWER}
    with live_server(write_models(tmp_path_factory.mktemp("forms"), models)) as running:
        yield running


def answer(server: LiveServer, path: str, model: str, **fields: Any) -> Any:
    found = server.post(path, {"model": model, **fields})
    assert found.is_success, found.text
    return {name: value for name, value in found.json().items() if name not in _CHANGING}


def _primed(server: LiveServer, model: str, text: str) -> Any:
    session = Session.create(server, model=model, prime=text)
    return session.info()["position"], session.next(), session.do("score", input=["a"])["data"]


def _fed(server: LiveServer, model: str, text: str) -> Any:
    session = Session.create(server, model=model)
    fed = session.do("feed", text=text, top=3, **{"return": "each"})
    completed = answer(server, "/v1/completions", model, prompt=text, session_id=session.id, seed=1)
    return {name: value for name, value in fed.items() if name not in _CHANGING}, completed["choices"]


def _infer(server: LiveServer, model: str, text: str) -> Any:
    return post(server, model, body([text])).json()["outputs"]


def _scored_over_grpc(server: LiveServer, model: str, text: str) -> Any:
    with grpc.insecure_channel(server.grpc_address) as channel:
        stub = nextchar_pb2_grpc.NextcharStub(channel)
        first = pb.ScoreRequest(model=model, input=[text], context=text, return_chars=True)
        one, other = stub.ScoreStream(iter([first, pb.ScoreRequest(input=[text])]))
    return [(message.data[0].logprob, list(message.data[0].chars)) for message in (one, other)]


def _on_the_command_line(server: LiveServer, model: str, text: str) -> str:
    shown = CliRunner().invoke(main, ["next", model, text, "--url", server.url], prog_name="nextchar")
    assert shown.exit_code == 0, shown.output
    return shown.stdout


DOORS: dict[str, Ask] = {
    "score": lambda s, m, t: answer(s, "/v1/score", m, input=[t, "a"], context=t, return_chars=True),
    "compare": lambda s, m, t: answer(s, "/v1/compare", m, input=[t, "a"]),
    "next": lambda s, m, t: answer(s, "/v1/next", m, input=t),
    "inspect": lambda s, m, t: answer(s, "/v1/inspect", m, input=t, layers=[0]),
    "tokenize": lambda s, m, t: answer(s, "/tokenize", m, prompt=t),
    "complete": lambda s, m, t: answer(
        s, "/v1/completions", m, prompt=[t, "a"], echo=True, logprobs=1, seed=1, return_token_ids=True
    ),
    "stop": lambda s, m, t: answer(
        s, "/v1/completions", m, prompt="b", stop=[t[-3:], "x"], seed=2, max_tokens=99
    ),
    "logit_bias": lambda s, m, t: answer(s, "/v1/completions", m, logit_bias={t[1]: 9}, seed=3),
    "allowed_chars": lambda s, m, t: answer(s, "/v1/completions", m, allowed_chars=t, seed=4),
    "prime": _primed,
    "feed": _fed,
    "infer": _infer,
    "generate": lambda s, m, t: s.post(
        f"/v2/models/{m}/generate", {"text_input": t, "parameters": {"seed": 1}}
    ).json(),
    "grpc": _scored_over_grpc,
    "command line": _on_the_command_line,
}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("newline", ["\r\n", "\r"])
def test_every_door_reads_the_newlines_of_windows_as_those_of_training(
    forms: LiveServer, door: str, newline: str
) -> None:
    text = "a\nb\n\nab\n"
    found, expected = (DOORS[door](forms, "tiny", t) for t in (text.replace("\n", newline), text))
    assert found == expected


@pytest.mark.parametrize("door", DOORS)
def test_every_door_folds_case_where_the_card_says_so(forms: LiveServer, door: str) -> None:
    lower, mixed = (DOORS[door](forms, "lower", text) for text in ("google", "GoOgLe"))
    assert mixed == lower


@pytest.mark.parametrize("door", ["score", "compare", "next", "inspect", "tokenize", "complete"])
def test_every_answer_of_our_own_api_tells_the_folding_where_there_is_one(
    forms: LiveServer, door: str
) -> None:
    assert DOORS[door](forms, "lower", "GoOgLe")["case_folding"] == "lower"
    assert "case_folding" not in DOORS[door](forms, "tiny", "google")


def test_sessions_tokenizers_and_cards_tell_the_folding(forms: LiveServer) -> None:
    for model, told in (("lower", "lower"), ("tiny", None)):
        session = Session.create(forms, model=model, prime="A")
        answers = [
            session.do("feed", text="A"),
            session.do("next"),
            session.do("score", input=["A"]),
            session.do("sample", max_tokens=1),
            *session.stream(max_tokens=1),
        ]
        assert [found.get("case_folding") for found in answers] == [told] * len(answers)
        info = forms.get("/tokenizer_info", params={"model": model}).json()
        card = forms.get(f"/v1/models/{model}").json()["card"]["vocabulary"]
        assert info["case_folding"] == card["case_folding"] == (told or "none")
        facts = forms.get(f"/v2/models/{model}/config").json()["parameters"]
        assert facts.get("case_folding") == (told and {"string_value": told})
    with grpc.insecure_channel(forms.grpc_address) as channel:
        stub = nextchar_pb2_grpc.NextcharStub(channel)
        assert stub.Next(pb.NextRequest(model="lower", input="A")).case_folding == "lower"
        assert not stub.Next(pb.NextRequest(model="tiny", input="A")).HasField("case_folding")


@pytest.mark.parametrize("model", ["returns", "bytes"])
def test_a_model_that_knows_carriage_returns_reads_them(forms: LiveServer, model: str) -> None:
    found = answer(forms, "/v1/score", model, input=["a\r\nb"], return_chars=True)["data"][0]
    assert [row["char"] for row in found["chars"]] == ["a", "\r", "\n", "b"]
    whole, apart = Session.create(forms, model=model, prime="a\r\nb"), Session.create(forms, model=model)
    for piece in ("a\r", "\nb"):
        apart.do("feed", text=piece)
    assert apart.next() == whole.next()
    assert apart.info()["position"] == 4


def test_case_is_left_where_the_card_says_nothing(forms: LiveServer) -> None:
    assert answer(forms, "/v1/score", "tiny", input=["AB"])["data"][0]["num_unknown"] == 2


def by_feeds(server: LiveServer, model: str, first: str, second: str) -> Any:
    session = Session.create(server, model=model, prime=first)
    session.do("feed", text="")
    session.do("feed", text=second)
    return session.info()["position"], session.next()


def by_a_checkpoint(server: LiveServer, model: str, first: str, second: str) -> Any:
    session = Session.create(server, model=model, prime=first)
    session.do("checkpoint", name="here")
    session.do("feed", text="b")
    session.do("rollback", name="here")
    session.put_state(session.state())
    session.do("feed", text=second)
    return session.info()["position"], session.next()


def by_a_fork_of_what_was_taken_back(server: LiveServer, model: str, first: str, second: str) -> Any:
    session = Session.create(server, model=model, prime=first)
    session.do("rewind", num_chars=0)
    session.do("sample", max_tokens=0)
    forked = Session(server.url, session.do("fork")["session_id"])
    forked.do("feed", text=second)
    return forked.info()["position"], forked.next()


def by_completions(server: LiveServer, model: str, first: str, second: str) -> Any:
    session = Session.create(server, model=model)
    for text in (first, second):
        answer(server, "/v1/completions", model, prompt=text, session_id=session.id, max_tokens=0)
    return session.info()["position"], session.next()


def by_states(server: LiveServer, model: str, first: str, second: str) -> Any:
    state = answer(server, "/v1/next", model, input=first, return_state=True)["state"]
    fields = {"max_tokens": 0, "state": state, "return_state": True}
    state = answer(server, "/v1/completions", model, prompt=second, **fields)["state"]
    session = Session.create(server, model=model)
    assert session.put_state(base64.b64decode(state)).is_success
    return session.info()["position"], session.next()


def by_grpc(server: LiveServer, model: str, first: str, second: str) -> Any:
    with grpc.insecure_channel(server.grpc_address) as channel:
        stub = nextchar_pb2_grpc.SessionsStub(channel)
        calls = [
            pb.SessionCall(create=pb.CreateSessionRequest(model=model, prime=first)),
            pb.SessionCall(feed=pb.FeedRequest(text=second)),
        ]
        created, _ = stub.Converse(iter(calls))
    session = Session(server.url, created.info.session_id)
    return session.info()["position"], session.next()


PIECES = [by_feeds, by_a_checkpoint, by_a_fork_of_what_was_taken_back, by_completions, by_states, by_grpc]


@pytest.mark.parametrize("read", PIECES, ids=lambda read: read.__name__)
@pytest.mark.parametrize(
    ("first", "second"), [("A\r", "\nb"), ("a\r\n", "\nb"), ("\r", "\n"), ("a\r", "\r\nb")]
)
def test_a_text_in_two_pieces_is_read_as_the_whole(
    forms: LiveServer, read: Callable[..., Any], first: str, second: str
) -> None:
    whole = Session.create(forms, model="lower", prime=first + second)
    assert read(forms, "lower", first, second) == (whole.info()["position"], whole.next())


def test_strings_go_on_from_their_context_and_from_a_session_or_state(forms: LiveServer) -> None:
    expected = answer(forms, "/v1/score", "tiny", context="a\n", input=["b", "\nb"])["data"]
    found = answer(forms, "/v1/score", "tiny", context="a\r", input=["\nb", "\n\nb"])
    assert found["data"] == expected
    chars = answer(forms, "/v1/score", "tiny", context="a\r", input=["\nb", ""], return_chars=True)["data"]
    assert [row["char"] for row in chars[0]["chars"]] == ["b"]
    session = Session.create(forms, prime="a\r")
    assert session.do("score", input=["\nb", "\n\nb"])["data"] == expected
    state = answer(forms, "/v1/next", "tiny", input="a\r", return_state=True)["state"]
    assert answer(forms, "/v1/score", "tiny", state=state, input=["\nb", "\n\nb"])["data"] == expected
    after = answer(forms, "/v1/score", "tiny", state=state, context="\n", input=["b", "\nb"])["data"]
    assert after == expected
    fields = {"context": "a\r", "input": ["b"], "return_state": True}
    state = answer(forms, "/v1/score", "tiny", **fields)["state"]
    assert answer(forms, "/v1/score", "tiny", state=state, input=["\nb", "\n\nb"])["data"] == expected


def test_a_line_feed_after_a_drawn_character_is_its_own(forms: LiveServer) -> None:
    drawn, plain = (Session.create(forms, prime=prime, seed=1) for prime in ("a\r", "a\n"))
    for session in (drawn, plain):
        session.do("sample", max_tokens=1)
        session.do("feed", text="\nb")
    assert drawn.info()["position"] == plain.info()["position"] == 5
    assert drawn.next() == plain.next()


def test_a_line_feed_after_what_was_taken_back_is_its_own(forms: LiveServer) -> None:
    session = Session.create(forms, prime="ab\r")
    session.do("rewind", num_chars=1)
    session.do("feed", text="\n")
    assert session.info()["position"] == 3


def test_a_sequence_reads_its_steps_as_one_text(forms: LiveServer) -> None:
    def step(sequence: int, text: str, **parameters: Any) -> Any:
        found = post(forms, "tiny", body([text], sequence_id=sequence, **parameters))
        assert found.is_success, found.text
        return {output["name"]: output["data"] for output in found.json()["outputs"]}

    step(1, "a\r", sequence_start=True)
    step(2, "a\n", sequence_start=True)
    assert step(1, "\nb", sequence_end=True) == step(2, "b", sequence_end=True)


def test_a_strict_server_names_the_character_that_the_model_would_read(models: Path) -> None:
    with live_server(models, strict_characters=True) as strict:
        found = strict.post("/v1/score", {"model": "tiny", "context": "a\r", "input": ["\n\N{SNOWMAN}"]})
    assert (found.status_code, found.json()["error"]["param"]) == (422, "input.0")
    assert "U+2603" in found.json()["error"]["message"]


def test_a_byte_order_mark_in_a_request_is_a_character_of_the_text(forms: LiveServer) -> None:
    marked = answer(forms, "/v1/score", "tiny", input=["\ufeffab"])["data"][0]
    assert (marked["num_chars"], marked["num_unknown"]) == (3, 1)


def test_the_offline_command_line_reads_as_the_server_does(
    forms: LiveServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = write_models(tmp_path_factory.mktemp("offline"), {"lower": LOWER})
    arguments = ["score", str(folder / "lower"), "GoO\r\ngLe", "--json"]
    shown = CliRunner().invoke(main, arguments, prog_name="nextchar")
    expected = answer(forms, "/v1/score", "lower", input=["goo\ngle"])
    assert json.loads(shown.stdout) == expected
