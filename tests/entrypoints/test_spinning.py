"""Threads of training wait without keeping a core busy, unless the user says how they are to wait."""

import os

import pytest

from nextchar.entrypoints import main as main_module
from nextchar.entrypoints.machine import SPIN_COUNT, bound_spinning
from nextchar.entrypoints.main import main


@pytest.fixture(autouse=True)
def _unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY"):
        monkeypatch.setenv(name, "restored afterwards")
        monkeypatch.delenv(name)


def test_spinning_is_bounded_where_nothing_is_said() -> None:
    bound_spinning()
    assert os.environ["GOMP_SPINCOUNT"] == str(SPIN_COUNT)


@pytest.mark.parametrize("name", ["GOMP_SPINCOUNT", "OMP_WAIT_POLICY"])
def test_what_the_user_says_holds(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    before = dict(os.environ) | {name: "7"}
    monkeypatch.setenv(name, "7")
    bound_spinning()
    assert dict(os.environ) == before


def test_a_command_of_training_is_imported_after_spinning_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str | None] = []

    class Entry:
        name = "train"

        def load(self) -> object:
            seen.append(os.environ.get("GOMP_SPINCOUNT"))
            return main

    monkeypatch.setattr(main_module, "added", lambda: {"train": Entry()})
    context = main.make_context("nextchar", ["train"])
    assert main.get_command(context, "train") is main
    assert seen == [str(SPIN_COUNT)]
