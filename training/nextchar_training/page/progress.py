"""Reports the progress of training: a bar on a terminal, lines elsewhere, and JSON lines on disk."""

import json
import math
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from tensorboardX import SummaryWriter

LINE_INTERVAL_S = 20.0
_EXPLODED = 100.0  # times the lowest gradient norm and the clipped norm: an update that clipping makes random
_SCALARS = {
    "train_nats": "loss/train",
    "development_nats": "loss/development",
    "learning_rate": "learning_rate",
    "gradient_norm": "gradient_norm/before_clipping",
    "clipped_norm": "gradient_norm/after_clipping",
    "chars_per_s": "chars_per_second",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the history: the share of the run that is done, seconds of training, nats per character.

    Losses and gradient norms (before and after clipping) are means since the previous row.
    """

    step: int
    epoch: float
    fraction: float
    num_chars: int
    elapsed_s: float
    chars_per_s: float
    learning_rate: float
    train_nats: float
    gradient_norm: float
    clipped_norm: float
    development_nats: float | None = None

    @property
    def left_s(self) -> float:
        """The estimated seconds to the end of the run."""
        return self.elapsed_s * (1 - self.fraction) / self.fraction if self.fraction else 0.0

    def __str__(self) -> str:
        development = "" if self.development_nats is None else f"  development {self.development_nats:.4f}"
        return (
            f"{self.fraction:4.0%}  step {self.step:,}  epoch {self.epoch:.2f}  loss {self.train_nats:.4f}"
            f"{development}  {self.chars_per_s:,.0f} chars/s  {_clock(self.left_s)} left"
        )


class Reporter:
    """Shows rows as they come, and appends those to keep to `history`, one JSON object per line.

    With `scalars`, a folder, kept rows are also written there for TensorBoard.
    """

    def __init__(self, history: Path, *, stream: TextIO | None = None, scalars: Path | None = None) -> None:
        self._scalars = None if scalars is None else SummaryWriter(str(scalars))
        self._stream = sys.stderr if stream is None else stream
        self._history = history
        self._last_line_s = 0.0
        self._lowest_norm, self._warned = math.inf, False
        self._bar: Progress | None = None
        if self._stream.isatty():
            console = Console(file=self._stream)
            self._bar = Progress(BarColumn(), TextColumn("{task.description}"), console=console)
            self._task = self._bar.add_task("starting", total=1.0)

    def __enter__(self) -> "Reporter":
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
        if self._scalars is not None:
            self._scalars.close()

    def report(self, row: Row, *, keep: bool) -> None:
        """Shows a row; on a plain stream, one every 20 seconds and those with a development loss."""
        evaluated = row.development_nats is not None
        if keep:
            with self._history.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(row)) + "\n")
            self._write_scalars(row)
            self._warn(row)
        if self._bar is not None:
            self._bar.update(self._task, completed=row.fraction, description=str(row))
        if self._bar is None and (evaluated or row.elapsed_s - self._last_line_s >= LINE_INTERVAL_S):
            self._last_line_s = row.elapsed_s
            self.say(str(row))

    def _warn(self, row: Row) -> None:
        """Warns once that gradients explode, so that a run of hours can be stopped early."""
        self._lowest_norm = min(self._lowest_norm, row.gradient_norm)
        if self._warned or row.gradient_norm <= _EXPLODED * max(self._lowest_norm, row.clipped_norm):
            return
        self._warned = True
        self.say(
            f"gradients explode: their norm is {row.gradient_norm:,.0f} and was {self._lowest_norm:.2g}; "
            "start again with a lower --learning-rate"
        )

    def _write_scalars(self, row: Row) -> None:
        if self._scalars is None:
            return
        for name, tag in _SCALARS.items():
            if (value := getattr(row, name)) is not None:
                self._scalars.add_scalar(tag, value, row.step)

    def say(self, line: str) -> None:
        """Shows a line, above the bar if there is one."""
        if self._bar is not None:
            self._bar.console.print(line, highlight=False)
        else:
            print(line, file=self._stream, flush=True)


def read_history(path: Path) -> list[Row]:
    """Reads the kept rows, oldest first; none if the file is missing."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [Row(**json.loads(line)) for line in lines]


def forget_after(path: Path, step: int) -> None:
    """Removes the rows of steps that a resumed run makes again."""
    kept = [row for row in read_history(path) if row.step <= step]
    path.write_text("".join(json.dumps(asdict(row)) + "\n" for row in kept), encoding="utf-8")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"
