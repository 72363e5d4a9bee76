"""Compares strings: scores them as candidates, side by side, and ranks them."""

from collections.abc import Callable, Sequence

import numpy as np

from nextchar.errors import InvalidRequest
from nextchar.repository.model import Model
from nextchar.schemas.base import make_usage
from nextchar.schemas.compare import Candidate, CompareRequest, CompareResponse, RankBy
from nextchar.schemas.score import Score, ScoreRequest, ScoreResponse
from nextchar.service.inference.score_runner import ScoreRunner
from nextchar.service.inference.validation import Validation
from nextchar.service.sessions.adaptation import new_memory
from nextchar.service.sessions.separate_scorer import SeparateScorer
from nextchar.service.sessions.state import SessionState
from nextchar.telemetry.request_context import RequestContext

_BEST_FIRST: dict[RankBy, Callable[[Candidate], float]] = {
    "logprob": lambda candidate: -candidate.logprob,
    "bits_per_char": lambda candidate: candidate.bits_per_char,
    "log_ratio": lambda candidate: -(candidate.log_ratio or 0.0),
}


class Comparer:
    """Scores and ranks candidates; raises what `ScoreRunner` raises."""

    def __init__(self, validation: Validation, scores: ScoreRunner, separate: SeparateScorer) -> None:
        self._validation, self._scores, self._separate = validation, scores, separate

    async def compare(self, request: CompareRequest, ctx: RequestContext) -> CompareResponse:
        """Returns every candidate once, the best first; equals keep the order of the request.

        Raises:
            InvalidRequest: `rank_by` is log_ratio and there is no reference model.
        """
        reference_model = request.reference_model
        rank_by = request.rank_by or ("log_ratio" if reference_model is not None else "logprob")
        if rank_by == "log_ratio" and reference_model is None:
            raise InvalidRequest(
                "reference_model must be set when rank_by is log_ratio", param="reference_model"
            )
        other = None
        if reference_model is not None:
            other = self._validation.model(reference_model, ctx, param="reference_model")
        model = self._validation.model(request.model, ctx)
        reference = None if other is None else await self._scored(request, other, ctx)
        scored = await self._scored(request, model, ctx)  # last, so that metrics count it as this model's
        usage = make_usage(scored.usage.prompt_tokens + (reference.usage.prompt_tokens if reference else 0))
        return CompareResponse(
            model=scored.model,
            model_version=scored.model_version,
            reference_model=reference.model if reference else None,
            reference_model_version=reference.model_version if reference else None,
            rank_by=rank_by,
            data=_ranked(_candidates(scored.data, reference.data if reference else None), rank_by),
            usage=usage,
            case_folding=scored.case_folding,
        )

    async def _scored(self, request: CompareRequest, model: Model, ctx: RequestContext) -> ScoreResponse:
        score = ScoreRequest(
            model=model.name,
            input=request.input,
            context=request.context,
            include_end=request.include_end,
            return_chars=False,
        )
        model.named_in(ctx)
        if request.adaptive is None:
            return await self._scores.score_with(model, score, ctx)
        # Both models learn: if one alone did, the ratio would tell what learning is worth.
        begun = SessionState.begun(0, new_memory(request.adaptive, self._validation.limits))
        answer, _ = await self._separate.score(score, model, begun, ctx)
        return answer


def _candidates(scores: Sequence[Score], references: Sequence[Score] | None) -> list[Candidate]:
    logprobs = np.array([score.logprob for score in scores])
    weights = np.exp(logprobs - logprobs.max())
    shares = (weights / weights.sum()).tolist()
    others = [None] * len(scores) if references is None else [score.logprob for score in references]
    return [
        Candidate(
            index=score.index,
            rank=0,
            logprob=score.logprob,
            bits_per_char=score.bits_per_char,
            num_chars=score.num_chars,
            num_unknown=score.num_unknown,
            probability=share,
            percentile=score.percentile,
            p_value=score.p_value,
            reference_logprob=other,
            log_ratio=None if other is None else score.logprob - other,
            model_logprob=score.model_logprob,
        )
        for score, share, other in zip(scores, shares, others, strict=True)
    ]


def _ranked(candidates: list[Candidate], rank_by: RankBy) -> list[Candidate]:
    best_first = sorted(candidates, key=_BEST_FIRST[rank_by])
    return [candidate.model_copy(update={"rank": rank}) for rank, candidate in enumerate(best_first, 1)]
