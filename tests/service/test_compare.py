"""Candidates side by side: in order, by what a score says of each."""

import math
from typing import Any

import grpc
import pytest
from support.live_server import LiveServer
from support.rpc_answers import details, same

from nextchar.pb import nextchar_pb2 as pb

TEXTS = ["hello", "zzzz", "hello world", "", "hello"]


def compare(server: LiveServer, **fields: Any) -> dict[str, Any]:
    answer = server.post("/v1/compare", {"model": "tiny", "input": TEXTS, **fields})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def scores(server: LiveServer, model: str, context: str = "") -> list[dict[str, Any]]:
    body = {"model": model, "input": TEXTS, "context": context}
    found: list[dict[str, Any]] = server.post("/v1/score", body).json()["data"]
    return found


def test_candidates_are_ranked_by_what_their_scores_say(server: LiveServer) -> None:
    expected = scores(server, "tiny", "ab")
    for rank_by, key in (
        ("logprob", lambda i: -expected[i]["logprob"]),
        ("bits_per_char", lambda i: expected[i]["bits_per_char"]),
    ):
        data = compare(server, context="ab", rank_by=rank_by)["data"]
        assert [c["index"] for c in data] == sorted(range(len(TEXTS)), key=key)
        assert [c["rank"] for c in data] == [1, 2, 3, 4, 5]
        for candidate in data:
            for name in ("logprob", "bits_per_char", "num_chars", "num_unknown"):
                assert candidate[name] == expected[candidate["index"]][name]


def test_probabilities_are_shares_of_the_candidates_likelihood(server: LiveServer) -> None:
    data = compare(server)["data"]
    assert math.fsum(c["probability"] for c in data) == pytest.approx(1)
    first, last = data[0], data[-1]
    ratio = first["probability"] / last["probability"]
    assert math.log(ratio) == pytest.approx(first["logprob"] - last["logprob"])


def test_two_models_give_a_log_likelihood_ratio(server: LiveServer) -> None:
    answer = compare(server, reference_model="lines")
    assert (answer["reference_model"], answer["rank_by"]) == ("lines", "log_ratio")
    own, other = scores(server, "tiny"), scores(server, "lines")
    ratios = [a["logprob"] - b["logprob"] for a, b in zip(own, other, strict=True)]
    assert [c["log_ratio"] for c in answer["data"]] == sorted(ratios, reverse=True)
    assert all(c["reference_logprob"] == other[c["index"]]["logprob"] for c in answer["data"])


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"rank_by": "log_ratio"}, "reference_model"),
        ({"rank_by": "length"}, "rank_by"),
        ({"input": []}, "input"),
        ({"include_end": True}, "include_end"),
        ({"adaptive": "yes"}, "adaptive"),
        ({"adaptive": {"orders": [9]}}, "adaptive.orders.0"),
    ],
)
def test_a_comparison_that_cannot_be_made_is_one_clear_error(
    server: LiveServer, fields: dict[str, Any], param: str
) -> None:
    answer = server.post("/v1/compare", {"model": "tiny", "input": TEXTS, **fields})
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == param


def test_grpc_answers_what_rest_answers(server: LiveServer) -> None:
    answer = compare(server, reference_model="lines", context="a")
    with server.stub() as stub:
        request = pb.CompareRequest(model="tiny", input=TEXTS, reference_model="lines", context="a")
        same(stub.Compare(request), answer)


@pytest.mark.parametrize(
    ("named", "param"),
    [
        ({"reference_model": "nowhere"}, "reference_model"),
        ({"reference_model": "lines:9"}, "reference_model"),
        ({"reference_model": "lines", "model": "nowhere"}, "model"),
    ],
)
def test_an_unknown_model_is_told_by_the_field_that_names_it(
    server: LiveServer, named: dict[str, str], param: str
) -> None:
    answer = server.post("/v1/compare", {"model": "tiny", "input": TEXTS, **named})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (404, "model_not_found", param)
    assert error["message"].startswith(f"{param} '")
    with server.stub() as stub, pytest.raises(grpc.RpcError) as caught:
        stub.Compare(pb.CompareRequest(**({"model": "tiny"} | named), input=TEXTS))
    assert details(caught.value)[:2] == ("model_not_found", param)
