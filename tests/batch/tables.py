"""Runs `nextchar score` on files for the tests of tables."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from click.testing import CliRunner, Result

import nextchar
from nextchar.entrypoints.main import main

ADDED = ["logprob", "bits_per_char", "num_chars", "num_unknown", "percentile", "p_value"]


def run(*arguments: object, stdin: bytes | None = None) -> Result:
    """Runs `nextchar score`."""
    return CliRunner().invoke(main, ["score", *map(str, arguments)], input=stdin, prog_name="nextchar")


def score_file(model: object, path: Path, output: Path, *more: object) -> Result:
    """Scores a file into another one, which must succeed."""
    done = run(model, "--file", path, "--output", output, *more)
    assert done.exit_code == 0, done.output
    assert not [p for p in output.parent.iterdir() if p.suffix in (".partial", ".progress")]
    return done


def expected(model: Path, texts: list[str | None]) -> list[dict[str, Any]]:
    """The columns that are added to the rows of these texts; all None where there is no text."""
    with nextchar.load(model) as loaded:
        scores = iter(loaded.score([text for text in texts if text is not None]).data)
        found = [None if text is None else next(scores) for text in texts]
    return [{name: getattr(score, name, None) for name in ADDED} for score in found]


def read_parquet(path: Path) -> list[dict[str, Any]]:
    """The rows of a Parquet file."""
    rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return rows


def read_json_lines(data: bytes) -> list[dict[str, Any]]:
    """The objects of JSON Lines."""
    return [json.loads(line) for line in data.splitlines()]
