"""A file that is not a valid model is refused with one clear error, whatever is wrong with it."""

import contextlib
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper
from support.tiny_models import TEXT, TinyModel

from nextchar.errors import ModelFileError
from nextchar.model.card import Golden, GraphSignature, TensorSpec, check_graph, parse_card
from nextchar.model.golden import check_golden
from nextchar.model.graph import graph_from_bytes, open_graph
from nextchar.model.step_runner import StepRunner


def refused(content: bytes) -> str:
    with pytest.raises(ModelFileError) as caught:
        opened(content)
    message = str(caught.value)
    assert message.startswith("broken.onnx: ")
    assert "\n" not in message
    return message


def opened(content: bytes) -> None:
    check_golden(graph_from_bytes(content, shown="broken.onnx"), shown="broken.onnx")


def foreign() -> bytes:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "foreign", [x], [y])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return bytes(model.SerializeToString())


def test_a_sound_file_opens_and_gives_its_golden_scores() -> None:
    graph = TEXT.step()
    check_golden(graph, shown="tiny")
    assert graph.card.precision == "int8"
    assert graph.state_bytes == 2 * (24 + 4 * 24)  # h in bytes, c in floats, two layers


@pytest.mark.parametrize(
    "content",
    [b"", b"\0" * 100, b"PK\x03\x04 not a model", b'{"json": true}', TEXT.step_bytes()[:2000]],
    ids=["empty", "zeros", "zip", "json", "truncated"],
)
def test_what_is_not_onnx_is_refused(content: bytes) -> None:
    refused(content)


def test_every_truncation_is_refused() -> None:
    whole = TEXT.step_bytes()
    for size in np.linspace(1, len(whole) - 1, 40).astype(int):
        refused(whole[:size])


def test_a_foreign_model_is_refused() -> None:
    assert "not a nextchar model" in refused(foreign())


def test_a_damaged_weight_is_refused_by_the_golden_strings() -> None:
    content = bytearray(TEXT.step_bytes("float32"))
    at = content.index(TEXT.weights().output.T.tobytes())
    content[at : at + 400] = np.full(100, 9.0, dtype=np.float32).tobytes()
    assert "golden string" in refused(bytes(content))


def test_swapped_states_are_refused_by_the_golden_strings() -> None:
    model = TinyModel("lstm", num_layers=1)
    swapped = {"h_0": "c_0_next", "c_0": "h_0_next"}
    assert "golden string" in refused(model.step_bytes("float32", states=swapped))


def test_swapped_states_of_different_types_are_refused_by_the_graph() -> None:
    model = TinyModel("lstm", num_layers=1)
    swapped = {"h_0": "c_0_next", "c_0": "h_0_next"}
    assert "state 'h_0'" in refused(model.step_bytes("int8", states=swapped, golden=[golden()]))


def golden(text: str = "", logprob: float = 0.0) -> Golden:
    return Golden(text=text, logprob=logprob)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"states": {"h_0": "h_0_next"}}, "missing [], unexpected ['c_0', 'c_1', 'h_1']"),
        ({"states": {"h_0": "h_0_next", "x": "y"}}, "missing ['x']"),
        ({"graph": "sequence"}, "inputs differ from the card: missing [], unexpected ['given'"),
        ({"golden": [golden("hello", -1.0)]}, "the golden string 'hello' scores"),
    ],
    ids=["states missing", "states unknown", "graph kind", "golden"],
)
def test_a_card_that_disagrees_with_its_graph_is_refused(changes: dict[str, object], told: str) -> None:
    fixed = {"golden": [golden()], **changes}
    assert told in refused(TEXT.step_bytes(**fixed))


@pytest.mark.parametrize(
    ("name", "tensor", "told"),
    [
        ("ids", TensorSpec("tensor(float)", (None,)), "input 'ids' must be int64 of rank 1"),
        ("given", TensorSpec("tensor(int64)", (None,)), "input 'given' must be int64 of rank 2"),
        (
            "distribution",
            TensorSpec("tensor(float)", (None, 3)),
            "output 'distribution' must have 32 symbols",
        ),
        ("h_0", TensorSpec("tensor(int64)", (None, 24)), "state 'h_0'"),
    ],
)
def test_a_tensor_that_is_not_what_it_should_be_is_named(name: str, tensor: TensorSpec, told: str) -> None:
    graph = TEXT.step()
    inputs, outputs = dict(graph.signature.inputs), dict(graph.signature.outputs)
    (inputs if name in inputs else outputs)[name] = tensor
    with pytest.raises(ModelFileError) as caught:
        check_graph(graph.card, GraphSignature(inputs, outputs), path="broken.onnx")
    assert told in caught.value.message


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        ("{", "card"),
        ("[]", "card"),
        ('{"format": 2}', "format"),
        ('{"format": 1}', "graph"),
        (TEXT.card().to_json().replace('"cell"', '"extra": 1, "cell"'), "extra"),
        (TEXT.card().to_json().replace('"lstm"', '"an LSTM"'), "cell"),
        (TEXT.card().to_json().replace('"a","b"', '"ab"'), "vocabulary.characters"),
        (TEXT.card().to_json().replace('"a","b"', '"a","a"'), "distinct"),
    ],
)
def test_a_bad_card_is_refused_by_the_field(raw: str, told: str) -> None:
    with pytest.raises(ModelFileError, match="bad card") as caught:
        parse_card({"nextchar": raw}, path="broken.onnx")
    assert told in str(caught.value)


def test_a_card_survives_its_json() -> None:
    card = TEXT.card(golden=[golden("a\0\N{SNOWMAN}", -1.5)])
    assert parse_card({"nextchar": card.to_json()}, path="x") == card


def test_a_missing_or_huge_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelFileError, match=r"none\.onnx: cannot be read"):
        open_graph(tmp_path / "none.onnx")
    with pytest.raises(ModelFileError, match="cannot be read"):
        open_graph(tmp_path)
    monkeypatch.setattr("nextchar.model.graph.MAX_MODEL_BYTES", 10)
    (tmp_path / "big.onnx").write_bytes(TEXT.step_bytes())
    with pytest.raises(ModelFileError, match="the limit of a model file is 10"):
        open_graph(tmp_path / "big.onnx")


def test_a_sequence_graph_runs_no_lanes() -> None:
    with pytest.raises(ModelFileError, match="cannot run lanes"):
        StepRunner(TEXT.sequence(), 1)


def test_random_damage_is_refused_or_harmless() -> None:
    """Whatever byte is changed, the file opens and works or is refused by name; no other exception."""
    whole = TEXT.step_bytes()
    rng = np.random.default_rng(0)
    for position in rng.integers(0, len(whole), 150):
        damaged = bytearray(whole)
        damaged[position] ^= int(rng.integers(1, 256))
        with contextlib.suppress(ModelFileError):
            opened(bytes(damaged))
