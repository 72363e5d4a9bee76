"""Writes docs/training.md: from a text to a served model, and every option of `nextchar train`."""

import math

import click

_HEAD = """# Train a model on your text

Made by `make docs` from `operations/training_page.py` and the options in `training/nextchar_training/config.py`,
`text/config.py` and `commands/options.py`; do not edit it here.

```console
$ nextchar train mine.txt     # a file, a folder of files, a named corpus, or - for standard input
$ nextchar serve              # finds models/mine/1
```

That is all. `nextchar train` looks at the text, says what it found and which command it stands for, forecasts how long the
run takes, trains, measures the network on held-out text beside a 7-gram, and exports it. The sections below follow a run
from the text to the server; the tables at the end have every option. **What you give always holds; what you leave out is
chosen.**

## What it says about the text

```
names-30k.txt: 234,751 characters, 53 different ones; lines end in LF
30,000 lines of 7 characters: reading it as one string a line; --unit text for running text
the lines are sorted: they are put into a random order before a part is held out
the same as: nextchar train names-30k.txt --unit line --cell lstm --hidden-size 256 --num-layers 1 …
```

(The file is from `python -m benchmarks.training --only-make`; the second number of the second line is the median.) Other
line ends, and lines that occur more than once, are told too.

A text is either **running text**, of which any part can be continued, or **one string a line** (names, domains, words),
where each line begins afresh and the model also learns where it ends. Lines are taken for strings if
there are at least {min_lines}, {short_share:.0f} % of them have at most {short_chars} characters, the line that is longer than
95 in 100 has at most {even_ratio} times the length of the middle one, lines have at most {max_words:g} words on average, and at
most {empty:.0f} % are empty and {indented:.0f} % begin with a space. Everything else is running text; `--unit` overrules.

The last tenth of running text is held out (`--heldout`), or a tenth of the distinct lines in a fixed random order. Neither
training nor the choice of weights reads it. How bytes become characters is in [text](text.md). The files of a folder are
documents, and each begins afresh; `--pattern '*.py'` chooses among them, and `--split document` holds out whole files.

Characters that occur fewer than `--min-count` times are one *unknown* symbol.

## What is chosen, and by which rule

The number of symbols in the training part decides (about 85 % of the text; of lines, the end of each is a symbol too):

{sizes}
The cell is an LSTM. The run makes as many **passes** over the text as twelve minutes on two ordinary cores allow (a network
of half the size makes twice as many), at least one, and at most the last column. Small texts are read in small
batches, so that there are thousands of updates: with the batches of a large text, 100 kB would have twenty a pass. Of more
symbols than the last limit, one pass alone takes longer than that. The forecast says how long, and
`--max-minutes 15` ends any run in time with its whole learning-rate schedule.

Learning rates are the cell's:
{rates}.
Without `sgd` they are those of AdamW. With `--optimizer sgd`, weight decay is 0, because there it is multiplied by the much
larger rate.

The rule follows from runs on the shipped texts ([models](../models/README.md), [quality](quality.md)). `python -m
benchmarks.training` makes eight texts from installed packages, trains on each with `nextchar train FILE` and nothing
else, and prints the network beside the 7-gram; it needs two cores and two hours.

## While it runs

A line every 20 seconds (a bar on a terminal) has the loss and the time that is left. Ctrl-C stops the run at a checkpoint,
and `nextchar train mine.txt --resume` continues it bit for bit. `runs/mine/` has the checkpoint, the history, samples and
`report.html`.

A run has a thread per core, or as many as its container's CPU limit allows; `OMP_NUM_THREADS` and `--num-threads` overrule.
Threads that wait for each other spin for some microseconds only (`GOMP_SPINCOUNT=1000`, unless `GOMP_SPINCOUNT` or
`OMP_WAIT_POLICY` is set), so that a run beside other work keeps its share of the machine: `python -m benchmarks threads`
measures it.

## At the end

The held-out losses are printed beside those of a Kneser-Ney 7-gram and of compressors, and a network that loses to the
7-gram says so. Then the run is exported, proved equal to what was trained, as the next version of the model of its name:
`models/mine/1`, or `--models` or `NEXTCHAR_MODELS`, which `nextchar serve` reads too. `--no-export` leaves that
out, and `nextchar export runs/mine` does it later. The model's card (`nextchar card`) holds the whole
command, which makes the same run again.

## Every option

Each option is a flag of `nextchar train`, a line of its help, a field that the run's checkpoint keeps, and a line of the
run's `report.html`. A resumed run keeps its options; only `--device`, `--tensorboard` and where it is exported may change.
[Learning](learning.md) explains the words, from the equations on.
"""

_SIZES_HEAD = """| {unit}, symbols up to | layers × units | embedding | dropout | streams × window | passes, at most |
|---|---|---|---|---|---|
"""
_UNITS = {"text": "running text", "line": "strings"}


def page() -> str:
    """Renders the whole page."""
    # torch, which the training commands import, takes seconds: only here.
    from nextchar_training.commands.options import GROUPS
    from nextchar_training.commands.train import train

    context = click.Context(train)
    parts = [_head(train)]
    for group in GROUPS:
        parts.append(f"\n## {group}\n\n| flag | what it is | allowed | default |\n|---|---|---|---|\n")
        if group == "Text":
            parts.append("| `TEXT` | The text to train on: a file, a folder, a named corpus, or -. |  |  |\n")
        shown = [option for option in train.params if getattr(option, "group", None) == group]
        parts += [_row(context, option) for option in shown if not getattr(option, "hidden", False)]
    return "".join(parts)


def _head(train: click.Command) -> str:
    from nextchar_training.text import inspection

    rate = next(option for option in train.params if option.name == "learning_rate")
    assert isinstance(rate, click.Option)
    return _HEAD.format(
        sizes="\n".join(map(_sizes, _UNITS)),
        rates=rate.show_default,
        min_lines=inspection.MIN_LINES,
        short_share=100 * inspection.SHORT_SHARE,
        short_chars=inspection.SHORT_CHARS,
        even_ratio=inspection.EVEN_RATIO,
        max_words=inspection.MAX_MEAN_WORDS,
        empty=100 * inspection.MAX_EMPTY_SHARE,
        indented=100 * inspection.MAX_INDENTED_SHARE,
    )


def _sizes(unit: str) -> str:
    from nextchar_training.commands.recipe import SIZES

    rows = [
        f"| {'any' if size.max_symbols == math.inf else f'{size.max_symbols:,}'} | {size.num_layers} × "
        f"{size.hidden_size} | {size.embedding_size} | {size.dropout:g} | {size.batch_size} × {size.window} | "
        f"{size.max_epochs:g} |\n"
        for size in SIZES[unit]  # type: ignore[index]
    ]
    return _SIZES_HEAD.format(unit=_UNITS[unit]) + "".join(rows)


def _row(context: click.Context, option: click.Parameter) -> str:
    assert isinstance(option, click.Option)
    extra = option.get_help_extra(context)
    allowed = ", ".join(f"`{choice}`" for choice in getattr(option.type, "choices", ()))
    default = "required" if option.required else extra.get("default", "").strip("()")
    text = (option.help or "").replace("|", "\\|")
    metavar = (option.metavar or "").replace("|", "\\|")
    shown = f"`{option.opts[0]} {metavar}`" if metavar else f"`{option.opts[0]}`"
    return f"| {shown} | {text} | {allowed or extra.get('range', '')} | {default} |\n"
