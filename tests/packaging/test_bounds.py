"""What docs/performance.md says a machine could do follows from the network and from counts."""

import onnx
import pytest
from benchmarks.engine import bounds
from benchmarks.engine.bounds import TILES, TWO_PORTS, ZEN4, num_weights
from benchmarks.engine.markdown import between, replaced, table
from benchmarks.engine.network import make_network, step_bytes
from benchmarks.engine.products import product_shapes

_SHAPES = [(64, 128), (100, 20)]


@pytest.mark.parametrize("num_layers", [1, 2, 3])
def test_the_products_that_are_counted_are_those_of_the_step_graph(num_layers: int) -> None:
    network = make_network(32, num_layers)
    graph = onnx.load_from_string(step_bytes(network, "int8")).graph
    (loop,) = [node for node in graph.node if node.op_type == "Loop"]
    (body,) = [attribute.g for attribute in loop.attribute if attribute.name == "body"]
    sizes = {tensor.name: tuple(tensor.dims) for tensor in body.initializer}
    products = [node for node in body.node if "MatMul" in node.op_type]
    assert [sizes[node.input[1]] for node in products] == product_shapes(network)


def test_a_tile_instruction_has_1024_multiply_adds_a_cycle_and_a_vector_128_or_64() -> None:
    assert [unit.multiply_adds / unit.cycles for unit in (TILES, TWO_PORTS, ZEN4)] == [1024, 128, 64]


def test_a_block_that_is_not_full_takes_as_long_as_a_full_one() -> None:
    assert TILES.arithmetic_cycles(_SHAPES, 16) == 16 * (1 * 8 + 2 * 2)
    assert TILES.arithmetic_cycles(_SHAPES, 1) == TILES.arithmetic_cycles(_SHAPES, 16)
    assert TILES.arithmetic_cycles(_SHAPES, 17) == 2 * TILES.arithmetic_cycles(_SHAPES, 16)
    assert ZEN4.arithmetic_cycles(_SHAPES, 3) == 3 * (16 * 8 + 25 * 2)


def test_the_slower_of_arithmetic_and_cache_is_the_bound() -> None:
    assert num_weights(_SHAPES) == 64 * 128 + 100 * 20
    assert TWO_PORTS.cache_cycles(_SHAPES) > TWO_PORTS.arithmetic_cycles(_SHAPES, 1)
    assert TWO_PORTS.chars_per_second(_SHAPES, 1, 2.0) == 2e9 / (num_weights(_SHAPES) / 64)
    cycles = TWO_PORTS.arithmetic_cycles(_SHAPES, 64)
    assert cycles > TWO_PORTS.cache_cycles(_SHAPES)
    assert TWO_PORTS.chars_per_second(_SHAPES, 64, 2.0) == 64 * 2e9 / cycles


def test_at_its_lowest_clock_a_unit_just_reaches_a_rate() -> None:
    lowest = bounds.lowest_gigahertz(TILES, _SHAPES, 64, 1e8)
    assert TILES.chars_per_second(_SHAPES, 64, lowest) == pytest.approx(1e8)


def test_the_tables_of_the_page_are_those_of_the_command() -> None:
    written = between(bounds.PAGE.read_text(), "bounds")
    assert written == bounds.tables(product_shapes(make_network(512, 2))), "run the command with --write"


def test_a_table_replaces_what_is_between_the_marks_of_its_name() -> None:
    page = "a\n<!-- x: begin -->\nold\n<!-- x: end -->\nb\n"
    new = replaced(page, "x", table(["n", "m"], [["1", "2"]]))
    assert new == "a\n<!-- x: begin -->\n| n | m |\n| --- | --- |\n| 1 | 2 |\n<!-- x: end -->\nb\n"
    assert between(new, "x").startswith("| n | m |")
    with pytest.raises(ValueError):
        between(page, "y")
