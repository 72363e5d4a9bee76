"""Runs `nextchar watch` in a process of its own, and says what it is to print."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nextchar.entrypoints.library.model import Model
from nextchar.model.surprise.online import OnlineSurprise

MAIN = "from nextchar.entrypoints.main import main; main(prog_name='nextchar')"
END_SECONDS = 60
LINES = [f"the {animal} is {k}" for k in "abcdefg" for animal in ("fox", "dog", "cat")] + ["", "zqxj kvw!"]
ALL = ["--threshold", "1"]


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}


def expected_of(path: Path, lines: list[str]) -> list[dict[str, Any]]:
    """What the library says of lines that are one text."""
    surprise = OnlineSurprise()
    with Model(path) as model:
        end = {} if model.card.vocabulary.unit == "text" else {"include_end": True}
        newline = "" if end else "\n"
        answer = model.score([f"{line}{newline}" for line in lines], adaptive=True, **end)  # type: ignore[arg-type]
    return [
        {
            "line": item.index + 1,
            "p_value": surprise.read(-item.logprob, item.num_chars + bool(end)),
            "logprob": item.logprob,
            "bits_per_char": item.bits_per_char,
            "num_chars": item.num_chars,
            "num_unknown": item.num_unknown,
            "model_logprob": item.model_logprob,
            "is_cut": False,
            "text": line,
        }
        for item, line in zip(answer.data, lines, strict=True)
    ]


class Watching:
    """A running `nextchar watch`, whose output goes into files."""

    def __init__(self, folder: Path, *arguments: str, stdin: int | None = None) -> None:
        self._out, self._err = folder / "out", folder / "err"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-c", MAIN, "watch", *arguments, "--json", *ALL],
                stdin=stdin,
                stdout=out,
                stderr=err,
                env=environment(),
            )

    @property
    def texts(self) -> list[str]:
        whole = self._out.read_bytes().split(b"\n")[:-1]
        return [json.loads(line)["text"] for line in whole]

    @property
    def told(self) -> str:
        return self._err.read_text()

    def has_told(self, sentence: str) -> Callable[[], bool]:
        return lambda: sentence in self.told

    def has_printed(self, num_lines: int) -> Callable[[], bool]:
        return lambda: self._out.read_bytes().count(b"\n") == num_lines

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(END_SECONDS)
