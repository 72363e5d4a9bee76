"""Every limit of a request, of an owner and of a model is told at `/v1/limits`, as it was set."""

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from support.in_process import in_process

from nextchar.entrypoints.settings import Settings
from nextchar.entrypoints.settings_options import api_limits, limits, session_limits
from nextchar.entrypoints.settings_reference import setting_texts
from nextchar.schemas.limits import ApiLimits, Limits, SessionLimits
from nextchar.schemas.limits_report import LimitsResponse, ModelLimits, OwnerLimits, RequestLimits
from nextchar.service.inference.limits_report import LimitsReport

# Those that have another name there.
TOLD_AS = {
    "request_timeout_seconds": "timeout_seconds",
    "ttl_seconds": "session_ttl_seconds",
    "ttl_seconds_by_model": "session_ttl_seconds",
    "model_session_ttl_seconds": "session_ttl_seconds",
    "reserved_lanes": "max_lanes",  # which counts them too
}
TOLD = RequestLimits.model_fields.keys() | OwnerLimits.model_fields.keys() | ModelLimits.model_fields.keys()
# Numbers that no request, no session and no model has: those of the process and of connections.
BOUND_NO_REQUEST = {
    *("http_port", "grpc_port", "metrics_port", "engine_threads", "shutdown_timeout_seconds"),
    *("model_poll_seconds", "unload_after_seconds"),
    *("max_connections", "send_timeout_seconds", "keep_alive_timeout_seconds"),
    *(name for name in Settings.model_fields if name.startswith("grpc_")),
}
OF_MODELS = {"max_lanes", "reserved_lanes", "max_bulk_lanes", "max_waiting", "max_adaptive_table_bytes"}
_MODEL = "tiny"
_TTL_SECONDS = 77.0
NUMBERS = [text.name for text in setting_texts() if text.unit]


def another(name: str) -> Any:
    """A value of a setting that is not its default."""
    usual = Settings.model_fields[name].get_default(call_default_factory=True)
    if usual is None:
        return 7
    if isinstance(usual, dict):
        return {_MODEL: _TTL_SECONDS}
    return not usual if isinstance(usual, bool) else type(usual)(usual / 2)


@pytest.fixture(scope="module")
def told(models: Path) -> Iterator[tuple[Settings, LimitsResponse]]:
    """Settings none of which has its default, and what is told of them."""
    chosen = {name: another(name) for name in (*NUMBERS, "strict_characters") if name not in BOUND_NO_REQUEST}
    settings = Settings(**chosen)
    with in_process(models) as made:
        served = made.service.limits_report._served_models
        report = LimitsReport(served, limits(settings), session_limits(settings), api_limits(settings))
        yield settings, report.limits()


@pytest.mark.parametrize("name", [*NUMBERS, "strict_characters"])
def test_each_setting_that_bounds_a_request_is_told_as_it_was_set(
    told: tuple[Settings, LimitsResponse], name: str
) -> None:
    if name in BOUND_NO_REQUEST:
        assert name not in TOLD
        return
    settings, answer = told
    as_name, value = TOLD_AS.get(name, name), getattr(settings, name)
    (model,) = (one for one in answer.models if one.model == _MODEL)
    if name in OF_MODELS:  # whose values are those of the engines (tests/service/inference/test_tokens.py)
        assert as_name in ModelLimits.model_fields
    elif name == "model_session_ttl_seconds":
        assert getattr(model, as_name) == value[_MODEL]
    else:
        (found,) = (part for part in (answer.request, answer.owner) if as_name in type(part).model_fields)
        assert getattr(found, as_name) == value


def test_a_model_without_a_time_of_its_own_has_that_of_its_owner(
    told: tuple[Settings, LimitsResponse],
) -> None:
    settings, answer = told
    others = {one.session_ttl_seconds for one in answer.models if one.model != _MODEL}
    assert others == {settings.session_ttl_seconds} == {answer.owner.session_ttl_seconds}


@pytest.mark.parametrize("kind", [Limits, SessionLimits, ApiLimits])
def test_each_limit_that_is_enforced_is_told_whether_it_can_be_set_or_not(kind: type[Any]) -> None:
    enforced = {one.name for one in fields(kind)} - {"replays"}  # which is a switch, and bounds nothing
    assert {TOLD_AS.get(name, name) for name in enforced} <= TOLD


def test_a_limit_that_cannot_be_set_is_told_as_it_is_enforced(models: Path) -> None:
    own, of_sessions = Limits(max_inspect_values=11), SessionLimits(max_checkpoints=13)
    with in_process(models, limits=own, session_limits=of_sessions) as made:
        answer = made.service.limits_report.limits()
    assert answer.request.max_inspect_values == 11
    assert answer.owner.max_checkpoints == 13
