"""Defines the requests and answers of `/v1/judge` and `/v1/judges`."""

from typing import Any, Self

from pydantic import Field, model_validator

from nextchar.errors import InvalidRequest
from nextchar.schemas.adaptive import Adaptive
from nextchar.schemas.base import RequestOptions, ResponseModel, StateFields, Usage, omitted_if_none
from nextchar.schemas.opaque_bytes import OpaqueBytes


class JudgeRequest(StateFields, RequestOptions):
    """Strings to judge: returns whether each is flagged at a rate of false alarms, and its p-value."""

    judge: str = Field(min_length=1, description="The judge's name, or name:version.", examples=["dga"])
    input: list[str] = Field(
        fail_fast=True,
        min_length=1,
        description="The strings, which are judged independently of each other, unless they are learned.",
        examples=[["wikipedia.org", "qmvxkzkwbtjh.biz"]],
    )
    false_alarm_rate: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="The share of normal strings that may be flagged; by default the judge's own.",
    )
    return_reasons: bool = Field(False, description="Also return why each string was judged as it was.")
    adaptive: Adaptive = Field(
        default=None,
        description="Learn the strings while they are judged: they are one text, in their order, and each is "
        "judged after those before it, among which its p-value is its rank. True, or an object with orders, "
        "window and learn_drawn.",
    )
    state: OpaqueBytes | None = Field(
        default=None,
        description="With adaptive, the state to continue from: that of an earlier answer of this judge.",
    )
    return_state: bool = Field(default=False, description="With adaptive, return the state to continue from.")

    @model_validator(mode="after")
    def _is_learned_if_it_goes_on(self) -> Self:
        given = "state" if self.state is not None else "return_state" if self.return_state else None
        if given is not None and self.adaptive is None:
            raise InvalidRequest(
                f"{given} is of strings that are learned: set adaptive too, or leave {given} out", param=given
            )
        return self


class SurprisingChar(ResponseModel):
    """A character and its cost in bits; the end of the string has `char` null and `special` "end".

    `offset` counts the model's symbols in the string as the model reads it.
    """

    char: str | None
    offset: int
    bits: float
    special: str | None = omitted_if_none()


class Reasons(ResponseModel):
    """Why a string was judged as it was.

    `characters` are those that surprised most, the most surprising first. `evidence` are surprisals in nats
    by kind of evidence: 0 is usual among normal strings, 4.6 is one in a hundred.
    """

    characters: list[SurprisingChar]
    evidence: dict[str, float]


class Verdict(ResponseModel):
    """The verdict on one string.

    `p_value` is the share of normal strings with at least this `score`: the rate of false alarms at which the
    string is just flagged; it lies from `low` to `high` with 95 % confidence. `kind` is the likeliest kind of
    bad strings, left out if the string is likelier as a normal one or the judge knows no bad strings;
    `log_ratio` is the logarithm of how much likelier it is as that kind.

    Where strings are learned, `p_value` is the rank of the score among the strings that it was compared with,
    the last half of those before it.
    """

    index: int
    is_flagged: bool
    p_value: float
    low: float
    high: float
    score: float
    kind: str | None = omitted_if_none()
    log_ratio: float | None = omitted_if_none()
    reasons: Reasons | None = omitted_if_none()


class JudgeResponse(ResponseModel):
    """The verdict on each string, by a judge and its model of normal strings.

    `false_alarm_rate` is the rate that was asked for, or the judge's own; the true one lies from
    `false_alarm_low` to `false_alarm_high` with 95 % confidence. `warning` says what the strings that the
    judge was calibrated on cannot tell at this rate. Where strings are learned, they are those that the last
    string was compared with; `state` is the one after it, if it was asked for.
    """

    object: str = "list"
    judge: str
    judge_version: str
    model: str
    model_version: str
    false_alarm_rate: float
    false_alarm_low: float
    false_alarm_high: float
    warning: str | None = omitted_if_none()
    data: list[Verdict]
    usage: Usage
    state: OpaqueBytes | None = omitted_if_none()


class JudgeInfo(ResponseModel):
    """One version of a judge. A list of judges leaves out `card`, which holds what the judge is made of.

    `ready` is false, and `reason` says why, while its model is not served or has changed. `kinds` are the
    kinds of bad strings that it knows, `finest_rate` is the finest rate of false alarms that
    it may be asked for.
    """

    id: str
    object: str = "judge"
    version: str
    model: str
    model_version: str
    ready: bool
    reason: str | None = omitted_if_none()
    kinds: list[str]
    num_normal: int
    default_rate: float
    finest_rate: float
    card: dict[str, Any] | None = omitted_if_none()


class JudgeList(ResponseModel):
    """The judges; a version that is not the one asked by the name alone is listed as name:version.

    `failures` says by name and version why others in the judges folder cannot be read.
    """

    object: str = "list"
    data: list[JudgeInfo]
    failures: dict[str, str]
