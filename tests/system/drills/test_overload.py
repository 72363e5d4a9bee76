"""The rules of `make drills` that hold on any machine, in short runs; the figures are the command's."""

import asyncio
from pathlib import Path

import pytest
from benchmarks.drills.abuse import abuse
from benchmarks.drills.overload import Attempt, advised_over_true, request, send
from benchmarks.drills.process import served
from support.tiny_models import TEXT, TinyModel, write_models

_LANES = ["--max-lanes", "4", "--max-waiting", "4", "--queue-timeout-seconds", "0.5", "--engine-threads", "1"]
_BOUNDS = [
    *("--receive-timeout-seconds", "2"),
    *("--send-timeout-seconds", "1"),
    *("--keep-alive-timeout-seconds", "1"),
]
_QUIET = ["--log-level", "error"]
_NUM_CLIENTS, _NUM_REFUSALS = 40, 100
_SECONDS = 60  # ends a hang


@pytest.fixture(scope="module")
def heavy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that takes its time: a fast one cannot be overloaded from here."""
    models = {"heavy": TinyModel(hidden_size=256, seed=5), "tiny": TEXT}
    return write_models(tmp_path_factory.mktemp("heavy"), models)


async def _until_refused(port: int) -> list[Attempt]:
    """Sends requests from many clients, each one after the other, until so many were refused."""
    content, attempts = request("heavy", 3000), list[Attempt]()

    async def client() -> None:
        while sum(attempt.refused for attempt in attempts) < _NUM_REFUSALS:
            attempts.append(await send(port, content))

    await asyncio.wait_for(asyncio.gather(*(client() for _ in range(_NUM_CLIENTS))), _SECONDS)
    return attempts


def test_an_overloaded_server_does_work_and_tells_refused_clients_when_to_retry(heavy: Path) -> None:
    with served(heavy, *_LANES, *_QUIET) as server:
        attempts = asyncio.run(_until_refused(server.port))
        after = asyncio.run(send(server.port, request("heavy", 3000)))
    refused = [attempt for attempt in attempts if attempt.refused]
    assert {attempt.status for attempt in attempts if not attempt.refused} == {200}
    assert [attempt for attempt in refused if attempt.retry_after_seconds is None] == []
    assert after.status == 200


def test_nothing_of_bad_clients_is_left(heavy: Path) -> None:
    with served(heavy, *_BOUNDS, *_QUIET) as server:
        reports = abuse(server, "heavy", num_idle=50, num_vanishing=20, num_slow_bytes=1)
    assert len(reports) == 7
    for report in reports:
        assert report.left_seconds is not None, report
        assert report.answered_meanwhile, report
    # Whether all idle clients were there at once depends on the machine; what happens to this one does not.
    assert [report.as_meant for report in reports if "stops reading" in report.what] == [True]


def test_the_true_wait_of_a_refusal_is_that_of_the_last_request_queued_before_it() -> None:
    queued = Attempt(0.0, 9.0, 200, None, None, 5000.0)
    refused = Attempt(1.0, 1.0, 429, 8.0, 8000.0, None)
    assert advised_over_true([queued, refused]) == (2.0,)
    assert advised_over_true([refused]) == ()
