"""What the model holds after each character: torch's states, the lanes' own, the same over every protocol."""

import base64
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from google.protobuf.json_format import MessageToDict
from support.live_server import LiveServer, live_server
from support.tiny_models import STEP_GRAPHS, TEXT, TinyModel, write_every_cell, write_models

from nextchar.model.step_runner import StepRunner
from nextchar.pb import nextchar_pb2 as pb
from nextchar.service.inference.inspector import dequantized

TEXT_SHOWN = "hello, world."


def inspect(server: LiveServer, **fields: Any) -> dict[str, Any]:
    answer = server.post("/v1/inspect", {"model": "tiny", "input": TEXT_SHOWN, **fields})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def of_torch(model: TinyModel, text: str) -> dict[tuple[int, str], np.ndarray]:
    """States [characters, units] by layer and name, one character at a time."""
    module, state = model.module(), None
    ids = [model.vocabulary.begin_id, *model.vocabulary.encode(text).tolist()]
    rows: dict[tuple[int, str], list[np.ndarray]] = {}
    for symbol in ids:
        _, state = module(torch.tensor([[symbol]]), state)
        for name, part in zip(("hidden", "cell"), state, strict=False):
            for layer in range(model.num_layers):
                rows.setdefault((layer, name), []).append(part[layer, 0].numpy())
    return {key: np.stack(values[1:]) for key, values in rows.items()}


@pytest.fixture(scope="module")
def every_cell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server of each cell in each of its precisions."""
    with live_server(write_every_cell(tmp_path_factory.mktemp("cells"))) as running:
        yield running


@pytest.mark.parametrize(("cell", "precision"), STEP_GRAPHS)
def test_the_states_are_those_of_torch(every_cell: LiveServer, cell: Any, precision: Any) -> None:
    model = TinyModel(cell)
    tolerance = 1e-5 if precision == "float32" else 0.05
    answer = inspect(every_cell, model=f"{cell}-{precision}")
    expected = of_torch(model, TEXT_SHOWN)
    assert [(t["layer"], t["state"]) for t in answer["data"]] == sorted(
        expected, key=lambda key: (key[0], key[1] == "cell")
    )
    for trace in answer["data"]:
        wanted = expected[trace["layer"], trace["state"]]
        assert np.abs(np.array(trace["values"]) - wanted).max() <= tolerance


def test_the_states_are_the_engines_own(server: LiveServer) -> None:
    graph = TEXT.step()
    runner = StepRunner(graph, 1)
    runner.reset(0)
    runner.ids[0] = graph.vocabulary.begin_id
    rows = []
    for symbol in [*graph.vocabulary.encode(TEXT_SHOWN).tolist(), 0]:
        runner.io(1, 1).given[:] = symbol
        runner.step(1)
        rows.append({name: dequantized(state) for name, state in runner.read_state(0).items()})
    traces = inspect(server)["data"]
    assert len(traces) == 2 * TEXT.num_layers
    for trace in traces:
        name = f"{'h' if trace['state'] == 'hidden' else 'c'}_{trace['layer']}"
        assert np.array_equal(np.float32(trace["values"]), np.stack([row[name] for row in rows[1:]]))


def test_what_each_character_was_worth_is_its_score(server: LiveServer) -> None:
    score = server.post("/v1/score", {"model": "tiny", "input": [TEXT_SHOWN], "return_chars": True}).json()
    chars = inspect(server, layers=[0])["chars"]
    assert [c["char"] for c in chars] == list(TEXT_SHOWN)
    assert [c["logprob"] for c in chars] == pytest.approx([c["logprob"] for c in score["data"][0]["chars"]])


def test_base64_are_the_same_numbers(server: LiveServer) -> None:
    floats = inspect(server)["data"]
    assert floats
    for trace, plain in zip(inspect(server, encoding_format="base64")["data"], floats, strict=True):
        values = np.frombuffer(base64.b64decode(trace["values"]), dtype="<f4")
        assert np.array_equal(values.reshape(-1, trace["num_units"]), np.float32(plain["values"]))


def test_only_what_is_asked_for(server: LiveServer) -> None:
    found = inspect(server, layers=[1], states=["cell"])["data"]
    assert [(trace["layer"], trace["state"]) for trace in found] == [(1, "cell")]
    assert inspect(server, input="")["data"][0]["values"] == []


@pytest.mark.parametrize("model", ["tiny", "lines", "refusing", "bytes"])
def test_grpc_says_what_rest_says(server: LiveServer, model: str) -> None:
    fields = {"model": model, "input": TEXT_SHOWN, "layers": [0]}
    with server.stub() as stub:
        message = stub.Inspect(pb.InspectRequest(**fields))
    answer = server.post("/v1/inspect", fields).json()
    for trace, plain in zip(message.data, answer["data"], strict=True):
        assert [list(row.values) for row in trace.values] == plain["values"]
        assert (trace.layer, trace.state, trace.num_units) == (
            plain["layer"],
            plain["state"],
            plain["num_units"],
        )
    assert [c["char"] for c in MessageToDict(message)["chars"]] == [c["char"] for c in answer["chars"]]


@pytest.mark.parametrize(
    ("fields", "status", "code", "param", "told"),
    [
        ({"input": "a" * 513}, 413, "input_too_large", "input", "the limit of an inspection is 512"),
        ({"layers": [2]}, 400, "invalid_value", "layers", "layers holds 2; the model's layers are 0 to 1"),
        ({"layers": []}, 400, "invalid_value", "layers", "at least 1"),
        (
            {"model": "lines", "states": ["cell"]},
            400,
            "invalid_value",
            "states",
            "'cell'; a gru has only: hidden",
        ),
        ({"states": ["mood"]}, 400, "invalid_value", "states.0", "'hidden' or 'cell'"),
        ({"model": "none"}, 404, "model_not_found", "model", "served models"),
    ],
)
def test_what_cannot_be_shown_is_said(
    server: LiveServer, fields: dict, status: int, code: str, param: str, told: str
) -> None:
    answer = server.post("/v1/inspect", {"model": "tiny", "input": "a", **fields})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (status, code, param), error
    assert told in error["message"]


def test_an_answer_has_a_limit_of_numbers(tmp_path_factory: pytest.TempPathFactory) -> None:
    models = write_models(tmp_path_factory.mktemp("wide"), {"wide": TinyModel(hidden_size=160)})
    with live_server(models) as server:
        answer = server.post("/v1/inspect", {"model": "wide", "input": "a" * 500})
    assert answer.status_code == 413
    assert "320000 numbers, the limit is 262144" in answer.json()["error"]["message"]


def test_it_can_be_turned_off(models: Any) -> None:
    with live_server(models, max_inspect_chars=0) as server:
        answer = server.post("/v1/inspect", {"model": "tiny", "input": "a"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "inspect_off")
