"""Sequences of two models never meet, whatever their names and ids are."""

from collections.abc import Iterator
from itertools import product
from typing import Any

import grpc
import pytest
from support.live_server import LiveServer, live_server
from support.oip_client import body, message, post, stub
from support.rpc_answers import details
from support.tiny_models import LINES, TEXT, write_models

from nextchar.errors import InvalidRequest
from nextchar.service.oip.parameters import InferParameters
from nextchar.service.oip.schemas import make_infer_request
from nextchar.service.oip.sequences import _session_id

_NAMES = ["names", "names.eu", "names.eu.7", "8", "8.names.eu", "a-8", "names.", "n", "names..eu", "sequence"]
_IDS = ["7", "eu.7", ".7", "names.eu.7", "8.names.eu.7", ".eu.7", "eu", ".", "7.7"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = write_models(tmp_path_factory.mktemp("models"), {"names": TEXT, "names.eu": LINES})
    with live_server(folder) as running:
        yield running


def _id_of(name: str, sequence_id: str) -> str:
    return _session_id(make_infer_request(name, "", [], (), InferParameters(sequence_id=sequence_id)))


def test_no_two_sequences_have_one_session() -> None:
    pairs = list(product(_NAMES, _IDS))
    assert len({_id_of(*pair) for pair in pairs}) == len(pairs)
    assert _id_of("names", "eu.7") == "sequence.names.eu.7"  # as it was, for names without dots


def test_the_longest_id_is_told() -> None:
    assert len(_id_of("a.b", "7" * 113)) == 128
    with pytest.raises(InvalidRequest, match="up to 116 together"):
        _id_of("a.b", "7" * 114)


def _score(server: LiveServer, model: str, text: str, **parameters: Any) -> float:
    found = post(server, model, body([text], ("score",), **parameters))
    assert found.status_code == 200, found.text
    value: float = found.json()["outputs"][0]["data"][0]
    return value


@pytest.mark.parametrize("way", ["rest", "grpc"])
def test_models_with_dots_keep_their_sequences(server: LiveServer, way: str) -> None:
    def step(model: str, sequence_id: str, text: str, *, start: bool) -> float:
        named = {"sequence_id": sequence_id, "sequence_start": start, "sequence_end": not start}
        if way == "rest":
            return _score(server, model, text, **named)
        with grpc.insecure_channel(server.grpc_address) as channel:
            answer = stub(channel).ModelInfer(message(model, [text.encode()], ("score",), **named))
        return float(answer.outputs[0].contents.fp64_contents[0])

    pairs = (("names", "eu.7"), ("names.eu", "7"))
    firsts = [step(*pair, "he", start=True) for pair in pairs]
    seconds = [step(*pair, "llo", start=False) for pair in pairs]
    for (model, _), first, second in zip(pairs, firsts, seconds, strict=True):
        assert first + second == pytest.approx(_score(server, model, "hello"))


def test_a_version_may_be_in_the_name(server: LiveServer) -> None:
    started = {"sequence_id": 3, "sequence_start": True}
    first = _score(server, "names:1", "he", **started)
    second = _score(server, "names", "llo", sequence_id=3, sequence_end=True)
    assert first + second == pytest.approx(_score(server, "names", "hello"))


@pytest.mark.parametrize("parameters", [{}, {"sequence_start": True}, {"sequence_end": True}])
def test_a_session_of_another_model_is_no_sequence_and_stays(
    server: LiveServer, parameters: dict[str, bool]
) -> None:
    """A client gave a session of another model the name of a sequence."""
    session = "sequence.names.5"
    made = server.post("/v1/sessions", {"model": "names.eu", "session_id": session, "prime": "abc"})
    assert made.status_code in (201, 409)
    answer = post(server, "names", body(["a"], sequence_id=5, **parameters))
    assert (answer.status_code, answer.headers["x-error-code"]) == (409, "state_model_mismatch")
    assert "is a session of model 'names.eu'" in answer.json()["error"]
    with (
        grpc.insecure_channel(server.grpc_address) as channel,
        pytest.raises(grpc.RpcError) as caught,
    ):
        stub(channel).ModelInfer(message("names", [b"a"], sequence_id=5, **parameters))
    assert details(caught.value)[:2] == ("state_model_mismatch", "sequence_id")
    assert server.get(f"/v1/sessions/{session}").json()["position"] == 3
