"""Makes the flags of `nextchar train` from the options of a run, and adds those of the command itself."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import click

from nextchar.model.names import is_model_name
from nextchar_training.commands.number_range import NumberRange
from nextchar_training.config import OptimizerKind, TrainingConfig
from nextchar_training.measure.figures import ORDER
from nextchar_training.network.cells.table import CELLS
from nextchar_training.option import Bounds, OptionField, option_fields

NGRAM = "ngram"
DEFAULT_OUTPUT, DEFAULT_MODELS = Path("runs"), Path("models")
# As of `nextchar serve`, whose defaults are the same.
MODELS_VARIABLE, JUDGES_VARIABLE = "NEXTCHAR_MODELS", "NEXTCHAR_JUDGES"
CELL_OF_FLAG = {cell.flag: name for name, cell in CELLS.items()}
GROUPS = ("Run", "Text", "Network", "Regularisation", "Length", "Optimisation", "Machine")


class Window(click.ParamType[int]):
    """Reads a number of characters per window, or `full`, which is 0: all of each stream."""

    name = "N|full"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if value in ("full", 0):
            return 0
        if not str(value).isdecimal() or int(value) < 2:
            self.fail(f"must be a number from 2 or 'full' (is {value!r})", param, ctx)
        return int(value)


class ModelName(click.ParamType[str]):
    """Reads the name of a run or a model, which is a folder's and must be one that a server serves."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not is_model_name(value):
            self.fail(
                "must be 1 to 128 characters of A-Z a-z 0-9 . _ - and not begin with a dot "
                f"(is {value[:100]!r})",
                param,
                ctx,
            )
        return str(value)


class GroupedOption(click.Option):
    """An option that the help lists under a heading."""

    def __init__(self, *arguments: Any, group: str, **attributes: Any) -> None:
        super().__init__(*arguments, **attributes)
        self.group = group


class GroupedCommand(click.Command):
    """A command whose help lists its options under their headings."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for group in (*GROUPS, None):
            found = [param for param in self.get_params(ctx) if getattr(param, "group", None) == group]
            with formatter.section("Other" if group is None else group):
                formatter.write_dl(
                    [row for param in found if (row := param.get_help_record(ctx)) is not None]
                )


def train_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the flags of a run and of the command to a function."""
    for option in reversed([*_made(), *_OF_COMMAND]):
        command = option(command)
    return click.argument("text", required=False)(command)


def _made() -> Iterator[Callable[..., Any]]:
    """Yields one flag per option of a run."""
    for field in option_fields(TrainingConfig):
        yield _flag(
            (field.flag, field.name),
            field.group,
            field.option.sentence,
            type=_TYPES.get(field.name) or _type(field),
            default=CELLS[field.default].flag if field.name == "cell" else field.flag_default,
            show_default=_SHOWN.get(field.name)
            or field.option.shown_default
            or field.flag_default is not None,
            metavar=field.option.metavar,
            # It is the argument TEXT; the flag is for commands that older cards have.
            hidden=field.name == "corpus",
        )


def _type(field: OptionField) -> click.ParamType[Any] | None:
    if field.choices:
        return click.Choice(field.choices)
    bounds = field.option.bounds or Bounds()
    if field.type is int:
        least, most = (None if limit is None else int(limit) for limit in (bounds.minimum, bounds.maximum))
        return click.IntRange(least, most)
    if field.type is float:
        return NumberRange(bounds.minimum, bounds.maximum, bounds.min_open, bounds.max_open)
    return None


def _usual_rates() -> str:
    """Returns the usual learning rates: that of most cells, those of others, and those of sgd."""
    said = []
    for optimizer in get_args(OptimizerKind):
        rates = {cell.flag: cell.usual_rate(optimizer) for cell in CELLS.values()}
        usual = rates[CELLS[TrainingConfig.cell].flag]
        of_optimizer = "" if optimizer == TrainingConfig.optimizer else f" with {optimizer}"
        said.append(f"{usual:g}{of_optimizer}")
        said += [f"{rate:g} for {flag}{of_optimizer}" for flag, rate in rates.items() if rate != usual]
    return "; ".join(said)


_TYPES: dict[str, click.ParamType[Any]] = {
    "cell": click.Choice([*CELL_OF_FLAG, NGRAM]),
    "window": Window(),
    "name": ModelName(),
}
_SHOWN = {"learning_rate": _usual_rates()}


def _flag(names: tuple[str, str] | str, group: str, sentence: str, **attributes: Any) -> Callable[..., Any]:
    declared = (names,) if isinstance(names, str) else names
    return click.option(*declared, cls=GroupedOption, group=group, help=sentence, **attributes)


_OF_COMMAND = [
    _flag(
        "--output",
        "Run",
        "The folder in which every run has its folder.",
        type=click.Path(path_type=Path),
        default=DEFAULT_OUTPUT,
        show_default=True,
    ),
    _flag(
        "--models",
        "Run",
        "The folder of models into which a run that has ended is exported, as the next version of its name.",
        type=click.Path(path_type=Path),
        default=DEFAULT_MODELS,
        show_default=True,
        envvar=MODELS_VARIABLE,
    ),
    _flag(
        "--no-export",
        "Run",
        "Leave the run as it is at its end; `nextchar export` writes it as a model.",
        is_flag=True,
    ),
    _flag("--resume", "Run", "Resume the run of this name from its last checkpoint.", is_flag=True),
    _flag(
        "--resume-or-start",
        "Run",
        "Resume the run of this name if it has a checkpoint, else start it.",
        is_flag=True,
    ),
    _flag("--tensorboard", "Run", "Also write scalars for TensorBoard into the run's folder.", is_flag=True),
    _flag(
        "--order",
        "Network",
        "The length of the longest n-grams of --cell ngram, which reads the options of the text only.",
        type=click.IntRange(1, 12),
        default=ORDER,
        show_default=True,
    ),
]
