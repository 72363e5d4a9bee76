"""Defines `nextchar export`: writes the files that are served from a run."""

import json
from contextlib import suppress
from pathlib import Path

import click

from nextchar.errors import ModelFileError
from nextchar.model.graph import open_graph
from nextchar_training.commands.written_model import written_model_options
from nextchar_training.export.export import SEQUENCE_FILE, Exported
from nextchar_training.export.export import export as make_export
from nextchar_training.measure.figures import describe_quality
from nextchar_training.run.checkpoint import FILE_NAME, Trained, load_split, load_trained
from nextchar_training.run.version_folder import next_version, write_version
from nextchar_training.text.split import Split


@click.command(name="export")
@click.argument("run", type=click.Path(path_type=Path))
@written_model_options("the run")
@click.option(
    "--float32-step", is_flag=True, help="Also write step-float32.onnx, for processors without int8 products."
)
def export(run: Path, models: Path, name: str | None, version: int | None, float32_step: bool) -> None:
    """Write the run in folder RUN as a version of a model, whose graphs are first proved equal to torch."""
    trained = load_trained(run / FILE_NAME)
    lines = write_run(
        trained, load_split(trained), models, name=name, version=version, keep_float32_step=float32_step
    )
    for line in [*lines, *describe_quality(trained.quality)]:
        click.echo(line)


def write_run(
    trained: Trained,
    split: Split,
    models: Path,
    *,
    name: str | None = None,
    version: int | None = None,
    keep_float32_step: bool = False,
) -> list[str]:
    """Writes a run as a version of a model, by default the next one of its name; says what it wrote.

    Raises:
        ModelFileError: a graph differs from torch by more than the tolerance, or cannot be written.
        InvalidRequest: the version exists.
    """
    model = models / (name or trained.config.name)
    folder = model / str(version or next_version(model))
    exported = make_export(trained, split, keep_float32_step=keep_float32_step)
    write_version(exported.files, folder)
    return _describe(exported, folder)


def version_of_run(trained: Trained, model: Path) -> Path | None:
    """Returns the version of a model that this run was written as, or None."""
    wanted = json.loads(json.dumps(trained.provenance))
    for file in sorted(model.glob(f"*/{SEQUENCE_FILE}")):
        with suppress(ModelFileError):  # of another program, or half written: not this run's
            if open_graph(file).card.provenance == wanted:
                return file.parent
    return None


def _describe(exported: Exported, folder: Path) -> list[str]:
    proof = exported.proof
    lines = [f"wrote {folder}"]
    lines += [f"  {name:18} {len(content):>12,} bytes" for name, content in exported.files.items()]
    lines.append(
        f"largest difference from torch on {proof.num_chars:,} characters: model.onnx "
        f"{proof.sequence.string:.1e}, float32 step {proof.step.string:.1e} nats per character"
    )
    if exported.int8 is not None:
        nats = exported.int8.nats_per_char - exported.float32.nats_per_char
        bits = exported.int8.bits_per_char - exported.float32.bits_per_char
        lines.append(
            f"int8 costs {nats:+.5f} nats, {bits:+.5f} bits per character "
            f"({exported.int8.num_chars:,} held-out characters, protocol {exported.int8.protocol})"
        )
    return lines
