"""The compiled cells of `kernels/` compute the bits of onnxruntime's own operators, however they are reached.

They are built here with CMake where the headers of onnxruntime are: in `kernels/include`, in Debian's
libonnxruntime-dev, or where ONNXRUNTIME_INCLUDE_DIR says. Otherwise an installed nextchar-kernels is tested.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from support.tiny_models import TinyModel
from support.tools import debian_program

from nextchar.model.card import Cell
from nextchar.model.graph import ModelGraph, graph_from_bytes
from nextchar.model.kernels.fusing import OPERATORS
from nextchar.model.kernels.library import KernelsUnusable, find_library
from nextchar_training.export.step import build_step_graph

_ROOT = Path(__file__).parents[3]
_SOURCE = _ROOT / "kernels"
_PATHS = ("avx512", "avx2", "portable")
_INSTALLED = importlib.util.find_spec("nextchar_kernels") is not None


def headers() -> Path | None:
    """Returns the folder of onnxruntime's headers, where there is one."""
    named = os.environ.get("ONNXRUNTIME_INCLUDE_DIR")
    places = [Path(named)] if named else [_SOURCE / "include", Path("/usr/include/onnxruntime")]
    return next((place for place in places if (place / "onnxruntime_c_api.h").is_file()), None)


def built(source: Path, folder: Path) -> Path:
    """Builds the library of a source folder; returns the folder that has the package; skips if it cannot."""
    include = headers()
    if include is None:
        pytest.skip(
            "onnxruntime's headers are not here; kernels/README.md says where they come from "
            "(Debian 13: apt install libonnxruntime-dev)"
        )
    cmake = debian_program("cmake", "cmake")
    debian_program("c++", "g++")
    options = ["-S", source, "-B", folder / "build", f"-DONNXRUNTIME_INCLUDE_DIR={include}"]
    for command in (
        [cmake, *options],
        [cmake, "--build", folder / "build"],
        [cmake, "--install", folder / "build", "--prefix", folder],
    ):
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    shutil.copy(source / "nextchar_kernels" / "__init__.py", folder / "nextchar_kernels")
    return folder


def placed(monkeypatch: pytest.MonkeyPatch, folder: Path) -> ModuleType:
    """Imports the package of a folder for one test."""
    monkeypatch.setitem(sys.modules, "nextchar_kernels", None)  # so that it is forgotten after the test
    del sys.modules["nextchar_kernels"]
    monkeypatch.syspath_prepend(folder)
    return importlib.import_module("nextchar_kernels")


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path | None:
    """Returns the folder of the package that is built from this tree; None if the installed one is tested."""
    if headers() is None and _INSTALLED:
        return None
    return built(_SOURCE, tmp_path_factory.mktemp("kernels"))


@pytest.fixture
def kernels(package: Path | None, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    if package is None:
        yield importlib.import_module("nextchar_kernels")
    else:
        yield placed(monkeypatch, package)


@pytest.fixture(params=_PATHS)
def path(request: pytest.FixtureRequest, kernels: ModuleType, monkeypatch: pytest.MonkeyPatch) -> str:
    """Forces each implementation in turn that this processor can run."""
    monkeypatch.setenv("NEXTCHAR_KERNELS_PATH", request.param)
    if kernels.path_name() is None:
        pytest.skip(f"this processor cannot run {request.param}")
    return str(request.param)


def pair(model: TinyModel, path: str, *, gain: float = 1) -> tuple[ModelGraph, ModelGraph]:
    """Returns a model's graph as the file has it and with compiled cells; `gain` multiplies its weights."""
    weights = model.weights()
    for layer in weights.layers:
        for array in (layer.input, layer.recurrent, layer.input_bias, layer.recurrent_bias):
            array *= gain
    content = build_step_graph(weights, "int8", model.card(precision="int8"))
    plain = graph_from_bytes(content, shown="tiny")
    fused = graph_from_bytes(content, shown="tiny", kernels="auto")
    assert fused.kernels == path
    return plain, fused


def rows(
    graph: ModelGraph, num_rows: int, rng: np.random.Generator, floats: np.ndarray
) -> dict[str, np.ndarray]:
    """Makes the inputs of a call of two steps, the first drawn; float32 states are picked from `floats`."""
    v = graph.vocabulary
    feed = {
        "num_steps": np.array(2, dtype=np.int64),
        "ids": rng.integers(0, v.num_inputs, num_rows),
        "given": np.stack([np.full(num_rows, -1), rng.integers(0, v.num_outputs, num_rows)]),
        "uniforms": rng.random((2, num_rows)),
        "inverse_temperature": np.ones(num_rows, dtype=np.float32),
    }
    for name, (dtype, size) in graph.state_shapes.items():
        shape = (num_rows, size)
        whole = rng.integers(0, 256, shape).astype(np.uint8)
        feed[name] = whole if dtype == np.uint8 else rng.choice(floats, shape).astype(np.float32)
    return feed


def assert_same_bits(plain: ModelGraph, fused: ModelGraph, feed: dict[str, np.ndarray]) -> None:
    names = list(plain.signature.outputs)
    found = zip(names, plain.session.run(names, feed), fused.session.run(names, feed), strict=True)
    assert [name for name, a, b in found if a.tobytes() != b.tobytes()] == []


@pytest.mark.parametrize("cell", OPERATORS)
def test_every_path_computes_the_bits_of_the_graph_for_every_batch_size(cell: Cell, path: str) -> None:
    plain, fused = pair(TinyModel(cell, hidden_size=43), path)
    rng = np.random.default_rng(0)
    states = rng.normal(size=4096)
    for num_rows in range(258):
        assert_same_bits(plain, fused, rows(plain, num_rows, rng, states))


@pytest.mark.parametrize("hidden_size", [1, 7, 8, 15, 16, 17, 64])
@pytest.mark.parametrize("cell", OPERATORS)
def test_the_end_of_a_row_is_computed_like_its_middle(cell: Cell, path: str, hidden_size: int) -> None:
    plain, fused = pair(TinyModel(cell, hidden_size=hidden_size, num_layers=3), path)
    rng = np.random.default_rng(1)
    assert_same_bits(plain, fused, rows(plain, 33, rng, rng.normal(size=4096)))


@pytest.mark.parametrize("gain", [1e-30, 1e-3, 30.0, 3000.0])
@pytest.mark.parametrize("cell", OPERATORS)
def test_gates_that_are_shut_and_states_of_any_size_make_no_difference(
    cell: Cell, path: str, gain: float
) -> None:
    plain, fused = pair(TinyModel(cell, hidden_size=48), path, gain=gain)
    rng = np.random.default_rng(2)
    edges = [0.0, -0.0, 1e-45, -1e-45, 1e-38, 1.0, -1.0, 9.0, -9.0, 18.0, 1e4, -1e4, 1e30, -1e30]
    for _ in range(8):
        assert_same_bits(plain, fused, rows(plain, 64, rng, np.array(edges)))


def test_the_best_path_is_chosen_where_none_is_named(
    kernels: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NEXTCHAR_KERNELS_PATH", raising=False)
    flags = Path("/proc/cpuinfo").read_text().split()
    best = "avx512" if "avx512vl" in flags else "avx2" if "avx2" in flags else None
    assert kernels.path_name() == best
    if best is None:
        with pytest.raises(KernelsUnusable, match="neither AVX-512 nor AVX2"):
            find_library()
    else:
        library = find_library()
        assert library is not None
        assert library.path_name == best


def test_an_id_without_a_row_is_an_error_and_not_read(path: str) -> None:
    graph = graph_from_bytes(TinyModel().step_bytes(), shown="tiny", kernels="auto")
    assert graph.kernels == path
    feed = rows(graph, 2, np.random.default_rng(3), np.zeros(1))
    feed["ids"][1] = graph.vocabulary.num_inputs
    with pytest.raises(Exception, match="LstmCell: an id has no row in the addend"):
        graph.session.run(None, feed)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [("V::set(0.5f)", "V::set(0.500001f)"), ("summand<V>(row.gates, row.hidden, 3, k)", "V::set(0.0f)")],
    ids=["a constant", "a gate"],
)
def test_a_library_that_computes_other_numbers_is_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    right: str,
    wrong: str,
) -> None:
    doctored = tmp_path / "source"
    shutil.copytree(_SOURCE, doctored, ignore=shutil.ignore_patterns("include", "build"))
    cells = doctored / "src" / "cells.h"
    assert right in cells.read_text()
    cells.write_text(cells.read_text().replace(right, wrong))
    placed(monkeypatch, built(doctored, tmp_path))
    monkeypatch.setenv("NEXTCHAR_KERNELS_PATH", "portable")
    graph = graph_from_bytes(TinyModel().step_bytes(), shown="tiny", kernels="auto")
    assert graph.kernels == ""
    (record,) = caplog.records
    assert "runs without nextchar-kernels: they compute other numbers here: " in record.getMessage()
