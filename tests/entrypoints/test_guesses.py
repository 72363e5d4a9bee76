"""`nextchar score --guesses`, the library and tables tell the same guess numbers, or why there are none."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from nextchar.batch import Score
from nextchar.entrypoints.library import model as library
from nextchar.entrypoints.library.model import Model
from nextchar.entrypoints.main import main
from nextchar.errors import InvalidRequest

_STRINGS = ["abc", "", "zzzzzzzz"]


@pytest.fixture(autouse=True)
def _short_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """An untrained model seldom ends a string."""
    monkeypatch.setattr(library, "_MAX_SAMPLE_CHARS", 8)


def _run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["score", *arguments], prog_name="nextchar")
    return result.exit_code, result.output


def test_command_library_and_table_tell_the_same(models: Path, tmp_path: Path) -> None:
    path = str(models / "lines")
    with Model(path) as model:
        numbers = model.guess_numbers()
        expected = numbers.log10_of(model.logprobs(_STRINGS, include_end=True)).tolist()
    code, printed = _run(path, *_STRINGS, "--guesses")
    assert code == 0, printed
    header, *lines = printed.splitlines()
    assert "guesses (log10)" in header
    assert [float(line.split()[-2]) for line in lines] == pytest.approx(expected, abs=0.051)
    file, output = tmp_path / "strings.txt", tmp_path / "scored.jsonl"
    file.write_text("".join(f"{string}\n" for string in _STRINGS))
    code, printed = _run(path, "--guesses", "--file", str(file), "--output", str(output))
    assert code == 0, printed
    assert [json.loads(line)["guesses_log10"] for line in output.read_text().splitlines()] == expected
    table = Score(path, guesses=True)({"text": np.array(_STRINGS)})
    assert np.asarray(table["guesses_log10"]).tolist() == expected


def test_the_same_seed_draws_the_same_samples(models: Path) -> None:
    with Model(models / "lines") as model:
        found = [model.guess_numbers(num_samples=200, seed=s).finest_logprob for s in (1, 1, 1000)]
    assert found[0] == found[1] != found[2]


def test_running_text_has_no_guess_numbers(models: Path) -> None:
    code, printed = _run(str(models / "tiny"), "abc", "--guesses")
    assert code != 0
    assert "--unit line" in printed


@pytest.mark.parametrize("more", [["--adaptive"], ["--context", "a"], ["--json"], ["--url", "http://x"]])
def test_what_does_not_go_with_guess_numbers_is_named(models: Path, more: list[str]) -> None:
    code, printed = _run(str(models / "lines"), "abc", "--guesses", *more)
    assert code != 0
    assert more[0] in printed


def test_a_table_cannot_ask_a_server_for_them() -> None:
    with pytest.raises(InvalidRequest, match="no url"):
        Score("lines", url="http://127.0.0.1:1", guesses=True)({"text": np.array(["a"])})
