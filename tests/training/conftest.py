"""A small text and small runs over it, for the tests of training."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import torch
from support.tiny_runs import tiny_run, write_words

from nextchar_training.run import provenance
from nextchar_training.run.run import Run

MakeRun = Callable[..., Run]


@pytest.fixture(autouse=True, scope="module")
def _the_commit_is_not_looked_up() -> Iterator[None]:
    """Git is a process; that it is asked is tested in run/test_provenance.py."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(provenance, "git_commit", lambda: "0" * 40)
        yield


@pytest.fixture(autouse=True, scope="module")
def _models_are_written_into_a_folder_of_their_own(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[None]:
    """A run that ends is exported; by default into the working folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NEXTCHAR_MODELS", str(tmp_path_factory.mktemp("models")))
        yield


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def text_file(tmp_path: Path) -> Path:
    """About 6,000 characters in lines of one to six words."""
    return write_words(tmp_path)


@pytest.fixture
def make_run(text_file: Path, tmp_path: Path) -> MakeRun:
    """Makes a run of a tiny network over the small text, in a folder of its own."""
    return partial(tiny_run, tmp_path / "runs", text_file)
