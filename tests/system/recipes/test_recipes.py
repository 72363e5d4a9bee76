"""The pieces of the recipes in docs/judging.md: their data is as they say, and their figures are fair."""

from pathlib import Path

import numpy as np
import pytest
from benchmarks.quality.recipes import environments, source_strings
from benchmarks.quality.recipes.commands import fitted_judge, judged
from benchmarks.quality.recipes.environments import Environments
from benchmarks.quality.recipes.gibberish import gibberish
from benchmarks.quality.recipes.keys import keys
from benchmarks.quality.recipes.logs import Counted
from benchmarks.quality.recipes.odd_lines import with_odd_lines
from benchmarks.quality.recipes.passwords import random_like
from benchmarks.quality.recipes.signups import halves, signups
from benchmarks.quality.recipes.trial import Answer, Table, Trial, measured

_LINE = (
    '198.51.7.{k} - - [28/Nov/2026:12:00:00 +0000] "GET /posts/river.html HTTP/1.1" 200 {k} "-" "curl/8.5.0"'
)


def test_gibberish_has_the_shape_of_the_names() -> None:
    names = ["Ada Lovelace", "Grace Hopper", "Jo Li"]
    kinds = gibberish(names, seed=1)
    assert kinds == gibberish(names, seed=1) != gibberish(names, seed=2)
    for strings in kinds.values():
        assert [[len(word) for word in s.split(" ")] for s in strings] == [[3, 8], [5, 6], [2, 2]]
    assert sorted("".join(kinds["shuffled names"]).lower()) == sorted("".join(names).lower())


def test_no_name_of_the_held_out_signups_is_in_the_training_list() -> None:
    first, last = halves(("first:male", "first:female")), halves(("last",))
    training, held_out = (signups(first[k], last[k], 500, f"part {k}") for k in (0, 1))
    assert len(set(training)) == len(set(held_out)) == 500
    for place in (0, 1):
        assert not {s.split()[place] for s in training} & {s.split()[place] for s in held_out}


def test_keys_are_those_of_the_seed_and_a_scanner_looks_at_them() -> None:
    found = keys(20, seed=1)
    assert found == keys(20, seed=1) != keys(20, seed=2)
    for name, strings in found.items():
        assert len(set(strings)) == 20, name
        assert all(len(s) >= 16 and not s.isspace() for s in strings), name


def test_source_gives_names_and_literals_without_spaces() -> None:
    source = "class SomeLongClassName:\n    a = 'a literal with spaces'\n    b = '/etc/some/path-1234'\n"
    assert list(source_strings.strings_of(source)) == ["SomeLongClassName", "/etc/some/path-1234"]
    assert list(source_strings.strings_of("too_short = 'also short'")) == []


def test_random_passwords_are_like_the_given_ones_and_none_of_them() -> None:
    found = random_like(["monkey12", "HUNTER", "a1", "\N{SNOWMAN}\N{SNOWMAN}"])
    assert [len(s) for s in found] == [8, 6, 2, 2]
    assert found[1].isupper()
    assert found[1] != "HUNTER"


def test_odd_lines_are_added_and_no_line_is_lost() -> None:
    lines = [_LINE.format(k=k) for k in range(200)]
    log = with_odd_lines(lines, first=50, number=5, seed=1)
    assert [line for line, kind in zip(log.lines, log.kinds, strict=True) if kind is None] == lines
    assert log.kinds[:50] == [None] * 50
    counted = Counted(log, first=50)
    assert all(len(strings) == 5 for strings in counted.trial.kinds.values())
    assert not {line for strings in counted.trial.kinds.values() for line in strings} & set(lines)
    numbers = counted.of(Answer(np.arange(len(log.lines), dtype=float)))
    assert isinstance(numbers, Answer)
    assert [log.lines[int(k)] for k in numbers.scores] == counted.trial.strings


def test_kinds_count_equally_and_equal_scores_are_no_hits() -> None:
    trial = Trial(["n"] * 100, {"few": ["f"] * 2, "many": ["m"] * 50})
    scores = np.array([*np.linspace(0, 1, 100), *[2.0] * 2, *[-1.0] * 50])
    figures = measured(trial, Answer(scores, scores > 1.5))
    assert figures["auc"] == pytest.approx(0.5)
    assert (figures["hits 0.01"], figures["alarms"], figures["found"]) == (0.5, 0.0, 0.5)
    two_values = measured(trial, Answer((scores > 0.9).astype(float)))
    assert two_values["hits 0.01"] == 0.0


def test_a_judge_is_fitted_and_asked_by_the_commands(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    first, last = halves(("first:male", "first:female")), halves(("last",))
    normal = signups(first[0], last[0], 2000, "training")
    fitted_judge(tmp_path, "signups", normal, "--max-minutes", "0.05")
    asked = Trial(signups(first[1], last[1], 300, "held out"), gibberish(normal[:100], seed=1))
    table = Table(asked)
    table.add("judge", judged(tmp_path, "signups", asked.strings))
    table.add("nobody", "not installed")
    table.show()
    assert 0.5 < float(table.rows[0]["auc"]) <= 1
    assert "| nobody | not installed |" in capfd.readouterr().out


def test_a_package_that_cannot_be_installed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environments, "requirements", lambda: {"drain3_templates": ["./no-such-folder"]})
    found = Environments(tmp_path).scores("drain3_templates", ["a line"])
    assert found == "its package could not be installed"


def test_each_package_is_pinned_and_has_a_script() -> None:
    scripts = {file.stem for file in Path(environments.__file__).with_name("peers").glob("*.py")}
    wanted = environments.requirements()
    assert wanted.keys() == scripts
    assert all("==" in package for packages in wanted.values() for package in packages)
