"""Defines the request and the answer of `/v1/compare`."""

from typing import Literal

from pydantic import Field

from nextchar.schemas.adaptive import Adaptive
from nextchar.schemas.base import ModelRequest, ResponseModel, Usage, omitted_if_none

RankBy = Literal["logprob", "bits_per_char", "log_ratio"]


class CompareRequest(ModelRequest):
    """Candidates to rank by their likelihood under one model, or by the likelihood ratio of two models."""

    input: list[str] = Field(
        fail_fast=True, min_length=1, description="The candidates to rank.", examples=[["hello", "htktt"]]
    )
    context: str = Field(
        "", description="Text before every candidate. The scores are conditioned on it; it is not scored."
    )
    include_end: bool = Field(False, description="Also score the end symbol (models trained on lines).")
    reference_model: str | None = Field(
        default=None, description="A second model, for the log-likelihood ratio of each candidate."
    )
    rank_by: RankBy | None = Field(
        default=None,
        description="What makes a candidate the best: the highest logprob, the lowest bits_per_char or the "
        "highest log_ratio. The default is log_ratio with a reference model and logprob without.",
    )
    adaptive: Adaptive = Field(
        default=None,
        description="Learn the text while it is read: the context first, then each candidate after it, none "
        "after another; with a reference model, both learn. True, or an object with orders, window and "
        "learn_drawn.",
    )


class Candidate(ResponseModel):
    """One candidate and its rank, from 1.

    `probability` is its likelihood divided by the sum of all candidates' likelihoods. `log_ratio` is its
    log-probability under the model minus that under the reference model. `percentile` and `p_value` are those
    of a score under the model, and null after a context and where the text is learned. `model_logprob` is the
    log-probability of the model's network alone, where the text is learned.
    """

    index: int
    rank: int
    logprob: float
    bits_per_char: float
    num_chars: int
    num_unknown: int
    probability: float
    percentile: float | None = omitted_if_none()
    p_value: float | None = omitted_if_none()
    reference_logprob: float | None = omitted_if_none()
    log_ratio: float | None = omitted_if_none()
    model_logprob: float | None = omitted_if_none()


class CompareResponse(ResponseModel):
    """The candidates, the best first. `case_folding` is lower if the model reads all text in lower case."""

    object: str = "list"
    model: str
    model_version: str
    reference_model: str | None = omitted_if_none()
    reference_model_version: str | None = omitted_if_none()
    rank_by: str
    data: list[Candidate]
    usage: Usage
    case_folding: str | None = omitted_if_none()
