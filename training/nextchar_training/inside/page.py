"""Renders the parts of an analysis as HTML: gradient flow, gates and units, long dependencies, recall."""

from collections.abc import Iterator, Sequence

import numpy as np

from nextchar.model.card import Cell
from nextchar.model.graph import ModelGraph
from nextchar.model.vocabulary import Vocabulary
from nextchar_training.batches.lines import EncodedLines
from nextchar_training.inside.gates import LayerTrace, trace
from nextchar_training.inside.gradient_flow import GradientFlow, gradient_flow
from nextchar_training.inside.interpretable_units import Unit, most_like, properties
from nextchar_training.inside.probes import PROBES, Memory, known, memory
from nextchar_training.inside.recall import train_recall
from nextchar_training.inside.small_networks import HIDDEN_SIZE, train_small
from nextchar_training.network.cells.table import CELLS
from nextchar_training.network.network import CharRNN
from nextchar_training.page import html as html
from nextchar_training.page.charts import Series, heat_map, line_chart
from nextchar_training.text.split import Split
from nextchar_training.text.vocabulary import encode

COMPARED: tuple[Cell, ...] = ("rnn_tanh", "rnn_relu", "lstm", "gru")
DISTANCES = (0, 10, 20, 50, 100, 200, 400, 800)
LAGS = (5, 10, 20, 40, 80, 160)
GRADIENT_STEPS, RECALL_STEPS = 300, 1000
_NUM_UNIT_CHARS = 20_000
_UNITS_PER_PROPERTY, _MAX_SHOWN_CHARS = 2, 160


def gradient_part(
    model: CharRNN, vocabulary: Vocabulary, split: Split, *, steps: int = GRADIENT_STEPS
) -> Iterator[str]:
    """Renders ‖∂h_t/∂s_{t-k}‖ of this network, and of small ones of four cells trained for `steps`."""
    yield html.heading("Gradient flow")
    heldout = split.heldout[:_NUM_UNIT_CHARS]
    whole = (
        EncodedLines(heldout, vocabulary).sequence() if split.unit == "line" else encode(vocabulary, heldout)
    )
    flows = {f"this network ({CELLS[model.config.cell].title})": gradient_flow(model, whole)}
    for cell in COMPARED:
        small = train_small(cell, split, vocabulary, steps=steps)
        flows[f"{CELLS[cell].title}, {HIDDEN_SIZE} units"] = gradient_flow(small, whole)
    yield html.paragraph(
        "The share of a gradient that is left k characters back. A falling straight line is a vanishing "
        f"gradient, a rising one an exploding gradient. The small networks were trained for {steps} steps."
    )
    yield html.picture(flow_chart(flows), "Relative gradient norm against distance, by cell")
    rows = [
        (name, *(f"{flow.norms[k]:.1e}" for k in (10, 50, 100)), flow.decay) for name, flow in flows.items()
    ]
    yield html.table(["network", "k = 10", "k = 50", "k = 100", "factor per character"], rows)


def flow_chart(flows: dict[str, GradientFlow]) -> str:
    """Draws norm against distance, on a logarithmic scale."""
    series = [Series(name, range(len(flow.norms)), flow.norms.tolist()) for name, flow in flows.items()]
    return line_chart(series, x_label="k, characters back", y_label="relative gradient norm", log_y=True)


def gates_part(model: CharRNN, vocabulary: Vocabulary, split: Split, text: str) -> Iterator[str]:
    """Renders the interpretable units, and gates and states over a text."""
    yield html.heading("Interpretable units")
    read, states = _read(model, vocabulary, split)
    chosen = {
        name: most_like(states, values, _UNITS_PER_PROPERTY) for name, values in properties(read).items()
    }
    rows = [
        (name, unit.layer + 1, unit.index, unit.correlation)
        for name, units in chosen.items()
        for unit in units
    ]
    yield html.paragraph(
        f"Correlation of units' states with properties of the text, over {len(read):,} held-out characters."
    )
    yield html.table(["property", "layer", "unit", "correlation"], rows)
    yield html.heading("Gates and states over a text")
    normal = vocabulary.normalize(text)[:_MAX_SHOWN_CHARS]
    yield from _gate_maps(trace(model, vocabulary.encode(text)[:_MAX_SHOWN_CHARS]), normal, chosen)


def _read(model: CharRNN, vocabulary: Vocabulary, split: Split) -> tuple[str, list[LayerTrace]]:
    """Traces held-out characters; lines are read from begin, and their ends are left out."""
    text = split.heldout[:_NUM_UNIT_CHARS]
    if split.unit == "text":
        return str(text), trace(model, encode(vocabulary, text))
    lines = [line for line in str(text).split("\n") if line]
    traces = [trace(model, np.append(vocabulary.begin_id, vocabulary.encode(line))) for line in lines]
    joined = [
        LayerTrace(
            {name: np.concatenate([t[k].values[name][1:] for t in traces]) for name in traces[0][k].values}
        )
        for k in range(len(traces[0]))
    ]
    return "".join(lines), joined


def _gate_maps(traces: list[LayerTrace], text: str, chosen: dict[str, list[Unit]]) -> Iterator[str]:
    columns = ["↵" if character == "\n" else character for character in text]
    for layer, values in enumerate(traces):
        gates = [name for name in values.values if name.endswith("gate")]
        units = {unit.index: name for name, found in chosen.items() for unit in found if unit.layer == layer}
        for name in gates:
            rows = ["mean of all units", *(f"unit {k}: {what}" for k, what in units.items())]
            shown = [values.values[name].mean(axis=1), *(values.values[name][:, k] for k in units)]
            chart = heat_map(np.array(shown), columns=columns, rows=rows, low=0, high=1)
            yield html.paragraph(f"Layer {layer + 1}, {name} (0 closed, 1 open)")
            yield html.picture(chart, f"{name} of layer {layer + 1} over the text", wide=True)
        if units:
            state = np.array([values.state[:, k] for k in units])
            rows = [f"unit {k}: {what}" for k, what in units.items()]
            most = float(np.abs(state).max())
            yield html.paragraph(
                f"Layer {layer + 1}, {'cell' if 'cell' in values.values else 'hidden'} state"
            )
            chart = heat_map(state, columns=columns, rows=rows, low=-most, high=most)
            yield html.picture(chart, f"States of layer {layer + 1} over the text", wide=True)


def dependency_part(graph: ModelGraph) -> Iterator[str]:
    """Renders how much of a fact is left as the distance grows."""
    yield html.heading("Long dependencies")
    found = {probe.name: memory(graph, probe, DISTANCES) for probe in PROBES if known(graph, probe)}
    if not found:
        yield html.paragraph("No probe can be written in this model's characters and unit.")
        return
    yield html.paragraph(
        "The nats by which a fact raises its own continuation over the other facts' (0 is forgotten), and "
        "the probability of the right continuation, by the number of characters in between."
    )
    series = [Series(name, DISTANCES, [entry.nats for entry in by]) for name, by in found.items()]
    chart = line_chart(series, x_label="characters in between", y_label="nats of memory", marks=True)
    yield html.picture(chart, "Nats of memory against distance, by probe")
    header = ["probe", *(f"after {distance}" for distance in DISTANCES)]
    yield html.table(header, [(name, *map(_memory_cell, by)) for name, by in found.items()])


def _memory_cell(entry: Memory) -> str:
    return f"{entry.nats:+.2f} (p = {entry.probability:.2g})"


def recall_part(cells: Sequence[Cell], *, max_steps: int = RECALL_STEPS) -> Iterator[str]:
    """Renders whether each cell learns to recall a symbol as the lag grows, up to its first failure."""
    yield html.heading("Recall: one symbol of eight over a lag")
    yield html.paragraph(
        f"One layer of 64 units, up to {max_steps} updates of 64 examples. A lag is solved when 99 % of "
        "fresh examples are right; chance is 12.5 %."
    )
    rows = []
    for cell in cells:
        row = [CELLS[cell].title]
        for lag in LAGS:
            found = train_recall(cell, lag, max_steps=max_steps)
            row.append(f"solved, {found.steps} steps" if found.solved else f"{found.accuracy:.0%}")
            if not found.solved:
                break
        rows.append(row + ["not tried"] * (1 + len(LAGS) - len(row)))
    yield html.table(["cell", *(f"lag {lag}" for lag in LAGS)], rows)
