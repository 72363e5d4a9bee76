"""Gates while each character is read: those of torch, over REST and gRPC, refused where there are none."""

import base64
import re
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from support.live_server import LiveServer, live_server
from support.tiny_models import CELL_NAMES, STEP_GRAPHS, TinyModel, write_every_cell, write_models

from nextchar.errors import InvalidRequest
from nextchar.model.gate_graph import GATE_TENSORS, open_gates
from nextchar.pb import nextchar_pb2 as pb
from nextchar.schemas.inspect import GateName
from nextchar_training.inside.gates import trace

TEXT_SHOWN = "hello, world."
GATED = [(cell, precision) for cell, precision in STEP_GRAPHS if GATE_TENSORS[cell]]


@pytest.fixture(scope="module")
def every_cell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server of each cell in each of its precisions."""
    with live_server(write_every_cell(tmp_path_factory.mktemp("gated"))) as running:
        yield running


def inspect(server: LiveServer, **fields: Any) -> dict[str, Any]:
    answer = server.post("/v1/inspect", {"model": "tiny", "input": TEXT_SHOWN, **fields})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_every_cell_says_which_gates_it_has_and_a_request_may_name_each() -> None:
    assert set(GATE_TENSORS) == set(CELL_NAMES)
    assert {gate for gates in GATE_TENSORS.values() for gate in gates} == set(get_args(GateName))


def test_the_page_offers_the_gates_of_every_cell() -> None:
    panel = resources.files("nextchar").joinpath("rest", "web", "panels", "inside.js").read_text()
    (table,) = re.findall(r"^const GATES = \{\n(.*?)^\};", panel, re.MULTILINE | re.DOTALL)
    offered = {cell: re.findall(r"\w+", gates) for cell, gates in re.findall(r"(\w+): \[(.*)\]", table)}
    assert offered == {cell: list(gates) for cell, gates in GATE_TENSORS.items() if gates}


def test_a_file_that_does_not_name_its_gates_is_told_to_be_exported_again() -> None:
    model = TinyModel()
    content = model.step_bytes("float32").replace(b"gates_1_2_open", b"gates_1_2_oopn")
    with pytest.raises(InvalidRequest, match=r"does not name them; export the model again") as refused:
        open_gates(content, model.card())
    assert refused.value.param == "gates"


@pytest.mark.parametrize(("cell", "precision"), GATED)
def test_the_gates_are_those_of_torch(every_cell: LiveServer, cell: Any, precision: Any) -> None:
    model, names = TinyModel(cell), list(GATE_TENSORS[cell])
    ids = [model.vocabulary.begin_id, *model.vocabulary.encode(TEXT_SHOWN).tolist()]
    expected = trace(model.module(), np.array(ids))
    answer = inspect(every_cell, model=f"{cell}-{precision}", gates=names)
    assert answer["data"] == []
    shown = [(layer, name) for layer in range(model.num_layers) for name in names]
    assert [(found["layer"], found["gate"]) for found in answer["gates"]] == shown
    for found in answer["gates"]:
        wanted = expected[found["layer"]].values[f"{found['gate']} gate"][1:]
        assert np.abs(np.array(found["values"]) - wanted).max() <= (1e-5 if precision == "float32" else 0.05)


@pytest.mark.parametrize("precision", ["int8", "float32"])
def test_the_forget_gate_is_the_one_that_the_served_cell_goes_through(
    every_cell: LiveServer, precision: str
) -> None:
    """C' = C · f + i · g with |g| < 1: what is left of the cell is bounded by the input gate."""
    answer = inspect(
        every_cell, model=f"lstm-{precision}", layers=[0], states=["cell"], gates=["forget", "input"]
    )
    (cell,) = (np.array(found["values"]) for found in answer["data"])
    forget, written = (np.array(found["values"]) for found in answer["gates"])
    assert (np.abs(cell[1:] - forget[1:] * cell[:-1]) <= written[1:] + 1e-6).all()


def test_states_are_returned_beside_gates_when_both_are_requested(server: LiveServer) -> None:
    both = inspect(server, layers=[1], states=["hidden"], gates=["output"])
    assert both["data"] == inspect(server, layers=[1], states=["hidden"])["data"]
    assert [(found["layer"], found["gate"]) for found in both["gates"]] == [(1, "output")]
    assert "gates" not in inspect(server, layers=[1])
    assert inspect(server, input="", gates=["forget"])["gates"][0]["values"] == []


def test_base64_are_the_same_gates(server: LiveServer) -> None:
    (plain,) = inspect(server, layers=[0], gates=["forget"])["gates"]
    (coded,) = inspect(server, layers=[0], gates=["forget"], encoding_format="base64")["gates"]
    values = np.frombuffer(base64.b64decode(coded["values"]), dtype="<f4").reshape(-1, coded["num_units"])
    assert np.array_equal(values, np.float32(plain["values"]))


def test_grpc_returns_the_gates_of_rest(server: LiveServer) -> None:
    fields = {"model": "tiny", "input": TEXT_SHOWN, "layers": [0], "gates": ["forget", "input"]}
    with server.stub() as stub:
        message = stub.Inspect(pb.InspectRequest(**fields))
    answer = server.post("/v1/inspect", fields).json()
    assert len(message.data) == 0
    assert [found.gate for found in message.gates] == ["forget", "input"]
    for found, plain in zip(message.gates, answer["gates"], strict=True):
        assert [list(row.values) for row in found.values] == plain["values"]


@pytest.mark.parametrize(
    ("model", "gate", "told"),
    [
        ("rnn_tanh-int8", "forget", "gates holds 'forget'; a rnn_tanh has none"),
        ("gru-int8", "forget", "gates holds 'forget'; a gru has only: reset, update"),
        ("lstm_coupled-int8", "input", "gates holds 'input'; a lstm_coupled has only: forget, output"),
    ],
)
def test_a_gate_that_a_cell_does_not_have_is_refused(
    every_cell: LiveServer, model: str, gate: str, told: str
) -> None:
    answer = every_cell.post("/v1/inspect", {"model": model, "input": "a", "gates": [gate]})
    error = answer.json()["error"]
    assert (answer.status_code, error["param"], error["message"]) == (400, "gates", told)


def test_gates_count_towards_the_limit_of_numbers_and_are_returned_once(
    server: LiveServer, tmp_path: Path
) -> None:
    gates = ["input", "forget", "output"]
    assert len(inspect(server, gates=gates * 20)["gates"]) == 6
    models = write_models(tmp_path, {"wide": TinyModel(hidden_size=160)})
    with live_server(models) as wide:
        answer = wide.post("/v1/inspect", {"model": "wide", "input": "a" * 300, "gates": gates})
    assert answer.status_code == 413
    assert "288000 numbers, the limit is 262144" in answer.json()["error"]["message"]


def test_a_file_that_is_another_one_by_now_is_not_read(tmp_path: Path) -> None:
    folder = tmp_path / "models" / "changing" / "1"
    folder.mkdir(parents=True)
    file = folder / "step-int8.onnx"
    file.write_bytes(TinyModel().step_bytes("int8"))
    with live_server(tmp_path / "models") as server:
        file.unlink()
        answer = server.post("/v1/inspect", {"model": "changing", "input": "a", "gates": ["forget"]})
    assert answer.status_code == 503
    assert "which has changed: load the model again" in answer.json()["error"]["message"]
