import io
import json
from pathlib import Path

from nextchar_training.progress import Reporter, Row


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def _row(elapsed_s: float, development_nats: float | None = None) -> Row:
    return Row(
        step=10,
        epoch=0.5,
        fraction=0.25,
        num_chars=1000,
        elapsed_s=elapsed_s,
        chars_per_s=100,
        learning_rate=1e-3,
        train_nats=2.5,
        development_nats=development_nats,
    )


def test_a_plain_stream_gets_a_line_every_twenty_seconds_and_at_evaluations(tmp_path: Path) -> None:
    stream = io.StringIO()
    with Reporter(tmp_path / "history.jsonl", stream=stream) as reporter:
        for elapsed_s in (1, 10, 20, 30, 39):
            reporter.report(_row(elapsed_s))
        reporter.report(_row(39.5, development_nats=2.0))
    lines = stream.getvalue().splitlines()
    assert len(lines) == 2
    assert lines[0] == " 25%  step 10  epoch 0.50  loss 2.5000  100 chars/s  0:01:00 left"
    assert "development 2.0000" in lines[1]


def test_only_evaluations_go_into_the_history(tmp_path: Path) -> None:
    with Reporter(tmp_path / "history.jsonl", stream=io.StringIO()) as reporter:
        reporter.report(_row(1))
        reporter.report(_row(2, development_nats=2.0))
    (line,) = (tmp_path / "history.jsonl").read_text().splitlines()
    assert json.loads(line)["development_nats"] == 2.0


def test_a_terminal_gets_a_bar_with_loss_speed_and_time_left(tmp_path: Path) -> None:
    terminal = _Terminal()
    with Reporter(tmp_path / "history.jsonl", stream=terminal) as reporter:
        reporter.report(_row(8))
        reporter.say("a line beside the bar")
    assert "a line beside the bar" in terminal.getvalue()
    assert "loss 2.5000" in terminal.getvalue()
    assert "0:00:24 left" in terminal.getvalue()
