"""The commands with --adaptive say what the API says of a text that is learned."""

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from nextchar.entrypoints.library.model import Model
from nextchar.entrypoints.main import main

_LINES = ["the fox", "the dog", "", "the fox"]


def _ok(*arguments: str, stdin: str | None = None) -> str:
    result = CliRunner().invoke(main, arguments, input=stdin, prog_name="nextchar")
    assert result.exit_code == 0, result.output
    return result.stdout


def test_lines_of_a_file_are_one_text_with_its_newlines(models: Path, tmp_path: Path) -> None:
    tiny, file = str(models / "tiny"), tmp_path / "lines.txt"
    file.write_text("".join(f"{line}\n" for line in _LINES))
    with Model(models / "tiny") as model:
        expected = model.score([f"{line}\n" for line in _LINES], adaptive=True)
    printed = json.loads(_ok("score", tiny, "--adaptive", "--json", "--file", str(file)))
    assert printed == json.loads(expected.model_dump_json())
    header, *lines = _ok("score", tiny, "--adaptive", stdin=file.read_text()).splitlines()
    assert header.split()[:3] == ["logprob", "bits/char", "network"]
    for line, item in zip(lines, expected.data, strict=True):
        assert item.model_logprob is not None
        own = float(line.split()[2])
        assert abs(own * item.num_chars * 0.6931471805599453 + item.model_logprob) < 0.01 * item.num_chars


def test_lines_of_a_model_of_lines_have_no_newline(models: Path) -> None:
    with Model(models / "lines") as model:
        expected = model.score(["abc", "abc"], include_end=True, adaptive=True)
    found = _ok("score", str(models / "lines"), "--adaptive", "--include-end", "--json", stdin="abc\nabc\n")
    assert json.loads(found) == json.loads(expected.model_dump_json())


def test_next_and_complete_learn_their_text_first(models: Path) -> None:
    tiny, text = str(models / "tiny"), "the fox and the fox and the "
    fields: dict[str, Any] = {"adaptive": True}
    with Model(models / "tiny") as model:
        expected = model.next(text, top=10, **fields)
        drawn = model.complete(text, max_tokens=20, seed=3, **fields).choices[0].text
    printed = _ok("next", tiny, text, "--adaptive", "--json")
    assert json.loads(printed) == json.loads(expected.model_dump_json())
    assert _ok("next", tiny, text, "--adaptive").split()[:3] == ["probability", "logprob", "network"]
    assert _ok("complete", tiny, text, "--adaptive", "--max-tokens", "20", "--seed", "3") == drawn + "\n"


def test_candidates_are_read_after_a_context_that_is_learned(models: Path) -> None:
    tiny, before = str(models / "tiny"), "the fox and the fox and the "
    candidates = ["fox and", "dog and"]
    with Model(models / "tiny") as model:
        expected = model.compare(candidates, context=before, adaptive=True)
    arguments = ["compare", tiny, *candidates, "--context", before, "--adaptive"]
    assert json.loads(_ok(*arguments, "--json")) == json.loads(expected.model_dump_json())
    header, *lines = _ok(*arguments).splitlines()
    assert header.split() == ["rank", "logprob", "network", "bits/char", "probability", "text"]
    for line, item in zip(lines, expected.data, strict=True):
        rank, logprob, network, *_ = line.split()
        told = (item.rank, f"{item.logprob:.3f}", f"{item.model_logprob:.3f}")
        assert (int(rank), logprob, network) == told
        assert line.endswith(repr(candidates[item.index]))


def test_a_table_is_not_learned(models: Path, tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("text\nabc\n")
    arguments = ["score", str(models / "tiny"), "--adaptive", "--file", str(file)]
    result = CliRunner().invoke(main, arguments, prog_name="nextchar")
    assert result.exit_code != 0
    assert "--adaptive" in result.output
