"""A short run of the drill of `make drills` in which the store under two servers breaks in every way."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest
from benchmarks.drills.doubled.drill import Findings, doubled, programs
from benchmarks.drills.doubled.faults import KINDS, Fault, faults
from benchmarks.drills.doubled.table import shown
from benchmarks.drills.doubled.valkey import NAMINGS, Naming
from support.tiny_models import TinyModel, write_models

_SECONDS = 10.0


def test_the_faults_of_a_seed_are_the_same_and_each_kind_comes_in_turn() -> None:
    def first(seed: int) -> list[Fault]:
        return [fault for fault, _ in zip(faults(seed), range(10), strict=False)]

    assert first(1) == first(1) != first(2)
    assert {fault.kind for fault in first(1)[:5]} == {fault.kind for fault in first(1)[5:]} == set(KINDS)


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose sessions are large beside a Valkey's buffers: then it evicts a few of them at a time."""
    return write_models(tmp_path_factory.mktemp("wide"), {"wide": TinyModel(hidden_size=256, seed=5)})


@pytest.fixture(scope="module", params=NAMINGS)
def found(request: pytest.FixtureRequest, wide: Path) -> Findings:
    naming: Naming = request.param
    found = doubled(
        wide,
        "wide",
        naming,
        seed=7,
        seconds=_SECONDS,
        num_sessions=24,
        num_feeds=12,
        programs=programs(),
    )
    print("\n".join(shown(found)))
    return found


def test_every_session_that_lives_has_read_what_was_sent_to_the_character(found: Findings) -> None:
    assert found.num_alive > 0
    assert (found.doubled, found.lost, found.other) == ([], [], [])


def test_what_was_found_can_be_written_down(found: Findings) -> None:
    kept = json.loads(json.dumps(asdict(found)))
    assert (kept["naming"], kept["faults"]) == (found.naming, found.faults)


def test_a_session_that_is_lost_was_told_as_what_it_is_and_no_server_failed(found: Findings) -> None:
    assert found.good
