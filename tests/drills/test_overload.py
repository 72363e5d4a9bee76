"""The drills of `make drills`, in short: real processes, real sockets, bars that a busy machine can keep."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from benchmarks.drills.abuse import abuse
from benchmarks.drills.overload import Attempt, advised_over_true, overload
from benchmarks.drills.process import ServerProcess, served
from support.tiny_models import TEXT, TinyModel, write_models

LANES = [
    "--max-lanes",
    "4",
    "--engine-threads",
    "1",
    "--queue-timeout-seconds",
    "0.5",
    "--log-level",
    "error",
]
BOUNDS = ["--receive-timeout-seconds", "5", "--send-timeout-seconds", "1", "--log-level", "error"]


@pytest.fixture(scope="module")
def heavy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that takes its time: a fast one cannot be overloaded from here."""
    models = {"heavy": TinyModel(hidden_size=256, seed=5), "tiny": TEXT}
    return write_models(tmp_path_factory.mktemp("heavy"), models)


@pytest.fixture
def abused(heavy: Path) -> Iterator[ServerProcess]:
    with served(heavy, *BOUNDS) as server:
        yield server


def test_an_overloaded_server_does_its_work_and_tells_refused_clients_when_to_retry(heavy: Path) -> None:
    with served(heavy, *LANES) as server:
        load = overload(server, "heavy", num_chars=3000, num_lanes=4, seconds=3.0)
    assert load.num_other == 0
    assert load.num_refused > 0
    assert load.num_without_retry_after == 0
    assert load.share_of_peak > 0.25  # no collapse; the bar itself is for a quiet machine, in `make drills`
    assert load.p99_seconds < 0.5 + 20 * load.alone_seconds
    assert load.memory_after_bytes - load.memory_before_bytes < 20 * 2**20


def test_nothing_of_bad_clients_is_left(abused: ServerProcess) -> None:
    reports = abuse(abused, "heavy", num_idle=200, num_vanishing=50, num_slow_bytes=1)
    assert [report for report in reports if not report.good] == []
    assert len(reports) == 7


def test_the_true_wait_of_a_refusal_is_that_of_the_last_request_queued_before_it() -> None:
    queued = Attempt(0.0, 9.0, 200, None, None, 5000.0)
    refused = Attempt(1.0, 1.0, 429, 8.0, 8000.0, None)
    assert advised_over_true([queued, refused]) == (2.0,)
    assert advised_over_true([refused]) == ()
