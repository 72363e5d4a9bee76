"""Builds the loop around a network's step: K characters of every lane per call, drawn inside the graph.

    num_steps            int64 []               the number of characters, K ≥ 1
    ids                  int64 [batch]          the symbol that each row reads first
    given                int64 [K, batch]       the symbol at each position; below 0 to draw it
    uniforms             float64 [K, batch]     a random number in (0, 1) for each position
    inverse_temperature  float32 [batch]        of each row's draws
    h_0, …               [batch, hidden]        each row's states
  →
    symbols              int64 [K, batch]       given or drawn; a row reads its last one next
    logprobs             float32 [K, batch]     log p of each symbol, at temperature 1
    distribution         float32 [batch, num_outputs]  log-probabilities at the last position
    h_0_next, …          the states after

No operator mixes rows, and a row's bits do not depend on K: a call of K steps equals K calls of one step.
Symbols are drawn by inverse CDF on float64 sums of float32 weights; the draw is skipped where none is due.
"""

from dataclasses import dataclass

import numpy as np

from nextchar.model.card import Card
from nextchar_training.export.builder import GraphBuilder


@dataclass(frozen=True, slots=True)
class State:
    """A state of the step, which reads `name_before` and writes `name_after`: its type and last axis."""

    name: str
    type_name: str
    size: int


def build_lane_loop(step: GraphBuilder, states: list[State], card: Card) -> bytes:
    """Returns the bytes of a step graph, whose body `step` maps `ids_before` and states to `logits`."""
    vocabulary = card.make_vocabulary()
    _finish_body(step, states, vocabulary.num_outputs, vocabulary.unknown_id)
    main = GraphBuilder()
    main.input("num_steps", "int64", [])
    main.input("ids", "int64", ["batch"])
    main.input("given", "int64", ["steps", "batch"])
    main.input("uniforms", "float64", ["steps", "batch"])
    main.input("inverse_temperature", "float32", ["batch"])
    for state in states:
        main.input(state.name, state.type_name, ["batch", state.size])
    smallest = main.node("ReduceMin", ["given"], "smallest_given", keepdims=0)
    main.node("Less", [smallest, main.constant("none_drawn", np.array(0, dtype=np.int64))], "some_drawn")
    column = main.constant("column", np.array([1], dtype=np.int64))
    main.node("Unsqueeze", ["inverse_temperature", column], "inverse_temperature_column")
    nothing = main.constant("no_distribution", np.zeros((1, 1), dtype=np.float32))
    main.nodes(
        "Loop",
        ["num_steps", "", "ids", nothing, *(state.name for state in states)],
        ["last_ids", "distribution", *(f"{state.name}_next" for state in states), "symbols", "logprobs"],
        body=step,
    )
    main.output("symbols", "int64", ["steps", "batch"])
    main.output("logprobs", "float32", ["steps", "batch"])
    main.output("distribution", "float32", ["batch", vocabulary.num_outputs])
    for state in states:
        main.output(f"{state.name}_next", state.type_name, ["batch", state.size])
    return main.build("nextchar_step", card)


def _finish_body(g: GraphBuilder, states: list[State], num_outputs: int, unknown_id: int | None) -> None:
    """Adds to a step the choice of symbols from its logits, and makes it the body of the loop."""
    g.input("iteration", "int64", [])
    g.input("condition", "bool", [])
    g.input("ids_before", "int64", ["batch"])
    g.input("distribution_before", "float32", None)
    for state in states:
        g.input(f"{state.name}_before", state.type_name, ["batch", state.size])
    g.node("Identity", ["condition"], "condition_next")
    g.node("LogSoftmax", ["logits"], "log_softmax", axis=1)
    g.node("Gather", ["given", "iteration"], "given_now", axis=0)
    none = g.constant("drawn_below", np.array(0, dtype=np.int64))
    g.node(
        "If",
        ["some_drawn"],
        "ids_after",
        then_branch=_draw(num_outputs, unknown_id, none),
        else_branch=_no_draw(),
    )
    column = g.constant("symbol_column", np.array([1], dtype=np.int64))
    g.node("Unsqueeze", ["ids_after", column], "chosen")
    g.node("GatherElements", ["log_softmax", "chosen"], "chosen_logprob", axis=1)
    g.node("Squeeze", ["chosen_logprob", column], "logprob")
    g.node("Identity", ["ids_after"], "symbol")
    g.output("condition_next", "bool", [])
    g.output("ids_after", "int64", ["batch"])
    g.output("log_softmax", "float32", ["batch", num_outputs])
    for state in states:
        g.output(f"{state.name}_after", state.type_name, ["batch", state.size])
    g.output("symbol", "int64", ["batch"])
    g.output("logprob", "float32", ["batch"])


def _draw(num_outputs: int, unknown_id: int | None, none: str) -> GraphBuilder:
    """Draws by inverse CDF: counts the symbols whose cumulative weight is at most `uniform · total`."""
    g = GraphBuilder()
    axis = g.constant("symbol_axis", np.array([1], dtype=np.int64))
    scaled = g.node("Mul", ["logits", "inverse_temperature_column"], "scaled")
    if unknown_id is not None:  # it stands for no character: it is never drawn
        mask = np.zeros(num_outputs, dtype=np.float32)
        mask[unknown_id] = -np.inf
        scaled = g.node("Add", [scaled, g.constant("never", mask)], "allowed")
    weights = g.cast(g.node("Softmax", [scaled], "weights", axis=1), "float64", "exact_weights")
    cumulative = g.node("CumSum", [weights, g.constant("along", np.array(1, dtype=np.int64))], "cumulative")
    last = g.constant("last_symbol", np.array([num_outputs - 1], dtype=np.int64))
    total = g.node("Gather", [cumulative, last], "total", axis=1)
    uniform = g.node("Gather", ["uniforms", "iteration"], "uniform", axis=0)
    target = g.node("Mul", [total, g.node("Unsqueeze", [uniform, axis], "uniform_column")], "target")
    passed = g.cast(g.node("LessOrEqual", [cumulative, target], "passed"), "float32", "passed_as_float")
    # Counted in floats, exact up to 2^24: onnxruntime sums integers in three times as long.
    g.cast(g.node("ReduceSum", [passed, axis], "num_passed", keepdims=0), "int64", "drawn")
    g.node("Where", [g.node("Less", ["given_now", none], "draws"), "drawn", "given_now"], "next_then")
    g.output("next_then", "int64", None)
    return g


def _no_draw() -> GraphBuilder:
    g = GraphBuilder()
    g.node("Identity", ["given_now"], "next_else")
    g.output("next_else", "int64", None)
    return g
