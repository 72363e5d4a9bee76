"""Writes `report.html`, the report of a run."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from nextchar.model.card import Quality
from nextchar_training.measure.figures import NETWORK, describe_quality
from nextchar_training.page import html as html
from nextchar_training.page.charts import Series, line_chart
from nextchar_training.page.progress import Row
from nextchar_training.page.samples import TEMPERATURES, Sample
from nextchar_training.page.surprise import Surprise

FILE_NAME = "report.html"
_NUM_SAMPLE_STEPS = 5


def write_report(
    folder: Path,
    *,
    title: str,
    facts: dict[str, Any],
    settings: list[tuple[str, str, str]],
    rows: list[Row],
    samples: list[Sample],
    quality: list[Quality],
    surprise: Surprise,
) -> Path:
    """Writes the page of a run into its folder; returns its path.

    `settings` are the options of the run: flag, value and sentence.
    """
    parts = [
        *_quality(quality),
        *_curves(rows),
        *_samples(samples),
        html.heading("Surprise of held-out text"),
        html.paragraph(
            "White characters were expected, red ones cost 8 bits or more; hover for the number of bits."
        ),
        html.surprise(surprise.characters, surprise.bits, surprise.notes),
        html.heading("Facts"),
        html.table(["", ""], facts.items()),
        html.heading("Settings"),
        html.table(["option", "value", "what it is"], settings),
    ]
    path = folder / FILE_NAME
    path.write_text(html.page(title, parts), encoding="utf-8")
    return path


def _quality(quality: list[Quality]) -> Iterator[str]:
    yield html.heading("Held-out losses, beside baselines")
    if not quality:
        yield html.paragraph("The run is not finished: its held-out losses are not measured yet.")
        return
    ordered = sorted(quality, key=lambda entry: entry.nats_per_char)
    rows = [(q.name, q.protocol, q.nats_per_char, q.bits_per_char, q.num_chars) for q in ordered]
    best = next((k for k, entry in enumerate(ordered) if entry.name == NETWORK), None)
    header = ["model", "protocol", "nats per character", "bits per character", "characters"]
    yield html.table(header, rows, best=best)
    for line in describe_quality(quality) if best is not None else []:
        if "LOSES" in line:
            yield html.paragraph(line, warning=True)


def _curves(rows: list[Row]) -> Iterator[str]:
    if not rows:
        return
    chars = [row.num_chars for row in rows]
    evaluated = [row for row in rows if row.development_nats is not None]
    losses = [Series("training (with dropout)", chars, [row.train_nats for row in rows])]
    if evaluated:
        nats = [row.development_nats or 0.0 for row in evaluated]
        losses.append(Series("development (averaged weights)", [row.num_chars for row in evaluated], nats))
    norms = [
        Series("before clipping", chars, [row.gradient_norm for row in rows]),
        Series("after clipping", chars, [row.clipped_norm for row in rows], dashed=True),
    ]
    rate = [Series("learning rate", chars, [row.learning_rate for row in rows])]
    x = "characters read"
    yield html.heading("Loss")
    yield html.picture(line_chart(losses, x_label=x, y_label="nats per character"), "Loss against characters")
    yield html.heading("Learning rate")
    yield html.picture(line_chart(rate, x_label=x, y_label="learning rate"), "Learning rate by characters")
    yield html.heading("Gradient norm")
    chart = line_chart(norms, x_label=x, y_label="norm of all gradients", log_y=True)
    yield html.picture(chart, "Gradient norm before and after clipping")


def _samples(samples: list[Sample]) -> Iterator[str]:
    steps = sorted({sample.step for sample in samples})
    if not steps:
        return
    shown = {steps[k] for k in np.linspace(0, len(steps) - 1, _NUM_SAMPLE_STEPS).round().astype(int)}
    yield html.heading("Samples over time, at temperatures " + ", ".join(map(str, TEMPERATURES)))
    for step in sorted(shown):
        yield html.columns_of_text(
            (f"step {step:,}, temperature {sample.temperature}", sample.text)
            for sample in samples
            if sample.step == step
        )
