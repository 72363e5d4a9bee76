"""Prepares the text of a new run: names the run, keeps what can be read once, looks at it and cuts it."""

import os
import re
import shutil
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path, PurePath
from typing import Any

import click

from nextchar.model.names import is_model_name
from nextchar_training.commands.recipe import TextSize
from nextchar_training.option import option_fields, recorded_path
from nextchar_training.run.checkpoint import FILE_NAME
from nextchar_training.run.ngram_run import FILE_NAME as NGRAM_FILE_NAME
from nextchar_training.text.config import TextConfig
from nextchar_training.text.corpus import Corpus
from nextchar_training.text.files import find_files, newline_kinds
from nextchar_training.text.inspection import TextFacts, describe_text_facts, inspect_text
from nextchar_training.text.named import NAMED
from nextchar_training.text.preparation import cut, load
from nextchar_training.text.split import Split

STDIN = "-"
PATHS = {field.name for field in option_fields(TextConfig) if field.option.is_path}
_COMPRESSED = (".gz", ".bz2", ".xz")
_MAX_NAME_CHARS = 128
_NAMELESS = "text"


@dataclass(frozen=True)
class RunText:
    """The text of a run, how it is read and cut, and what was found in it, in sentences."""

    config: TextConfig
    corpus: Corpus
    split: Split
    facts: TextFacts
    found: list[str]

    @property
    def size(self) -> TextSize:
        """What the options of a run depend on."""
        num_characters = 256 if self.config.symbols == "bytes" else self.facts.num_characters
        return TextSize(self.config.unit, len(self.split.train), num_characters)


def run_name(corpus: str) -> str:
    """Returns a name for the run of a text that a server takes: the file's, with - for all that it may not
    have."""
    path = PurePath(os.path.abspath(corpus) if corpus != STDIN else "")
    path = path.with_suffix("") if path.suffix in _COMPRESSED else path
    ascii_only = unicodedata.normalize("NFKD", path.stem).encode("ascii", "ignore").decode()
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", ascii_only).strip("-.")[:_MAX_NAME_CHARS]
    return name if is_model_name(name) else _NAMELESS


def new_directory(options: dict[str, Any]) -> Path:
    """Returns the folder of a new run.

    Raises:
        UsageError: no text is given, a run has that name already, or an option lacks another.
    """
    if options["corpus"] is None:
        raise click.UsageError("which text? nextchar train FILE (or a folder, a named corpus, - for stdin)")
    if options["development_file"] and not options["heldout_file"]:
        raise click.UsageError("--development-file needs --heldout-file: give both")
    directory: Path = options["output"] / options["name"]
    if (directory / NGRAM_FILE_NAME).exists():
        raise click.UsageError(f"{directory} holds an n-gram model already: choose another --name")
    if (directory / FILE_NAME).exists():
        raise click.UsageError(f"{directory} holds a run already: add --resume, or choose another --name")
    return directory


@contextmanager
def removed_on_failure(directory: Path) -> Iterator[None]:
    """Removes what a run that could not be started has left: its folder, and the folder of runs if new."""
    new = [folder for folder in (directory, directory.parent) if not folder.exists()]
    try:
        yield
    except BaseException:
        if directory in new and directory.exists():
            shutil.rmtree(directory)
        if directory.parent in new and directory.parent.exists() and not any(directory.parent.iterdir()):
            directory.parent.rmdir()
        raise


def prepare_text(options: dict[str, Any], directory: Path) -> RunText:
    """Reads, looks at and cuts the text of the options; sets their unit and the paths of what was kept.

    Raises:
        CorpusError: as `load_corpus` and `split_corpus`.
        UsageError: whole documents are to be held out of a text that is read line by line.
    """
    for name in sorted(PATHS):
        if options[name] is not None:
            options[name] = _kept(options[name], directory, name)
    chosen = options["unit"] == "auto"
    values = {entry.name: options[entry.name] for entry in fields(TextConfig)}
    config = TextConfig(**values | {"unit": "text"} if chosen else values)
    corpus = load(config.corpus, config)
    facts = inspect_text(corpus, _newline_kinds(config))
    if chosen:
        named = NAMED.get(config.corpus)
        config = replace(config, unit=named.unit if named else facts.lines.unit)
    options["unit"] = config.unit
    if config.unit == "line" and config.split == "document":
        raise click.UsageError(
            "--split document is for running text, and lines are held out one by one: leave it out, or give "
            "--unit text"
        )
    split = cut(corpus, config, window=1)
    name = recorded_path(config.corpus)
    by_rule, is_cut = chosen and config.corpus not in NAMED, config.heldout_file is None
    found = describe_text_facts(facts, name, config.unit, chosen=by_rule, is_cut=is_cut)
    return RunText(config, corpus, split, facts, [*found, *_shared(config, split)])


def _newline_kinds(config: TextConfig) -> tuple[str, ...]:
    if config.corpus in NAMED or config.symbols == "bytes":
        return ()
    return newline_kinds(find_files(Path(config.corpus), config.pattern))


def _shared(config: TextConfig, split: Split) -> Iterator[str]:
    """Says how many lines of a held-out file are trained on; those of a share never are."""
    if config.heldout_file is None or config.unit != "line":
        return
    heldout = str(split.heldout).split("\n")
    trained = set(str(split.train).split("\n"))
    if shared := sum(line in trained for line in heldout):
        yield (
            f"{shared:,} of the {len(heldout):,} lines that are held out are trained on too: their loss says "
            "little of new strings"
        )


def _kept(path: str, directory: Path, name: str) -> str:
    """Saves what can be read only once with the run, which reads it again when it is resumed or exported."""
    if path != STDIN and (path in NAMED or not Path(path).exists() or _can_be_read_again(Path(path))):
        return path
    directory.mkdir(parents=True, exist_ok=True)
    kept = directory / f"{name}.txt"
    with kept.open("wb") as file:
        if path == STDIN:
            shutil.copyfileobj(sys.stdin.buffer, file)
        else:
            with open(path, "rb") as source:
                shutil.copyfileobj(source, file)
    return str(kept)


def _can_be_read_again(path: Path) -> bool:
    return path.is_dir() or path.is_file()
