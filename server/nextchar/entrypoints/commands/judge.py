"""Implements `nextchar judge`, with a judge in a folder or one of a server; training adds `fit`."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

import click

from nextchar.batch.verdicts import JudgeAnnotator, OpenVerdicts
from nextchar.client import Client
from nextchar.client.arguments import JudgeArguments
from nextchar.client.endpoint import API_KEY
from nextchar.client.parts import join_verdicts
from nextchar.entrypoints.added_commands import added, load_added, not_installed
from nextchar.entrypoints.commands.answer_source import url_option
from nextchar.entrypoints.commands.given_strings import GivenStrings, given_file, string_options
from nextchar.entrypoints.commands.query_arguments import ADAPTIVE, JSON
from nextchar.entrypoints.commands.table_options import TableArguments, annotate_file, table_options
from nextchar.errors import InvalidRequest
from nextchar.model.judging.card import read_judge
from nextchar.model.judging.judge import Judge
from nextchar.repository.judge_path import judge_and_models
from nextchar.schemas.judging import Verdict

_FIT = "fit"
_HELP = ("-h", "--help")


class _JudgeCommands(click.Group):
    """Takes arguments that begin with no command as those of `ask`; `fit` is imported when it is called."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in (*self.list_commands(ctx), *_HELP):
            args = ["ask", *args]
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), _FIT})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name != _FIT:
            return super().get_command(ctx, cmd_name)
        if (entry := added().get("judge")) is None:
            raise not_installed("judge fit", "nextchar_training")
        training = load_added(entry)
        return training.get_command(ctx, cmd_name) if isinstance(training, click.Group) else training

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(
                [
                    ("ask", ask.get_short_help_str(limit=200)),
                    (_FIT, "Fit a judge to normal strings, and to bad ones if there are any."),
                ]
            )


@click.group(cls=_JudgeCommands)
def judge() -> None:
    """Judge strings: which are normal, and which are not, at a rate of false alarms that you name.

    `nextchar judge JUDGE TEXT…` is short for `nextchar judge ask JUDGE TEXT…`.
    """


@judge.command()
@click.argument("judge_name", metavar="JUDGE")
@string_options("Judge")
@click.option(
    "--false-alarm-rate",
    type=float,
    help="The share of normal strings that may be flagged; by default the judge's own.",
)
@click.option("--return-reasons", is_flag=True, help="Also print why each string was judged as it was.")
@ADAPTIVE
@click.option(
    "--judges",
    type=click.Path(path_type=Path),
    envvar="NEXTCHAR_JUDGES",
    show_default="judges beside the folder of models",
    help="The folder of judges, as of `nextchar serve`. Not used with --url.",
)
@click.option(
    "--models",
    type=click.Path(path_type=Path),
    envvar="NEXTCHAR_MODELS",
    show_default="models; of a judge by its folder, models beside its folder of judges",
    help="The folder of models, as of `nextchar serve`. Not used with --url.",
)
@url_option
@JSON
@table_options
def ask(
    judge_name: str,
    texts: tuple[str, ...],
    file: IO[bytes] | None,
    encoding: str,
    false_alarm_rate: float | None,
    return_reasons: bool,
    adaptive: bool,
    judges: Path | None,
    models: Path | None,
    url: str | None,
    as_json: bool,
    **arguments: Any,
) -> None:
    """Judge each of TEXTS, or each row of a file or of standard input, with JUDGE.

    JUDGE is the name of a judge, NAME:VERSION, or its folder; with --url it is the name of a judge of the
    server. Verdicts on strings and on lines are printed; those on a table, and with --output, are written as
    columns beside the row's own. With --adaptive, the lines of a file are one text: each is judged after
    those before it, and its p-value is its rank among the last half of them.
    """
    tables = TableArguments.taken_from(arguments)
    file = given_file(texts, file, "judge")
    asked = _asked(judge_name, url, judges, models, None if adaptive else false_alarm_rate)
    if file is None:
        tables.check_no_file()
    elif tables.is_table(file):
        if as_json or adaptive or return_reasons:
            raise InvalidRequest(
                "--json, --adaptive and --return-reasons are for verdicts that are printed, not for a table"
            )
        _warn(_warning(asked))
        annotate_file(asked, file, tables, encoding)
        return
    tables.check_unused()
    fields: JudgeArguments = {"return_reasons": return_reasons}
    if adaptive:
        fields["adaptive"] = True
    if false_alarm_rate is not None:
        fields["false_alarm_rate"] = false_alarm_rate
    _print_verdicts(asked, GivenStrings(texts, file, encoding), fields, as_json=as_json)


def _asked(
    name: str, url: str | None, judges: Path | None, models: Path | None, false_alarm_rate: float | None
) -> JudgeAnnotator:
    """Returns a judge of the server, or one in a folder with its model."""
    if url is not None:
        return JudgeAnnotator(name, url, false_alarm_rate=false_alarm_rate)
    found, beside = judge_and_models(name, judges, models)
    return JudgeAnnotator(str(found), models=str(beside), false_alarm_rate=false_alarm_rate)


def _print_verdicts(
    asked: JudgeAnnotator, given: GivenStrings, fields: JudgeArguments, *, as_json: bool
) -> None:
    with given.located(), asked.open() as opened:
        strings: Iterable[str] = given
        if "adaptive" in fields and given.file is not None and _is_running_text(opened):
            strings = (f"{line}\n" for line in given)
        answers = opened.client.judge_batches(strings, judge=opened.name, **fields)
        if as_json:
            click.echo(join_verdicts(list(answers)).model_dump_json(indent=2))
            return
        is_first = True
        for answer in answers:
            if is_first:
                _warn(answer.warning)
                click.echo("verdict    p-value  95 % interval        kind          text")
                is_first = False
            for verdict in answer.data:
                _print_verdict(verdict, given.answered())


def _is_running_text(opened: OpenVerdicts) -> bool:
    """Returns whether the model of a judge reads lines with their newlines, and has no end symbol."""
    return opened.client.tokenizer_info(model=opened.model).unit != "line"


def _warning(asked: JudgeAnnotator) -> str | None:
    """Returns what a judge cannot tell at the rate that is asked for; raises as `Judge.asked`."""
    if asked.url is None:
        return Judge(read_judge(Path(asked.judge))).asked(asked.false_alarm_rate).warning
    with Client(asked.url, api_key=os.environ.get(API_KEY) or None) as client:
        return client.judge([""], judge=asked.judge, **asked.arguments).warning


def _warn(warning: str | None) -> None:
    if warning is not None:
        click.echo(f"Warning: {warning}", err=True)


def _print_verdict(verdict: Verdict, text: str) -> None:
    shown = "flagged" if verdict.is_flagged else "normal"
    between = f"{verdict.low:.2g} – {verdict.high:.2g}"
    click.echo(f"{shown:8} {verdict.p_value:9.2g}  {between:19}  {verdict.kind or '':12}  {text!r}")
    if verdict.reasons is not None:
        for char in verdict.reasons.characters:
            name = "the end" if char.char is None else repr(char.char)
            click.echo(f"    {name} at {char.offset} cost {char.bits:.1f} bits")
        for evidence, nats in sorted(verdict.reasons.evidence.items(), key=lambda item: -item[1]):
            click.echo(f"    {evidence}: {nats:.2f} nats")
