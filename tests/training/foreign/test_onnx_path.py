"""An ONNX file is imported if it is one path of known operators, and if it computes what is served."""

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import NodeProto, TensorProto, helper, numpy_helper
from torch import Tensor, nn
from training.foreign.makers import CHARS, TEXT, OfModules

from nextchar.model.golden import symbol_logprobs
from nextchar.model.graph import open_graph
from nextchar_training.foreign.error import ImportRefused
from nextchar_training.foreign.importer import Hints, Imported, import_file

SYMBOLS = '"' + CHARS.replace("\n", "\\n") + '"'
IDS = torch.tensor([CHARS.index(character) for character in "\n" + TEXT])


class _With(OfModules):
    """A network with something between two of its layers, or with a first state of its own."""

    def __init__(
        self,
        kind: str = "GRU",
        before: Callable[[Tensor], Tensor] | None = None,
        after: Callable[[Tensor], Tensor] | None = None,
        *,
        batch_first: bool = False,
        start: bool = False,
    ) -> None:
        super().__init__(kind, num_layers=1, batch_first=batch_first)
        self.before, self.after = before or nn.Identity(), after or nn.Identity()
        self.begun = nn.Parameter(torch.randn(1, 1, 24) / 3) if start else None

    def forward(self, ids: Tensor) -> Tensor:
        axis = 0 if self.rnn.batch_first else 1
        state = () if self.begun is None else ((self.begun, self.begun),)
        state = state if self.rnn.mode == "LSTM" or self.begun is None else (self.begun,)
        hidden, _ = self.rnn(self.before(self.encoder(ids)).unsqueeze(axis), *state)
        logits: Tensor = self.decoder(self.after(hidden.squeeze(axis)))
        return logits


def _import(module: nn.Module, folder: Path, *, free: bool = True) -> Imported:
    file, symbols = folder / "mine.onnx", folder / "symbols.json"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        axes = {"ids": [0]} if free else None
        torch.onnx.export(
            module.eval(),
            (IDS,),
            file,
            dynamo=False,
            opset_version=17,
            input_names=["ids"],
            dynamic_axes=axes,
        )
    symbols.write_text(SYMBOLS)
    return import_file(file, symbols, name="mine", models=folder / "models", hints=Hints())


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


REFUSED = {
    "layer norm": (lambda: _With(after=nn.LayerNorm(24)), "has LayerNormalization"),
    "hidden layer": (lambda: _With(after=nn.Sequential(nn.Linear(24, 24), nn.ReLU())), "has Relu"),
    "two products": (lambda: _With(after=nn.Linear(24, 24)), "has (Gemm|Add)"),
    "scaled embedding": (lambda: _With(before=lambda x: 2 * x), "has Mul"),
    "first state of an LSTM": (lambda: _With("LSTM", start=True), "must be of one layer of an RNN or GRU"),
    "mirrored units": (lambda: _With(after=lambda x: x.flip(-1)), "differs from the original by"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_with_another_part_is_refused(name: str, tmp_path: Path) -> None:
    make, reason = REFUSED[name]
    with pytest.raises(ImportRefused, match=reason) as refused:
        _import(make(), tmp_path)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "models").exists()


def _write_by_hand(file: Path, maker: NodeProto) -> None:
    """Writes an RNN of an embedding whose weights of the last product `maker` computes from `constant`."""
    draw = np.random.default_rng(0)
    num, units = len(CHARS), 4
    shapes = {"table": (num, 3), "W": (1, units, 3), "R": (1, units, units), "constant": (units + 1, num)}
    constants = {name: (draw.normal(size=shape) / 3).astype(np.float32) for name, shape in shapes.items()}
    constants |= {"long": np.array([num, num])}
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["x"]),
        helper.make_node("RNN", ["x", "W", "R"], ["y", "last"], hidden_size=units),
        helper.make_node("Squeeze", ["y"], ["hidden"], axes=[1]),
        maker,
        helper.make_node("MatMul", ["hidden", "output"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "by hand",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, ["time", 1])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    opsets = [helper.make_opsetid("", 11), helper.make_opsetid("own", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets), file)
    (file.parent / "symbols.json").write_text(SYMBOLS)


@pytest.mark.parametrize(
    ("operator", "inputs", "domain"),
    [("Own", ["constant"], "own"), ("Reshape", ["constant", "long"], "")],
)
def test_constants_that_onnx_cannot_compute_are_refused_in_a_sentence(
    operator: str, inputs: list[str], domain: str, tmp_path: Path
) -> None:
    maker = helper.make_node(operator, inputs, ["output"], domain=domain)
    _write_by_hand(tmp_path / "own.onnx", maker)
    with pytest.raises(ImportRefused, match=f"{operator} of constants must be computable by onnx"):
        _import_file(tmp_path / "own.onnx")


def _import_file(file: Path) -> Imported:
    return import_file(
        file, file.parent / "symbols.json", name="mine", models=file.parent / "models", hints=Hints()
    )


def test_constants_that_an_old_exporter_left_arithmetic_on_are_computed(tmp_path: Path) -> None:
    """Until operator set 13, Split had its sizes as an attribute."""
    maker = helper.make_node("Split", ["constant"], ["output", "rest"], axis=0, split=[4, 1])
    _write_by_hand(tmp_path / "old.onnx", maker)
    difference = _import_file(tmp_path / "old.onnx").comparison.difference
    assert difference is not None
    assert difference < 1e-5


@pytest.mark.parametrize("free", [True, False])
@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("start", [True, False])
@pytest.mark.parametrize("kind", ["RNN", "GRU"])
def test_a_file_is_compared_as_it_runs_itself_also_with_a_first_state_of_its_own(
    kind: str, start: bool, batch_first: bool, free: bool, tmp_path: Path
) -> None:
    module = _With(kind, start=start, batch_first=batch_first)
    made = _import(module, tmp_path, free=free)
    assert made.comparison.difference is not None
    assert made.comparison.difference < 1e-5
    assert made.comparison.num_chars > 100
    graph = open_graph(made.folder / "model.onnx")
    (found,) = symbol_logprobs(graph, [graph.vocabulary.encode(TEXT)])
    with torch.no_grad():
        expected = module(IDS[:-1]).double().log_softmax(-1)[range(len(TEXT)), IDS[1:]].numpy()
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_softmax_behind_the_product_changes_nothing(tmp_path: Path) -> None:
    module = _With()
    module.decoder = nn.Sequential(module.decoder, nn.LogSoftmax(dim=-1))
    assert _import(module, tmp_path).comparison.difference is not None


class _TimeFirst(OfModules):
    """A network of ids [time, batch], and of [batch, time] if so made, with states that a caller gives."""

    def __init__(self, *, batch_first: bool) -> None:
        super().__init__("LSTM", batch_first=batch_first)

    def forward(self, ids: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        hidden, (h, c) = self.rnn(self.encoder(ids), (h, c))
        return self.decoder(hidden), h, c


@pytest.mark.parametrize("batch_first", [True, False])
def test_the_axis_of_time_is_found(batch_first: bool, tmp_path: Path) -> None:
    module, state = _TimeFirst(batch_first=batch_first).eval(), torch.zeros(2, 1, 24)
    given = (IDS.unsqueeze(0 if batch_first else 1), state, state)
    axes = {"ids": [0, 1], "h": [1], "c": [1]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            given,
            tmp_path / "mine.onnx",
            dynamo=False,
            opset_version=17,
            input_names=[*axes],
            dynamic_axes=axes,
        )
    (tmp_path / "symbols.json").write_text(SYMBOLS)
    made = import_file(
        tmp_path / "mine.onnx", tmp_path / "symbols.json", name="mine", models=tmp_path, hints=Hints()
    )
    assert made.comparison.difference is not None
    assert made.comparison.num_chars > 1000
