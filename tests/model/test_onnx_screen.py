"""A hostile model file is refused with a reason before onnxruntime reads a byte of it."""

import gzip
import io
import json
import zipfile
from collections.abc import Callable, Iterator

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from support.tiny_models import CELL_NAMES, STEP_GRAPHS, TEXT, TinyModel

from nextchar.errors import ModelFileError
from nextchar.model.card import CARD_KEY, parse_card
from nextchar.model.graph import graph_from_bytes
from nextchar.model.onnx_screen import MAX_DEPTH, MAX_NODES, MAX_TENSORS, screened
from nextchar_training.export.step import build_step_graph

_SOUND = TEXT.step_bytes("float32")


@pytest.fixture(autouse=True)
def no_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    """Returns the error of a file, which must be refused without onnxruntime."""

    def opened(_content: bytes) -> None:
        raise AssertionError("onnxruntime was asked to open a hostile file")

    monkeypatch.setattr("nextchar.model.graph.open_session", opened)


def refused(content: bytes) -> str:
    with pytest.raises(ModelFileError) as caught:
        graph_from_bytes(content, shown="hostile.onnx")
    message = str(caught.value)
    assert message.startswith("hostile.onnx: ")
    assert "\n" not in message
    assert len(message) < 300
    return message


def changed(change: Callable[[onnx.ModelProto], object]) -> bytes:
    model = onnx.load_from_string(_SOUND)
    change(model)
    return bytes(model.SerializeToString())


@pytest.fixture(scope="module")
def exports() -> list[bytes]:
    """Returns every kind of export, none of which was screened when it was made."""
    steps = [
        build_step_graph(TinyModel(cell).weights(), precision, TinyModel(cell).card(precision=precision))
        for cell, precision in STEP_GRAPHS
    ]
    return [*steps, *(TinyModel(cell).sequence_bytes() for cell in CELL_NAMES)]


def operators(graph: onnx.GraphProto) -> Iterator[tuple[str, str]]:
    for node in graph.node:
        yield node.domain, node.op_type
        for attribute in node.attribute:
            yield from operators(attribute.g)


def test_the_operators_that_pass_are_those_that_exports_use(exports: list[bytes]) -> None:
    """Every operator of ONNX is tried, and those of onnxruntime that exports of others have."""
    used = {pair for content in exports for pair in operators(onnx.load_from_string(content).graph)}
    of_onnx = {(schema.domain, schema.name) for schema in onnx.defs.get_all_schemas()}
    tried = used | of_onnx | {("com.microsoft", name) for _, name in of_onnx} | _OF_ONNXRUNTIME
    assert len(tried) > 300
    assert {(domain, name) for domain, name in tried if passes(with_node(name, domain))} == used


# Each makes as much of a few bytes as an attacker likes, reads what is not there, or runs code.
_NEVER = {"ConstantOfShape", "Expand", "Range", "Tile", "Pad", "Resize", "OneHot", "Scan", "Optional", "PyOp"}
_OF_ONNXRUNTIME = {
    ("com.microsoft", name) for name in ("DynamicQuantizeMatMul", "MatMulInteger16", "Attention")
}


def test_no_export_needs_an_operator_whose_output_has_the_size_that_a_value_says(
    exports: list[bytes],
) -> None:
    used = {name for content in exports for _, name in operators(onnx.load_from_string(content).graph)}
    assert used
    assert not used & _NEVER


def passes(content: bytes) -> bool:
    """Returns whether a file is not refused for an operator of it."""
    try:
        screened(content, path="x")
    except ModelFileError as error:
        return "exports do not use the operator" not in str(error)  # a Loop passes, if it counts
    return True


def test_every_export_passes_with_its_card(exports: list[bytes]) -> None:
    assert len(exports) == len(STEP_GRAPHS) + len(CELL_NAMES)
    for content in exports:
        (written,) = (entry.value for entry in onnx.load_from_string(content).metadata_props)
        assert json.loads(parse_card(screened(content, path="x"), path="x").to_json()) == json.loads(written)


def with_node(operator: str, domain: str = "", **attributes: object) -> bytes:
    node = helper.make_node(operator, ["ids"], ["out"], domain=domain, **attributes)
    return changed(lambda model: model.graph.node.append(node))


def external(location: str) -> bytes:
    def move(model: onnx.ModelProto) -> None:
        tensor = model.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=location)

    return changed(move)


@pytest.mark.parametrize("location", ["../../etc/passwd", "/etc/passwd", "weights.bin", "a\0b", ""])
def test_data_in_another_file_is_refused_wherever_that_is(location: str) -> None:
    assert "lies in another file" in refused(external(location))


@pytest.mark.parametrize(
    ("operator", "domain"),
    [
        ("Evil", "com.example"),
        ("Relu", "com.microsoft"),
        ("PyOp", "ai.onnx.contrib"),
        ("ConstantOfShape", ""),
        ("Expand", ""),
        ("RandomNormal", ""),
        ("MatMulIntegerToFloat", ""),
        ("", ""),
    ],
)
def test_an_operator_that_no_export_uses_is_refused(operator: str, domain: str) -> None:
    assert "exports do not use the operator" in refused(with_node(operator, domain))


def test_operator_sets_of_others_are_refused() -> None:
    assert "com.example" in refused(changed(lambda m: m.opset_import.add(domain="com.example", version=1)))
    assert "it has 99" in refused(changed(lambda m: setattr(m.opset_import[0], "version", 99)))


def test_functions_training_and_sparse_tensors_are_refused() -> None:
    function = onnx.FunctionProto(name="f", domain="d")
    assert "functions of its own" in refused(changed(lambda m: m.functions.append(function)))
    assert "training" in refused(changed(lambda m: m.training_info.add()))
    assert "sparse" in refused(changed(lambda m: m.graph.sparse_initializer.add()))


@pytest.mark.parametrize(
    "change",
    [
        lambda m: setattr(m, "doc_string", "x"),
        lambda m: m.graph.value_info.add(name="x"),
        lambda m: m.graph.quantization_annotation.add(),
        lambda m: setattr(m.graph.initializer[0], "doc_string", "x"),
        lambda m: m.graph.initializer[0].float_data.append(1.0),
        lambda m: setattr(m.graph.node[0], "doc_string", "x"),
        lambda m: m.graph.node[0].attribute.add(name="x", ref_attr_name="y"),
        lambda m: m.graph.input[0].type.sequence_type.elem_type.tensor_type.shape.dim.add(),
    ],
)
def test_a_field_that_no_export_writes_is_refused(change: Callable[[onnx.ModelProto], object]) -> None:
    assert "exports do not write field" in refused(changed(change))


def test_too_many_nodes_and_tensors_are_refused() -> None:
    node = helper.make_node("Identity", ["ids"], ["out"])
    tensor = numpy_helper.from_array(np.zeros(1, dtype=np.float32), "x")
    assert f"{MAX_NODES} nodes" in refused(changed(lambda m: m.graph.node.extend([node] * MAX_NODES)))
    many = [tensor] * (MAX_TENSORS + 1)
    assert f"{MAX_TENSORS} tensors" in refused(changed(lambda m: m.graph.initializer.extend(many)))


def nested(depth: int) -> onnx.GraphProto:
    graph = helper.make_graph([helper.make_node("Identity", ["ids"], ["out"])], "g", [], [])
    for _ in range(depth):
        node = helper.make_node("If", ["some_drawn"], ["out"], then_branch=graph, else_branch=graph)
        graph = helper.make_graph([node], "g", [], [])
    return graph


@pytest.mark.parametrize("depth", [MAX_DEPTH, 12])
def test_graphs_too_deep_are_refused(depth: int) -> None:
    assert "deeper than" in refused(changed(lambda m: m.graph.node.extend(nested(depth).node)))


def test_nesting_past_any_parser_is_refused() -> None:
    content = b""
    for _ in range(5000):  # graph(7) of node(1) of attribute(5) of graph(6), by hand
        content = content[-60_000:]
        content = b"\x32" + varint(len(content)) + content
        content = b"\x2a" + varint(len(content)) + content
        content = b"\x0a" + varint(len(content)) + content
    refused(b"\x3a" + varint(len(content)) + content)


def varint(value: int) -> bytes:
    found = b""
    while value > 127:
        found += bytes([value & 127 | 128])
        value >>= 7
    return found + bytes([value])


@pytest.mark.parametrize(
    "dims", [[2**40], [2**31, 2**31], [2**62, 4], [-1], [1] * 9, [1, 2**32], [0, 2**62], [3]]
)
def test_a_shape_that_is_not_the_bytes_is_refused(dims: list[int]) -> None:
    def declare(model: onnx.ModelProto) -> None:
        del model.graph.initializer[0].dims[:]
        model.graph.initializer[0].dims.extend(dims)

    told = refused(changed(declare))
    assert "its shape requires" in told or "has the shape" in told


@pytest.mark.parametrize("condition", ["", "some_drawn"])
def test_a_loop_that_does_not_count_to_an_input_is_refused(condition: str) -> None:
    def endless(model: onnx.ModelProto) -> None:
        loop = next(node for node in model.graph.node if node.op_type == "Loop")
        loop.input[0], loop.input[1] = ("forever", "") if not condition else ("num_steps", condition)

    assert "a Loop must count" in refused(changed(endless))


@pytest.mark.parametrize("pack", [gzip.compress, lambda c: zipped(c)])
def test_a_compressed_file_is_refused(pack: Callable[[bytes], bytes]) -> None:
    assert "is not compressed" in refused(pack(_SOUND))


def zipped(content: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.onnx", content)
    return made.getvalue()


def with_card(raw: str) -> bytes:
    def put(model: onnx.ModelProto) -> None:
        model.metadata_props[0].value = raw

    return changed(put)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: "[" * 100_000, "deeper than"),
        (lambda: '{"provenance":' * 40 + "1" + "}" * 40, "deeper than"),
        (lambda: '"' + '\\"' * 500_000, "bad card"),
        (lambda: "x" * 5_000_000, "bytes of metadata"),
        (lambda: card(golden=[{"text": "a" * 5000, "logprob": 0.0}]), "golden.0.text"),
        (lambda: card(golden=[{"text": "", "logprob": 0.0}] * 65), "golden"),
        (lambda: card(quality=[{}] * 300), "quality"),
        (lambda: card(format=10**400), "card"),
        (lambda: card(quantile_levels=[0.5] * 5000), "quantile_levels"),
    ],
    ids=["open", "deep", "quotes", "large", "long golden", "many golden", "quality", "number", "levels"],
)
def test_a_card_that_is_a_bomb_is_refused(make: Callable[[], str], told: str) -> None:
    assert told in refused(with_card(make()))


def card(**changes: object) -> str:
    return json.dumps({**json.loads(TEXT.card().to_json()), **changes})


def test_a_second_card_is_refused() -> None:
    more = onnx.StringStringEntryProto(key=CARD_KEY, value="{}")
    assert "'nextchar' twice" in refused(changed(lambda m: m.metadata_props.append(more)))


def test_names_that_are_no_text_or_too_long_are_refused() -> None:
    content = changed(lambda m: setattr(m.graph, "name", "nextchar_step_x"))
    assert "not an ONNX file" in refused(content.replace(b"nextchar_step_x", b"\xff" * 15))
    assert "a name has 5000" in refused(changed(lambda m: setattr(m.graph.node[0], "name", "x" * 5000)))
