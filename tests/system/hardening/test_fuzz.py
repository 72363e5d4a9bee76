"""Whatever bytes come, they are refused by one of our errors. `make fuzz` tries a thousand times as many."""

from pathlib import Path

import pytest
from hardening.fuzz import SHARES, run_target
from hardening.fuzz_seeds import seeds, write_seeds
from hardening.fuzz_servers import knock
from hardening.fuzz_targets import MESSAGES, SCHEMAS, TARGETS
from hardening.mutation import mutated

from nextchar.pb import nextchar_pb2 as pb


@pytest.mark.parametrize("name", TARGETS)
def test_damaged_input_is_refused_by_our_errors(name: str) -> None:
    sound = seeds()[name]
    for data in (*sound, b"", b"\0", *mutated(sound, 600, seed=1)):
        TARGETS[name](data)


def test_every_target_has_its_share_and_its_seeds() -> None:
    assert TARGETS.keys() == SHARES.keys() == seeds().keys()


def test_every_message_that_asks_for_something_is_fuzzed() -> None:
    """But those that hold a name, or bytes that another target reads."""
    asking = {
        call.input_type.name for file in pb.DESCRIPTOR.services_by_name.values() for call in file.methods
    }
    others = {"LimitsRequest", "TokenizerInfoRequest", "SessionId", "ImportStateRequest", "SessionCall"}
    assert asking - others == {kind.DESCRIPTOR.name for kind, _ in MESSAGES}


def test_sound_seeds_are_taken() -> None:
    """Else fuzzing would begin where everything is refused."""
    for data in seeds()["body"]:
        schema = SCHEMAS[data[0]]
        assert schema.model_validate_json(data[1:])


def test_atheris_runs_a_target(tmp_path: Path) -> None:
    write_seeds(tmp_path / "seeds")
    executed, first, last, _ = run_target("body", 2000, tmp_path / "seeds" / "body", tmp_path / "found")
    assert executed >= 2000
    assert last - first < 64


def test_a_running_server_refuses_them_and_stays_well(tmp_path: Path) -> None:
    before, after = knock(tmp_path, 400, seed=2)
    assert after - before < 64 * 2**20
