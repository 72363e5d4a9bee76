"""Writes how long the tests of each folder take; `make test-times` keeps the table in tests/README.md.

The seconds are those of set-up, call and tear-down, added up over all workers.
"""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pytest
from suite.tiers import LONG, QUICK, STANDARD, tier_of

_BEGIN, _END = "<!-- folder times: begin -->\n", "<!-- folder times: end -->\n"


@dataclass
class FolderTime:
    """Adds up the tests of one folder."""

    num_tests: int = 0
    seconds: float = 0.0
    longest_seconds: float = 0.0

    def add(self, report: pytest.TestReport) -> None:
        self.num_tests += report.when == "call" or report.skipped
        self.seconds += report.duration
        self.longest_seconds = max(self.longest_seconds, report.duration)


class FolderTimes:
    """Collects the reports of a run and writes the table when it ends."""

    def __init__(self, page: Path) -> None:
        self._page = page
        self._folders: dict[tuple[str, str], FolderTime] = defaultdict(FolderTime)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        file = PurePosixPath(report.nodeid.partition("::")[0]).relative_to("tests")
        self._folders[tier_of(file), str(file.parent)].add(report)

    def pytest_sessionfinish(self) -> None:
        text = self._page.read_text()
        before, _, rest = text.partition(_BEGIN)
        _, _, after = rest.partition(_END)
        self._page.write_text(before + _BEGIN + folder_table(dict(self._folders)) + _END + after)


def folder_table(folders: dict[tuple[str, str], FolderTime]) -> str:
    """Returns the table in Markdown, a tier after the other, with a line that adds up each."""
    lines = ["| tier | folder | tests | seconds | longest step |", "| --- | --- | ---: | ---: | ---: |"]
    for tier in (QUICK, STANDARD, LONG):
        mine = {folder: time for (of, folder), time in sorted(folders.items()) if of == tier}
        lines += [_line(tier, f"`{folder}`", time) for folder, time in mine.items()]
        whole = FolderTime(
            sum(time.num_tests for time in mine.values()),
            sum(time.seconds for time in mine.values()),
            max((time.longest_seconds for time in mine.values()), default=0.0),
        )
        lines.append(_line(f"**{tier}**", "**all**", whole))
    return "\n".join(lines) + "\n"


def _line(tier: str, folder: str, time: FolderTime) -> str:
    return f"| {tier} | {folder} | {time.num_tests} | {time.seconds:.1f} | {time.longest_seconds:.1f} |"
