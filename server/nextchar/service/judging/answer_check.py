"""Checks that an answer to a request to judge strings is within the limit, before anything is done for it."""

from nextchar.repository.judges import ServedJudge
from nextchar.schemas.judging import JudgeRequest
from nextchar.service.inference.answer_weight import verdict_weight
from nextchar.service.inference.validation import Validation
from nextchar.telemetry.request_context import RequestContext


def check_answer(
    validation: Validation, served: ServedJudge, request: JudgeRequest, ctx: RequestContext
) -> None:
    """Notes what the verdicts will weigh at most; raises AnswerTooLarge if that is more than they may."""
    references = served.judge.card.references
    longest = max((len(kind.name) for kind in references.kinds), default=0) if references else 0
    weight = verdict_weight(len(request.input), longest, return_reasons=request.return_reasons)
    validation.check_answer(weight, ctx, "return_reasons", "send fewer strings, or leave return_reasons out")
