"""The commit of a card is that of the source that trained it, whatever the working directory."""

import re
import subprocess
from pathlib import Path

import pytest

from nextchar_training.run.provenance import git_commit

_AS_SOMEONE = ["-c", "user.name=someone", "-c", "user.email=someone@example.org"]


def _git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *_AS_SOMEONE, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A source file in a repository of one commit."""
    source = tmp_path / "package" / "module.py"
    source.parent.mkdir()
    source.write_text("one")
    _git(tmp_path, "init", "--quiet")
    _git(tmp_path, "add", ".")
    _git(tmp_path, "commit", "--quiet", "--message", "one")
    return source


def test_the_commit_is_that_of_the_source_and_not_of_the_working_directory(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = git_commit(source)
    assert first is not None
    assert re.fullmatch(r"[0-9a-f]{40}", first)
    other = tmp_path / "other"
    other.mkdir()
    _git(other, "init", "--quiet")
    _git(other, "commit", "--quiet", "--allow-empty", "--message", "of another repository")
    monkeypatch.chdir(other)
    assert git_commit(source) == first
    _git(source.parent, "tag", "v1")
    assert git_commit(source) == first


def test_a_source_that_has_changed_since_its_commit_is_told(source: Path) -> None:
    first = git_commit(source)
    source.write_text("two")
    assert git_commit(source) == f"{first}-dirty"


def test_a_package_that_is_installed_inside_a_repository_has_no_commit(source: Path) -> None:
    installed = source.parent / ".venv" / "module.py"
    installed.parent.mkdir()
    installed.write_text("one")
    assert git_commit(installed) is None


def test_outside_a_repository_and_without_git_there_is_none(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    alone = tmp_path.parent / f"{tmp_path.name}-alone" / "module.py"
    alone.parent.mkdir()
    alone.write_text("one")
    assert git_commit(alone) is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_commit(source) is None
