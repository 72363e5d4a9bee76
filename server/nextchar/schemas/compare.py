"""What a comparison holds, and its answer."""

from typing import Literal

from pydantic import Field

from nextchar.schemas.base import Answer, ModelRequest, Usage, absent

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


class Candidate(Answer):
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
    percentile: float | None = absent()
    reference_logprob: float | None = absent()
    log_ratio: float | None = absent()


class CompareResponse(Answer):
    object: str = "list"
    model: str
    model_version: str
    reference_model: str | None = absent()
    reference_model_version: str | None = absent()
    rank_by: str
    data: list[Candidate]
    usage: Usage
