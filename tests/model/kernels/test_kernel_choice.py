"""Compiled cells are used where they are installed and prove equal; else the graph of the file serves."""

import logging
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from support.tiny_models import CELL_NAMES, TEXT, TinyModel

from nextchar.model.card import Cell
from nextchar.model.golden import check_golden
from nextchar.model.graph import ModelGraph, graph_from_bytes
from nextchar.model.kernels import opening
from nextchar.model.kernels.fusing import DOMAIN, OPERATORS, fuse_cells
from nextchar.model.kernels.proof import first_difference
from nextchar.pb import onnx_part_pb2 as onnx

Install = Callable[..., None]


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Install:
    """Returns what puts a package of that name in place; None is a package that is not installed."""

    def put(package: SimpleNamespace | None) -> None:
        monkeypatch.setitem(sys.modules, "nextchar_kernels", package)

    return put


def package(**changes: object) -> SimpleNamespace:
    parts = {
        "INTERFACE": 1,
        "library_path": lambda: Path("missing") / "cells.so",
        "path_name": lambda: "portable",
    }
    return SimpleNamespace(**{**parts, **changes})


def opened(content: bytes | None = None) -> ModelGraph:
    graph = graph_from_bytes(content or TEXT.step_bytes(), shown="tiny", kernels="auto")
    check_golden(graph, shown="tiny")
    return graph


def body(content: bytes) -> onnx.Graph:
    model = onnx.Model()
    model.ParseFromString(content)
    return next(node for node in model.graph.node if node.op_type == "Loop").attribute[0].g


@pytest.mark.parametrize("cell", OPERATORS)
def test_a_fused_layer_is_its_products_and_one_operator(cell: Cell) -> None:
    model = TinyModel(cell, num_layers=2)
    step = body(fuse_cells(model.step_bytes("int8"), model.card()))
    assert [node.output[0] for node in step.node if node.domain == DOMAIN] == [
        f"h_{layer}_after_read" if cell == "gru" else f"h_{layer}_after" for layer in range(2)
    ]
    operators = {node.op_type for node in step.node}
    assert not operators & {"Sigmoid", "Tanh", "Split", "Mul", "Sub"}
    scaled = [node.output[0] for node in step.node if node.op_type == "MatMulIntegerToFloat"]
    assert scaled == ["logits"]


@pytest.mark.parametrize("cell", OPERATORS)
def test_a_fused_graph_has_the_states_of_the_file_and_no_constant_to_spare(cell: Cell) -> None:
    content = TinyModel(cell).step_bytes("int8")
    plain, fused = body(content), body(fuse_cells(content, TinyModel(cell).card()))
    assert (list(fused.input), list(fused.output)) == (list(plain.input), list(plain.output))
    read = {name for node in fused.node for name in node.input}
    read |= {n for node in fused.node for a in node.attribute for x in a.g.node for n in x.input}
    assert {tensor.name for tensor in fused.initializer} <= read


def test_every_cell_with_an_int8_graph_is_fused_but_the_gru_whose_products_follow_one_another() -> None:
    int8 = {name for name in CELL_NAMES if TinyModel(name).precision == "int8"}
    assert int8 - OPERATORS.keys() == {"gru_reset_first"}


def test_without_the_package_the_graph_of_the_file_serves_and_nothing_is_logged(
    install: Install, caplog: pytest.LogCaptureFixture
) -> None:
    install(None)
    assert opened().kernels == ""
    assert caplog.records == []


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"INTERFACE": 2}, "has operators of interface 2, this version of nextchar needs 1: install the"),
        ({"path_name": lambda: None}, "this processor has neither AVX-512 nor AVX2 with FMA"),
        ({"library_path": None.__class__}, "onnxruntime refuses them"),
        ({}, "onnxruntime refuses them"),
    ],
    ids=["other interface", "no path", "no library", "missing library"],
)
def test_a_package_that_cannot_be_used_costs_one_line_of_the_log(
    install: Install, caplog: pytest.LogCaptureFixture, changes: dict[str, object], why: str
) -> None:
    install(package(**changes))
    assert opened().kernels == ""
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage().startswith("tiny: runs without nextchar-kernels: ")
    assert why in record.getMessage()
    assert "\n" not in record.getMessage()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("def path_name(:", "SyntaxError"),
        ("import nextchar_kernels.gone", "No module named 'nextchar_kernels.gone'"),
        ("from sys import gone", "cannot import name 'gone'"),
        ("", "has no attribute 'INTERFACE'"),
        ("INTERFACE = 1\ndef library_path():\n    raise RuntimeError('moved')", "moved"),
    ],
    ids=["cut off", "without a module", "of another version", "empty", "raises"],
)
def test_a_package_that_is_damaged_costs_one_line_of_the_log(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    content: str,
    why: str,
) -> None:
    monkeypatch.setitem(sys.modules, "nextchar_kernels", None)  # so that it is forgotten after the test
    del sys.modules["nextchar_kernels"]
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "nextchar_kernels").mkdir()
    (tmp_path / "nextchar_kernels" / "__init__.py").write_text(content)
    assert opened().kernels == ""
    (record,) = caplog.records
    start = "tiny: runs without nextchar-kernels: the package cannot be loaded: "
    assert record.getMessage().startswith(start)
    assert why in record.getMessage()
    assert "\n" not in record.getMessage()


@pytest.mark.parametrize(
    ("seed", "used", "line"),
    [
        (0, "portable", "tiny: runs with nextchar-kernels (portable)"),
        (
            7,
            "",
            "tiny: runs without nextchar-kernels: they compute other numbers here: logprobs of 1 rows differ "
            "from onnxruntime's own",
        ),
    ],
    ids=["equal", "other"],
)
def test_a_session_with_compiled_cells_serves_only_if_it_computes_the_same_bits(
    install: Install,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    seed: int,
    used: str,
    line: str,
) -> None:
    """What onnxruntime opens with the library is a network of this seed; that of the file has seed 0."""
    install(package())
    other = TinyModel(seed=seed).step().session
    monkeypatch.setattr(opening, "open_session", lambda *_, **__: other)
    with caplog.at_level(logging.INFO):
        graph = opened()
    assert graph.kernels == used
    assert (graph.session is other) == bool(used)
    assert [record.getMessage() for record in caplog.records] == [line]


def test_a_graph_with_other_names_serves_as_it_is(install: Install, caplog: pytest.LogCaptureFixture) -> None:
    install(package())
    content = TEXT.step_bytes().replace(b"gates_0_product", b"gates_0_renamed")
    assert opened(content).kernels == ""
    (record,) = caplog.records
    assert "the graph is not as exports write it: KeyError('gates_0_product')" in record.getMessage()


@pytest.mark.parametrize(
    "content",
    [
        TEXT.step_bytes("float32"),
        TEXT.sequence_bytes(),
        TinyModel("gru_reset_first").step_bytes("int8"),
        TinyModel("rnn_relu").step_bytes("float32"),
    ],
    ids=["float32", "sequence", "reset first", "relu"],
)
def test_a_graph_without_cells_to_fuse_does_not_look_for_the_package(
    install: Install, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    install(package(INTERFACE=2))
    assert graph_from_bytes(content, shown="tiny", kernels="auto").kernels == ""
    assert caplog.records == []


def test_kernels_off_does_not_look_for_the_package(
    install: Install, caplog: pytest.LogCaptureFixture
) -> None:
    install(package(INTERFACE=2))
    assert graph_from_bytes(TEXT.step_bytes(), shown="tiny", kernels="off").kernels == ""
    assert caplog.records == []


def test_the_proof_finds_that_two_networks_differ_and_that_one_equals_itself() -> None:
    one, other = TEXT.step(), TinyModel(seed=7).step()
    assert first_difference(one.session, TEXT.step().session, one.vocabulary) is None
    assert first_difference(one.session, other.session, one.vocabulary) == "logprobs of 1 rows"
