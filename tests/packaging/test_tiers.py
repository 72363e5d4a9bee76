"""Every folder of tests has a tier; what quick tests may not do is noticed."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest
from suite import tiers
from suite.folder_times import FolderTime, folder_table

_TESTS = Path(__file__).parents[1]


@pytest.fixture
def as_quick() -> Iterator[None]:
    """Takes the test that runs for a quick one."""
    tiers.begin(tiers.QUICK)
    yield
    tiers.begin(tiers.STANDARD)


def test_every_folder_of_tests_has_a_tier_and_every_row_a_folder() -> None:
    files = [PurePosixPath(path.relative_to(_TESTS).as_posix()) for path in _TESTS.rglob("test_*.py")]
    assert len(files) > 100
    assert {tiers.tier_of(file) for file in files} == {tiers.QUICK, tiers.STANDARD, tiers.LONG}
    assert [folder for folder in tiers.TIER_OF_FOLDER if not (_TESTS / folder).is_dir()] == []


def test_a_folder_without_a_row_is_an_error() -> None:
    with pytest.raises(KeyError):
        tiers.tier_of(PurePosixPath("nowhere/test_x.py"))


def test_the_row_of_a_folder_inside_wins_over_that_of_the_folder() -> None:
    assert tiers.tier_of(PurePosixPath("training/text/test_x.py")) == tiers.QUICK
    assert tiers.tier_of(PurePosixPath("training/run/test_x.py")) == tiers.STANDARD


@pytest.mark.usefixtures("as_quick")
def test_a_process_and_a_socket_of_a_quick_test_are_noticed_and_an_event_loop_is_not() -> None:
    ours, theirs = socket.socketpair()
    ours.close()
    theirs.close()
    assert tiers.trespasses() == []
    subprocess.run([sys.executable, "-c", ""], check=True)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
    assert [event.partition("(")[0] for event in tiers.trespasses()] == ["subprocess.Popen", "socket.bind"]


@pytest.mark.usefixtures("as_quick")
def test_only_a_long_test_may_drive_a_program_of_other_people() -> None:
    with pytest.raises(AssertionError, match="helm is for tests of the tier 'long'"):
        tiers.check_program("helm")
    tiers.begin(tiers.LONG)
    tiers.check_program("helm")


def test_the_table_of_times_adds_up_each_tier() -> None:
    folders = {
        (tiers.QUICK, "engine"): FolderTime(2, 1.5, 1.0),
        (tiers.QUICK, "model"): FolderTime(1, 0.25, 0.25),
        (tiers.LONG, "page"): FolderTime(4, 8.0, 5.0),
    }
    assert folder_table(folders).splitlines()[2:] == [
        "| quick | `engine` | 2 | 1.5 | 1.0 |",
        "| quick | `model` | 1 | 0.2 | 0.2 |",
        "| **quick** | **all** | 3 | 1.8 | 1.0 |",
        "| **standard** | **all** | 0 | 0.0 | 0.0 |",
        "| long | `page` | 4 | 8.0 | 5.0 |",
        "| **long** | **all** | 4 | 8.0 | 5.0 |",
    ]
