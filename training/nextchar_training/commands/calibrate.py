"""Measures the calibration of model files again and writes it into their cards; the graphs stay as they are.

    python -m nextchar_training.commands.calibrate models/names/1/*.onnx

It is for files that were exported before cards had a calibration. A file's digest changes with its card, so
sessions and states that were made with the file do not go on.
"""

from pathlib import Path
from typing import Any

import click

from nextchar.errors import InvalidRequest, ModelFileError, NextcharError
from nextchar.model.card import CalibrationCard
from nextchar.model.golden import check_golden
from nextchar.model.graph import graph_from_bytes, open_graph
from nextchar.model.surprise.fit import MIN_STRINGS
from nextchar_training.commands.heldout_options import heldout_options
from nextchar_training.export.calibration import measure_calibration
from nextchar_training.export.case_folding import with_card
from nextchar_training.text.heldout import heldout_split


@click.command()
@click.argument("files", type=click.Path(path_type=Path), nargs=-1, required=True)
@heldout_options
def calibrate(files: tuple[Path, ...], **text: Any) -> None:
    """Write a calibration by held-out text into the cards of FILES.

    Each is written whole or not at all; its quantiles, which the calibration replaces, are left out.
    """
    for path in files:
        graph = open_graph(path)
        measured = measure_calibration(graph, heldout_split(graph.card, **text))
        if measured is None:
            raise InvalidRequest(
                f"{path}: cannot be calibrated by fewer than {MIN_STRINGS} held-out strings: give more with "
                "--heldout-file"
            )
        content = calibrated(path.read_bytes(), measured)
        _write(path, content)
        click.echo(f"{path}: calibrated at {len(measured.without_end)} lengths")


def _write(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.partial")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise ModelFileError(f"cannot write {path}: {error.strerror}") from error


def calibrated(content: bytes, measured: CalibrationCard) -> bytes:
    """Returns the bytes of a model file whose card has a calibration.

    Raises:
        ModelFileError: it is no model file.
    """
    card = graph_from_bytes(content, shown="the file").card
    update = {"calibration": measured, "quantiles": [], "quantile_levels": []}
    changed = with_card(content, card.model_copy(update=update).model_dump(mode="json"))
    check_golden(graph_from_bytes(changed, shown="the file"), shown="the file")
    return changed


def main() -> None:
    """Runs the command; an error that a user can mend is a line."""
    try:
        calibrate()
    except NextcharError as error:
        raise SystemExit(f"Error: {error}") from None


if __name__ == "__main__":
    main()
