"""What a comparison holds, and its answer."""

from typing import Literal

from pydantic import Field

from nextchar.schemas.base import ModelRequest, ResponseModel, Usage, omitted_if_none

RankBy = Literal["logprob", "bits_per_char", "log_ratio"]


class CompareRequest(ModelRequest):
    """Candidates to rank by likelihood, under one model, or by the likelihood ratio of two."""

    input: list[str] = Field(min_length=1, description="The candidates.", examples=[["hello", "htktt"]])
    context: str = Field("", description="Text before every candidate; conditions the score, is not scored.")
    include_end: bool = Field(False, description="Also score the end symbol (models trained on lines).")
    reference_model: str | None = Field(
        default=None, description="A second model: gives each candidate's log-likelihood ratio."
    )
    rank_by: RankBy | None = Field(
        default=None,
        description="The best first: highest logprob, lowest bits_per_char or highest log_ratio; by default "
        "log_ratio with a reference model and logprob without.",
    )


class Candidate(ResponseModel):
    """One candidate. `probability` is its share if one of the candidates must be it: its likelihood among
    theirs. `log_ratio` is log p under the model minus log p under the reference model.
    """

    index: int
    rank: int
    logprob: float
    bits_per_char: float
    num_chars: int
    num_unknown: int
    probability: float
    percentile: float | None = omitted_if_none()
    reference_logprob: float | None = omitted_if_none()
    log_ratio: float | None = omitted_if_none()


class CompareResponse(ResponseModel):
    object: str = "list"
    model: str
    model_version: str
    reference_model: str | None = omitted_if_none()
    reference_model_version: str | None = omitted_if_none()
    rank_by: str
    data: list[Candidate]
    usage: Usage
