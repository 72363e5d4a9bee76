"""The commit of a card is the working directory's, as Git says it."""

import re
import subprocess
from pathlib import Path

import pytest

from nextchar_training.run.provenance import git_commit

_AS_SOMEONE = ["-c", "user.name=someone", "-c", "user.email=someone@example.org"]


def _git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *_AS_SOMEONE, *arguments], cwd=folder, check=True, capture_output=True)


def test_the_commit_is_read_from_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    _git(tmp_path, "init", "--quiet")
    assert git_commit() is None  # nothing is committed yet
    _git(tmp_path, "commit", "--quiet", "--allow-empty", "--message", "one")
    first = git_commit()
    assert first is not None
    assert re.fullmatch(r"[0-9a-f]{40}", first)
    _git(tmp_path, "commit", "--quiet", "--allow-empty", "--message", "two")
    assert git_commit() not in (None, first)


def test_outside_a_repository_and_without_git_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git_commit() is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_commit() is None
