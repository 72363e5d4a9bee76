"""Defines `nextchar export`: writes the files that are served from a run."""

from pathlib import Path

import click

from nextchar_training.commands.written_model import written_model_options
from nextchar_training.export.export import Exported, next_version, write
from nextchar_training.export.export import export as make_export
from nextchar_training.measure.figures import describe_quality
from nextchar_training.run.checkpoint import FILE_NAME, load_split, load_trained


@click.command(name="export")
@click.argument("run", type=click.Path(path_type=Path))
@written_model_options("the run")
@click.option(
    "--float32-step", is_flag=True, help="Also write step-float32.onnx, for processors without int8 products."
)
def export(run: Path, models: Path, name: str | None, version: int | None, float32_step: bool) -> None:
    """Write the run in folder RUN as a version of a model, whose graphs are first proved equal to torch."""
    trained = load_trained(run / FILE_NAME)
    model = models / (name or trained.config.name)
    folder = model / str(version or next_version(model))
    exported = make_export(trained, load_split(trained), keep_float32_step=float32_step)
    write(exported, folder)
    for line in [*_describe(exported, folder), *describe_quality(trained.quality)]:
        click.echo(line)


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
