import io
from dataclasses import replace
from pathlib import Path

from nextchar_training.page.progress import Reporter, Row, forget_after, read_history


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
        gradient_norm=1.5,
        clipped_norm=1.0,
        development_nats=development_nats,
    )


def test_a_plain_stream_gets_a_line_every_twenty_seconds_and_at_evaluations(tmp_path: Path) -> None:
    stream = io.StringIO()
    with Reporter(tmp_path / "history.jsonl", stream=stream) as reporter:
        for elapsed_s in (1, 10, 20, 30, 39):
            reporter.report(_row(elapsed_s), keep=False)
        reporter.report(_row(39.5, development_nats=2.0), keep=True)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 2
    assert lines[0] == " 25%  step 10  epoch 0.50  loss 2.5000  100 chars/s  0:01:00 left"
    assert "development 2.0000" in lines[1]


def test_the_history_has_what_is_to_be_kept_and_forgets_what_is_made_again(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    with Reporter(path, stream=io.StringIO()) as reporter:
        reporter.report(_row(1), keep=False)
        reporter.report(_row(2, development_nats=2.0), keep=True)
        reporter.report(replace(_row(3), step=11), keep=True)
    assert [(row.step, row.development_nats) for row in read_history(path)] == [(10, 2.0), (11, None)]
    forget_after(path, 10)
    assert [row.step for row in read_history(path)] == [10]


def test_a_terminal_gets_a_bar_with_loss_speed_and_time_left(tmp_path: Path) -> None:
    terminal = _Terminal()
    with Reporter(tmp_path / "history.jsonl", stream=terminal) as reporter:
        reporter.report(_row(8), keep=True)
        reporter.say("a line beside the bar")
    assert "a line beside the bar" in terminal.getvalue()
    assert "loss 2.5000" in terminal.getvalue()
    assert "0:00:24 left" in terminal.getvalue()


def test_gradients_that_explode_are_told_once(tmp_path: Path) -> None:
    stream = io.StringIO()
    norms = [0.6, 0.4, 7.5, 219.0, 90_000.0]
    with Reporter(tmp_path / "history.jsonl", stream=stream) as reporter:
        for norm in norms:
            reporter.report(replace(_row(1), gradient_norm=norm, clipped_norm=min(norm, 1.0)), keep=True)
    (line,) = stream.getvalue().splitlines()
    assert "their norm is 219 and was 0.4; start again with a lower" in line
    assert "--learning-rate" in line


def test_long_gradients_that_are_usual_or_short_ones_under_a_tiny_clip_are_no_explosion(
    tmp_path: Path,
) -> None:
    stream = io.StringIO()
    with Reporter(tmp_path / "history.jsonl", stream=stream) as reporter:
        for norm in (300.0, 500.0):
            reporter.report(replace(_row(1), gradient_norm=norm), keep=True)
        reporter.report(replace(_row(1), gradient_norm=0.5, clipped_norm=0.001), keep=True)
    assert not stream.getvalue()
