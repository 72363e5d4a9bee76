"""Reads lists of strings for a judge and says what is wrong with them."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from nextchar.errors import shown_least
from nextchar.model.file_name import Format, table_of_name
from nextchar.model.judging.card import finest_rate
from nextchar.model.judging.judge import asked_rate
from nextchar_training.text.error import CorpusError
from nextchar_training.text.files import read_pieces

Warn = Callable[[str], None]

MIN_NORMAL = 300
MIN_BAD = 20
MAX_CHARS = 4096  # of one string: a batch of them must fit into memory
_MAX_SHARED = 0.5


@dataclass(frozen=True)
class StringList:
    """The distinct strings of a file, in its order, in the form in which the model reads them.

    `digest` is the SHA-256 of them, one per line.
    """

    name: str
    strings: list[str]

    @property
    def digest(self) -> str:
        return hashlib.sha256(
            "".join(f"{s}\n" for s in self.strings).encode("utf-8", "surrogatepass")
        ).hexdigest()

    def without(self, others: set[str]) -> "StringList":
        """Returns the list without the strings of a set."""
        return StringList(self.name, [s for s in self.strings if s not in others])


def read_list(path: Path, form: Callable[[str], str], warn: Warn) -> StringList:
    """Reads one string per line, distinct in the `form` in which the model reads them; skips empty lines.

    Raises:
        CorpusError: the file cannot be read, is a table by its name, is not UTF-8, or has no string.
    """
    if (table := table_of_name(path.name)) is not None:
        raise _is_table(path, table)
    text = "".join(read_pieces(path, "characters", advice="convert it to UTF-8"))
    found = [line.strip() for line in text.removesuffix("\n").split("\n")]
    if too_long := sum(len(line) > MAX_CHARS for line in found):
        warn(f"{path.name}: left out {_counted(too_long, 'string')} of more than {MAX_CHARS:,} characters")
        found = [line for line in found if len(line) <= MAX_CHARS]
    strings = list(dict.fromkeys(form(line) for line in found if line))
    if not strings:
        raise CorpusError(f"{path.name} has no string: give a file with one string per line")
    empty = sum(not line for line in found)
    if empty:
        warn(f"{path.name}: skipped {_counted(empty, 'empty line')}")
    if copies := len(found) - empty - len(strings):
        warn(f"{path.name}: skipped {_counted(copies, 'copy', 'copies')} of strings that it has already")
    return StringList(path.stem, strings)


def _is_table(path: Path, table: Format) -> CorpusError:
    """Returns the error of a table, whose rows would silently be the strings."""
    of_rows = "" if table == "parquet" else "; if whole lines are the strings, give the file a name in .txt"
    return CorpusError(
        f"{path.name} is a table by its name ({table}), and a list has one string per line: write the column "
        f"of strings to a text file, one per line{of_rows}"
    )


def check_normal(calibration: StringList, listed: StringList, advice: str) -> None:
    """Raises CorpusError if too few of the normal strings of a list are left to calibrate a judge on."""
    if len(calibration.strings) < MIN_NORMAL:
        raise CorpusError(
            f"{listed.name!r} has {_counted(len(listed.strings), 'string')}, of which "
            f"{len(calibration.strings):,} are kept from the model's training: a judge needs {MIN_NORMAL:,} "
            f"such strings, for with n of them no false-alarm rate below 1 / n can be told; {advice}"
        )


def check_rate(rate: float, num_normal: int, warn: Warn) -> None:
    """Warns of what so many normal strings cannot tell at a rate of false alarms.

    Raises:
        CorpusError: the rate is finer than a tenth of one of them.
    """
    if rate < (finest := finest_rate(num_normal)):
        raise CorpusError(
            f"--false-alarm-rate must be at least {shown_least(finest)} (is {rate:g}): {num_normal:,} normal "
            "strings calibrate the judge; give more of them for finer rates"
        )
    if (warning := asked_rate(rate, num_normal).warning) is not None:
        warn(warning)


def checked_bad(bad: Sequence[StringList], normal: StringList, warn: Warn) -> list[StringList]:
    """Takes normal strings and strings of two lists off the bad ones.

    Raises:
        CorpusError: a list has too few strings, is mostly normal strings, or has the name of another.
    """
    normal_strings, seen, kept = set(normal.strings), set[str](), list[StringList]()
    for one in bad:
        if any(other.name == one.name for other in kept):
            raise CorpusError(f"two lists of bad strings are called {one.name!r}: rename one of the files")
        shared = sum(s in normal_strings for s in one.strings)
        if shared > _MAX_SHARED * len(one.strings):
            raise CorpusError(
                f"{shared:,} of the {len(one.strings):,} strings in {one.name!r} are in the list of normal "
                "strings too: was a normal list given as --bad?"
            )
        if shared:
            warn(f"{one.name}: left out {_counted(shared, 'string')} that the normal list has too")
        if both := sum(s in seen for s in one.strings):
            warn(f"{one.name}: left out {_counted(both, 'string')} that another bad list has too")
        left = one.without(normal_strings | seen)
        if len(left.strings) < MIN_BAD:
            raise CorpusError(
                f"{one.name!r} has {_counted(len(left.strings), 'string')} of its own, a kind of bad strings "
                f"needs {MIN_BAD}: give more, or put it together with a kind that is like it"
            )
        seen |= set(left.strings)
        kept.append(left)
    return kept


def _counted(number: int, one: str, many: str | None = None) -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"
