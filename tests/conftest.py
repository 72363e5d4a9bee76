"""Sorts tests into tiers by folder, and runs one real server for the tests that leave it as it was."""

import os
import signal
from collections.abc import Generator, Iterator
from pathlib import Path, PurePosixPath

import hypothesis
import pytest
from service.judging.served_judges import write_judge
from suite import tiers
from suite.folder_times import FolderTimes
from support.engine_lanes import Gate
from support.live_server import LiveServer, live_server
from support.tiny_models import BYTES, LINES, REFUSING, TEXT, write_models

from nextchar.repository import retired_versions

MODELS = {"tiny": TEXT, "lines": LINES, "refusing": REFUSING, "bytes": BYTES}

# How long an example takes depends on what else the machine does: it says nothing about the code.
hypothesis.settings.register_profile(
    "nextchar",
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.function_scoped_fixture],
)
hypothesis.settings.load_profile("nextchar")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--folder-times", type=Path, help="Write the times of the folders into this page.")


def pytest_xdist_auto_num_workers() -> int:
    """Returns one more than the processors: some tests wait for a time to pass or a process to start."""
    return len(os.sched_getaffinity(0)) + 1


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("numprocesses", None):
        os.environ.setdefault("OMP_NUM_THREADS", "1")  # in the workers, which have the processors already
    page = config.getoption("--folder-times")
    if page is not None and not hasattr(config, "workerinput"):
        config.pluginmanager.register(FolderTimes(page))
    # A shell lets what it starts in the background ignore interrupts, and the programs under test inherit it.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leaves out the files of other tiers: to collect them takes longer than many a tier's tests."""
    if not collection_path.match("test_*.py"):
        return None
    return None if tiers.may_be_chosen(_below_tests(collection_path), config.option.markexpr) else True


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.add_marker(_tier(item))


def _tier(item: pytest.Item) -> str:
    return tiers.tier_of(_below_tests(item.path))


def _below_tests(path: Path) -> PurePosixPath:
    return PurePosixPath(path.relative_to(Path(__file__).parent).as_posix())


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    tiers.begin(_tier(item))
    try:
        return (yield)
    finally:
        tiers.begin(None)


@pytest.fixture(autouse=True)
def _within_its_tier() -> Iterator[None]:
    """Fails a quick test that starts a process or opens a socket."""
    yield
    assert tiers.trespasses() == []


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of models, with a judge in the folder beside it."""
    folder = tmp_path_factory.mktemp("served")
    write_judge(folder)
    return write_models(folder / "models", MODELS)


@pytest.fixture(scope="session")
def server(models: Path) -> Iterator[LiveServer]:
    with live_server(models) as running:
        yield running


@pytest.fixture
def quick_retirement(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks many times a second whether a retired version may be let go."""
    monkeypatch.setattr(retired_versions, "_POLL_SECONDS", 0.02)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    """Holds every engine before each call of its graph: work that has begun ends only when a test says so."""
    made = Gate(monkeypatch)
    yield made
    made.open()
