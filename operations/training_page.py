"""Writes docs/training.md from the options of `nextchar train`."""

import click

_HEAD = """# Options of a training run

Made by `make docs` from `training/nextchar_training/config.py`, `text/config.py` and `commands/options.py` beside it;
do not edit it here.

Each option is a flag of `nextchar train`, a line of its help, a field that the run's checkpoint keeps, and a line of the
run's `report.html`. A resumed run keeps its options; only `--device` and `--tensorboard` may change.
[Learning](learning.md) explains the words, from the equations on.
"""


def page() -> str:
    """Renders the whole page."""
    # torch, which the training commands import, takes seconds: only here.
    from nextchar_training.commands.options import GROUPS
    from nextchar_training.commands.train import train

    context = click.Context(train)
    parts = [_HEAD]
    for group in GROUPS:
        parts.append(f"\n## {group}\n\n| flag | what it is | allowed | default |\n|---|---|---|---|\n")
        parts += [_row(context, option) for option in train.params if getattr(option, "group", None) == group]
    return "".join(parts)


def _row(context: click.Context, option: click.Parameter) -> str:
    assert isinstance(option, click.Option)
    extra = option.get_help_extra(context)
    allowed = ", ".join(f"`{choice}`" for choice in getattr(option.type, "choices", ()))
    default = "required" if option.required else extra.get("default", "").strip("()")
    text = (option.help or "").replace("|", "\\|")
    metavar = (option.metavar or "").replace("|", "\\|")
    shown = f"`{option.opts[0]} {metavar}`" if metavar else f"`{option.opts[0]}`"
    return f"| {shown} | {text} | {allowed or extra.get('range', '')} | {default} |\n"
