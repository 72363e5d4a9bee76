"""The formulas of docs/scale.md agree with cases that are known, and its tables are those of the command."""

import json
from itertools import pairwise
from pathlib import Path

import pytest
from benchmarks.engine.markdown import between
from benchmarks.scale.__main__ import PAGE, USUAL
from benchmarks.scale.plan import NODES, Assumptions, num_primaries, tables
from benchmarks.scale.queueing import busiest, shared, speed_of, wait, wait_of_two_choices
from benchmarks.scale.units import NOT_MEASURED, UnitCosts

_SERVE = {"1": {"http-streamed": 100.0}, "4": {"http-streamed": 200.0}}


def costs(folder: Path, **parts: object) -> UnitCosts:
    (folder / "results.json").write_text(json.dumps({"facts": {"a": {"cores": 4}}, "serve": _SERVE, **parts}))
    return UnitCosts(folder / "results.json")


def test_an_engine_of_one_speed_is_the_queue_of_one_server() -> None:
    """M/M/1: L = ρ / (1 − ρ), and of k lanes all are taken with probability ρ to the power of k."""
    for max_lanes in (1, 5, 200):
        found = shared(lambda _: 50.0, max_lanes=max_lanes, load=0.8, chars_per_completion=10)
        assert found.num_lanes == pytest.approx(4)
        assert found.waiting == pytest.approx(0.8**max_lanes)
        assert found.seconds == pytest.approx(4 / (0.8 * 50 / 10))  # Little's law


def test_an_engine_whose_lanes_do_not_slow_each_other_is_that_of_many_servers() -> None:
    """M/M/k: the probability of waiting is Erlang's C, as `wait` has it in service times."""
    k, load = 4, 0.7
    found = shared(lambda n: 3.0 * n, max_lanes=k, load=load, chars_per_completion=6)
    assert found.waiting / (k * (1 - load)) == pytest.approx(wait(k, load))
    assert found.seconds == pytest.approx((1 + wait(k, load)) * 6 / 3)


@pytest.mark.parametrize("load", [0.0, 1.0, -0.5, 2.0])
def test_a_load_that_never_ends_is_refused(load: float) -> None:
    with pytest.raises(ValueError, match="load must be between 0 and 1"):
        shared(lambda _: 1.0, max_lanes=1, load=load, chars_per_completion=1)


def test_speeds_between_measured_ones_come_from_a_straight_line_of_step_times() -> None:
    speed = speed_of({1: 100.0, 4: 200.0, 8: 300.0})
    assert [speed(n) for n in (1, 4, 8)] == pytest.approx([100, 200, 300])
    assert 2 / speed(2) == pytest.approx(1 / 100 + (4 / 200 - 1 / 100) / 3)
    assert 10 / speed(10) == pytest.approx(8 / 300 + (8 / 300 - 4 / 200) / 2)


def test_a_wait_is_that_of_the_formula_of_pollaczek_and_khinchine() -> None:
    assert wait(1, 0.8) == pytest.approx(0.8 / 0.2)
    assert wait(1, 0.8, variability=0) == pytest.approx(0.8 / 0.2 / 2)
    assert wait(2, 0.5) == pytest.approx(1 / 3)  # ρ² / (1 − ρ²)


def test_more_servers_of_one_queue_wait_less_and_two_choices_lie_between() -> None:
    for load in (0.5, 0.9):
        assert [wait(k, load) for k in (1, 2, 4, 16)] == sorted(wait(k, load) for k in (1, 2, 4, 16))[::-1]
        assert wait(16, load) < wait_of_two_choices(load) < wait(1, load)
    assert wait_of_two_choices(0.5) == pytest.approx(0.5**2 + 0.5**6 + 0.5**14 + 0.5**30)


def test_a_hash_is_the_less_even_the_more_nodes_there_are_and_the_fewer_users() -> None:
    assert busiest(200, 1) == 1
    assert all(busiest(200, n) < busiest(200, m) for n, m in pairwise(NODES))
    assert busiest(20, 100) > busiest(200, 100)


def test_a_figure_is_read_with_its_part_and_one_that_is_missing_names_the_command(tmp_path: Path) -> None:
    found = costs(tmp_path, peers={"nextchar, all cores": {"64": 400.0}}, score="not measured: no")
    assert found.value("chars_per_core") == 100
    assert found.value("strings_per_core") is None
    assert found.value("session") is None
    (row,) = [row for row in found.rows() if row[0] == "a session in Valkey"]
    assert row == ["a session in Valkey", NOT_MEASURED, "bytes", "`python -m benchmarks store`"]
    with pytest.raises(LookupError, match="run python -m benchmarks sessions"):
        found.known("sealed")


def test_a_node_is_measured_with_an_engine_on_each_core_whatever_the_default_was(tmp_path: Path) -> None:
    by_default = {"nextchar": {"64": 800.0}, "nextchar, one engine": {"64": 300.0}}
    assert costs(tmp_path, peers=by_default).value("chars_per_core") == 200
    one_by_default = {"nextchar": {"64": 300.0}, "nextchar, all cores": {"64": 800.0}}
    assert costs(tmp_path, peers=one_by_default).value("chars_per_core") == 200


def test_primaries_are_counted_from_what_was_measured_in_valkey(tmp_path: Path) -> None:
    store = {"bytes in Valkey per session": 2.0**20, "bytes to Valkey per feed": 1e4}
    measured = costs(tmp_path, store={**store, "µs of Valkey per feed": 50.0})
    chosen = Assumptions(users_per_node=100, keys_per_second=2.0, sessions_per_user=1, primary_gib=10.0)
    needed = num_primaries(measured, chosen, 100)
    assert needed["memory"] == pytest.approx(10_000 / 1024 / 10)
    assert needed["network"] == pytest.approx(20_000 * 1e4 * 8 / 10e9)
    assert needed["its one thread"] == pytest.approx(20_000 * 50e-6)
    assert needed["connections"] == pytest.approx(100 * 64 / 10_000)


def test_the_tables_of_the_page_are_those_of_the_command() -> None:
    page = PAGE.read_text()
    for name, text in tables(UnitCosts(USUAL), Assumptions()).items():
        assert between(page, name) == text, f"{name}: run python -m benchmarks.scale --write"
