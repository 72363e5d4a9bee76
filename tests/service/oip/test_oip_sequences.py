"""Triton's sequences: sessions under another name, one request after the other."""

from pathlib import Path
from typing import Any

import grpc
import httpx
import numpy as np
import pytest
from support.live_server import LiveServer, live_server
from support.oip_client import WAYS, body, infer, message, post, stub
from support.rpc_answers import details
from support.tiny_models import TEXT, write_models
from support.waiting import until

from nextchar.pb import inference_pb2 as pb

STEPS = ["he", "", "llo", " é"]


def expected(
    server: LiveServer, model: str = "tiny", *, adaptive: bool = False
) -> list[tuple[float, list[float]]]:
    """Each step's log-probability and the distribution after it, by a session fed the same."""
    fields = {"model": model, "adaptive": adaptive}
    made = server.post("/v1/sessions", fields).json()["session_id"]
    found = []
    for text in STEPS:
        answer = server.post(f"/v1/sessions/{made}/feed", {"text": text}).json()
        by_id = sorted(answer["data"], key=lambda c: c["id"])
        found.append((answer["logprob"], [c["logprob"] for c in by_id]))
    return found


def step(server: LiveServer, way: str, sequence_id: int | str, index: int, **more: Any) -> dict[str, Any]:
    start, end = index == 0, index == len(STEPS) - 1
    named = {"sequence_id": sequence_id, "sequence_start": start, "sequence_end": end, **more}
    return infer(server, way, "tiny", [STEPS[index].encode()], **named)


def error(server: LiveServer, **parameters: Any) -> tuple[int, str, str]:
    answer = post(server, "tiny", body(["a"], **parameters))
    return answer.status_code, answer.headers["x-error-code"], answer.json()["error"]


def session(server: LiveServer, sequence_id: int | str) -> httpx.Response:
    return server.get(f"/v1/sessions/sequence.tiny.{sequence_id}")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("sequence_id", [7, "a.string-id"])
def test_a_sequence_is_a_session_fed_step_by_step(
    server: LiveServer, way: str, sequence_id: int | str
) -> None:
    for index, (logprob, distribution) in enumerate(expected(server)):
        found = step(server, way, sequence_id, index)
        assert found["score"] == pytest.approx([logprob], abs=1e-12)
        assert found["log_probs"].tolist() == [distribution]
        assert session(server, sequence_id).status_code == (200 if index < len(STEPS) - 1 else 404)


@pytest.mark.parametrize("way", WAYS)
def test_a_sequence_may_learn_its_text(server: LiveServer, way: str) -> None:
    for index, (logprob, distribution) in enumerate(expected(server, adaptive=True)):
        found = step(server, way, 8, index, **({"adaptive": True} if index == 0 else {}))
        assert found["score"] == pytest.approx([logprob], abs=1e-12)
        assert found["log_probs"].tolist() == [distribution]


def test_ways_in_may_take_turns(server: LiveServer) -> None:
    for index, (_, distribution) in enumerate(expected(server)):
        assert step(server, WAYS[index], 8, index)["log_probs"].tolist() == [distribution]


def test_the_largest_id_is_one(server: LiveServer) -> None:
    assert post(server, "tiny", body(["a"], sequence_id=2**64 - 1, sequence_start=True)).status_code == 200
    request = message("tiny", [b"a"], sequence_end=True)
    request.parameters["sequence_id"].uint64_param = 2**64 - 1
    with grpc.insecure_channel(server.grpc_address) as channel:
        stub(channel).ModelInfer(request)
    assert session(server, 2**64 - 1).status_code == 404


def test_a_request_without_a_start_is_told_so_by_every_protocol(server: LiveServer) -> None:
    status, code, said = error(server, sequence_id=404)
    assert (status, code) == (404, "session_not_found")
    assert "sequence_start" in said
    with pytest.raises(grpc.RpcError) as caught, grpc.insecure_channel(server.grpc_address) as channel:
        stub(channel).ModelInfer(message("tiny", [b"a"], sequence_id=404, sequence_end=True))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    assert details(caught.value)[:2] == ("session_not_found", "sequence_id")
    post(server, "tiny", body(["a"], sequence_id=404, sequence_start=True, sequence_end=True))
    assert error(server, sequence_id=404)[0] == 404


def test_a_start_begins_anew(server: LiveServer) -> None:
    first = step(server, "json", "again", 0)
    step(server, "json", "again", 2)
    assert step(server, "raw", "again", 0)["log_probs"].tolist() == first["log_probs"].tolist()
    assert session(server, "again").json()["position"] == len(STEPS[0])


def test_sequences_of_two_models_do_not_meet(server: LiveServer) -> None:
    for model in ("tiny", "lines"):
        post(server, model, body(["abc"], sequence_id=5, sequence_start=True))
    for model in ("tiny", "lines"):
        two = post(server, model, body(["d"], sequence_id=5, sequence_end=True)).json()
        whole = post(server, model, body(["abcd"])).json()
        assert two["outputs"][0] == whole["outputs"][0]


@pytest.mark.parametrize(
    ("texts", "parameters", "said"),
    [
        (["a", "b"], {"sequence_start": True}, "text must have 1 item"),
        (["a"], {"sequence_start": True, "include_end": True}, "include_end"),
        (["a"], {"adaptive": True}, "adaptive"),
    ],
)
def test_what_a_sequence_cannot_is_said(
    server: LiveServer, texts: list[str], parameters: dict, said: str
) -> None:
    answer = post(server, "tiny", body(texts, sequence_id=6, **parameters))
    assert answer.status_code == 400
    assert said in answer.json()["error"]


def test_zero_and_the_empty_string_are_no_sequence(server: LiveServer) -> None:
    plain = post(server, "tiny", body(["abc"])).json()
    for none in (0, ""):
        assert post(server, "tiny", body(["abc"], sequence_id=none)).json() == plain
        assert error(server, sequence_id=none, sequence_start=True)[0] == 400


def test_a_sequence_keeps_its_version_and_says_so(server: LiveServer) -> None:
    post(server, "tiny", body(["a"], sequence_id=9, sequence_start=True))
    path = "/v2/models/tiny/versions/{}/infer"
    assert server.post(path.format(1), body(["a"], sequence_id=9)).status_code == 200
    answer = server.post(path.format(2), body(["a"], sequence_id=9))
    assert (answer.status_code, "model_version must be 1" in answer.json()["error"]) == (400, True)


def test_a_sequence_goes_on_after_a_restart_and_expires(tmp_path: Path) -> None:
    models = write_models(tmp_path / "models", {"tiny": TEXT})
    with live_server(models, data_dir=tmp_path / "data", session_ttl_seconds=3600) as server:
        wanted = expected(server)
        step(server, "json", 1, 0)
        step(server, "raw", 1, 1)
    with live_server(models, data_dir=tmp_path / "data", session_ttl_seconds=0.001) as server:
        assert step(server, "json", 1, 2)["log_probs"].tolist() == [wanted[2][1]]
        step(server, "json", 2, 0)
        until(lambda: error(server, sequence_id=2)[0] != 200)
        assert error(server, sequence_id=2)[:2] == (410, "session_expired")
        step(server, "json", 2, 0)  # and may begin again


def requests(count: int, **parameters: Any) -> list[pb.ModelInferRequest]:
    made = [message("tiny", [b"a" * (count - i)], **parameters) for i in range(count)]
    for i, request in enumerate(made):
        request.id = str(i)
    return made


def test_a_stream_answers_in_order_and_goes_on_after_an_error(server: LiveServer) -> None:
    sent = requests(100)
    sent[40].model_name = "none"
    sent[41].inputs[0].name = "texts"
    with grpc.insecure_channel(server.grpc_address) as channel:
        found = list(stub(channel).ModelStreamInfer(iter(sent)))
        alone = stub(channel).ModelInfer(sent[0])
    assert [one.infer_response.id for one in found] == [request.id for request in sent]
    assert [i for i, one in enumerate(found) if one.error_message] == [40, 41]
    assert "'none' is not served" in found[40].error_message
    assert found[0].infer_response == alone


def test_a_stream_can_ask_for_a_real_status(server: LiveServer) -> None:
    sent = requests(5)
    sent[3].model_name = "none"
    with grpc.insecure_channel(server.grpc_address) as channel:
        answers = stub(channel).ModelStreamInfer(iter(sent), metadata=(("triton_grpc_error", "true"),))
        found = []
        with pytest.raises(grpc.RpcError) as caught:
            found.extend(answers)
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND
        assert details(caught.value)[0] == "model_not_found"


def test_a_sequence_on_a_stream_is_in_order_however_fast_it_is_sent(server: LiveServer) -> None:
    text = b"the end of it, and more of it"
    sent = [message("tiny", [text[k : k + 1]], ("log_probs",), sequence_id="fast") for k in range(len(text))]
    sent[0].parameters["sequence_start"].bool_param = True
    sent[-1].parameters["sequence_end"].bool_param = True
    with grpc.insecure_channel(server.grpc_address) as channel:
        *_, last = stub(channel).ModelStreamInfer(iter(sent))
    whole = infer(server, "typed", "tiny", [text], ("log_probs",))["log_probs"]
    assert not last.error_message
    assert (np.array(last.infer_response.outputs[0].contents.fp64_contents) == whole).all()


def test_the_last_response_is_marked_for_who_asks(server: LiveServer) -> None:
    (asked,) = requests(1, triton_enable_empty_final_response=True)
    (plain,) = requests(1)
    with grpc.insecure_channel(server.grpc_address) as channel:
        found = [one.infer_response for one in stub(channel).ModelStreamInfer(iter([asked, plain]))]
    assert [one.parameters["triton_final_response"].bool_param for one in found] == [True, False]
