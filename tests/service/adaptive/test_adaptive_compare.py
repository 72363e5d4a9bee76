"""Candidates of a text that is learned: each is read after the context, and none after another."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.in_process import context, in_process
from support.live_server import LiveServer
from support.tiny_models import STEP_GRAPHS, TinyModel

from nextchar.client import Client
from nextchar.entrypoints.library.model import Model
from nextchar.errors import InvalidRequest
from nextchar.schemas.compare import CompareRequest
from nextchar.schemas.score import ScoreRequest

_CONTEXT = "the quick brown fox, the lazy dog, the quick brown fox, the lazy "
_CANDIDATES = ["fox, the ", "dog, the ", "zebra", "", "dog, the "]
_KNOBS = {"orders": [1, 3], "window": 1024, "learn_drawn": True}


@pytest.fixture(scope="module")
def clients(server: LiveServer, models: Path) -> Iterator[list[tuple[Client, str | None]]]:
    """REST, gRPC and the library, each with what names the model there."""
    grpc = f"grpc://{server.grpc_address}"
    with Client(server.url) as one, Client(grpc) as two, Model(models / "tiny") as local:
        yield [(one, "tiny"), (two, "tiny"), (local, None)]


@pytest.mark.parametrize("adaptive", [True, _KNOBS], ids=["usual", "knobs"])
@pytest.mark.parametrize("before", [_CONTEXT, ""], ids=["after a context", "from the beginning"])
def test_each_candidate_is_what_a_score_says_of_it_alone(
    clients: list[tuple[Client, str | None]], adaptive: Any, before: str
) -> None:
    rest, name = clients[0]
    alone = [
        rest.score([text], model=name, context=before, adaptive=adaptive).data[0] for text in _CANDIDATES
    ]
    plain = {item.index: item.logprob for item in rest.compare(_CANDIDATES, model=name, context=before).data}
    for client, model in clients:
        answer = client.compare(_CANDIDATES, model=model, context=before, adaptive=adaptive)
        for item in answer.data:
            own = alone[item.index]
            assert (item.logprob, item.model_logprob) == (own.logprob, own.model_logprob)
            assert (item.bits_per_char, item.num_chars) == (own.bits_per_char, own.num_chars)
            assert item.model_logprob == pytest.approx(plain[item.index], abs=1e-12)
            assert item.p_value is None
            assert item.percentile is None
        assert [item.rank for item in answer.data] == [1, 2, 3, 4, 5]
        assert [item.logprob for item in answer.data] == sorted((own.logprob for own in alone), reverse=True)
        assert math.fsum(item.probability for item in answer.data) == pytest.approx(1)
        assert answer.usage.prompt_tokens == len(before) + sum(map(len, _CANDIDATES))


def test_what_the_context_repeats_is_likelier_than_the_network_finds_it(
    clients: list[tuple[Client, str | None]],
) -> None:
    (client, name), *_ = clients
    repeated, strange = client.compare(
        ["dog, the ", "zyx~ qpq "], model=name, context=_CONTEXT, adaptive=True
    ).data
    assert repeated.index == 0
    assert repeated.model_logprob is not None
    assert repeated.logprob > repeated.model_logprob + 5
    assert strange.logprob < repeated.logprob - 10


def test_both_models_of_a_ratio_learn(clients: list[tuple[Client, str | None]]) -> None:
    fields: dict[str, Any] = {"context": _CONTEXT, "adaptive": True}
    for client, name in clients[:2]:
        answer = client.compare(_CANDIDATES, model=name, reference_model="lines", **fields)
        other = {item.index: item for item in client.compare(_CANDIDATES, model="lines", **fields).data}
        own = {item.index: item for item in client.compare(_CANDIDATES, model=name, **fields).data}
        for item in answer.data:
            assert (item.logprob, item.model_logprob) == (
                own[item.index].logprob,
                own[item.index].model_logprob,
            )
            assert item.reference_logprob == other[item.index].logprob
            assert item.log_ratio == item.logprob - other[item.index].logprob


def test_a_comparison_without_it_tells_nothing_of_the_network(server: LiveServer) -> None:
    for body in ({}, {"adaptive": False}, {"adaptive": None}):
        answer = server.post("/v1/compare", {"model": "tiny", "input": _CANDIDATES, **body}).json()
        assert all("model_logprob" not in item for item in answer["data"])


@pytest.mark.parametrize(("cell", "precision"), STEP_GRAPHS)
def test_it_is_the_same_for_every_cell_and_precision(tmp_path: Path, cell: str, precision: str) -> None:
    folder = tmp_path / "one" / "1"
    folder.mkdir(parents=True)
    graph = TinyModel(cell, seed=3).step_bytes(precision)
    (folder / f"step-{precision}.onnx").write_bytes(graph)
    fields: dict[str, Any] = {"model": "one", "context": _CONTEXT * 8, "adaptive": True}
    with in_process(tmp_path) as made:
        service = made.service
        found = made.run(service.comparer.compare(CompareRequest(input=_CANDIDATES, **fields), context()))
        for item in found.data:
            request = ScoreRequest(input=[_CANDIDATES[item.index]], **fields)
            (alone,) = made.run(service.scorer.score(request, context())).data
            assert (item.logprob, item.model_logprob) == (alone.logprob, alone.model_logprob)


@pytest.mark.parametrize("adaptive", [5, "yes", {"orders": [3, 2]}, {"window": 1000}], ids=str)
def test_options_that_are_not_valid_are_refused_alike_everywhere(
    clients: list[tuple[Client, str | None]], adaptive: Any
) -> None:
    refused = set()
    for client, name in clients:
        with pytest.raises(InvalidRequest) as caught:
            client.compare(["ab"], model=name, adaptive=adaptive)
        refused.add((caught.value.code, caught.value.param, caught.value.message))
    ((_, param, _),) = refused
    assert str(param).startswith("adaptive")
