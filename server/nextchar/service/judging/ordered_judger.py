"""Judges strings that are one text in their order, each after those before it, which were learned."""

import asyncio

from nextchar.model.judging.ordered import verdicts_in_order
from nextchar.model.judging.verdicts import Verdicts
from nextchar.model.surprise.online_scores import OnlineScores
from nextchar.repository.judges import ServedJudge
from nextchar.repository.model import Model
from nextchar.schemas.judging import JudgeRequest, JudgeResponse
from nextchar.schemas.score import ScoreRequest
from nextchar.service.inference.validation import Validation
from nextchar.service.judging.answer_check import check_answer
from nextchar.service.judging.answers import judge_response
from nextchar.service.judging.states import JudgedText, JudgeStates
from nextchar.service.sessions.ordered_scorer import OrderedScorer
from nextchar.telemetry.judge_metrics import JudgeMetrics
from nextchar.telemetry.request_context import RequestContext


class OrderedJudger:
    """Judges strings one after the other, by the scores of one lane; raises what `Service` raises."""

    def __init__(
        self, states: JudgeStates, validation: Validation, scorer: OrderedScorer, metrics: JudgeMetrics
    ) -> None:
        self.states = states
        self._validation, self._scorer, self._metrics = validation, scorer, metrics

    async def judge(
        self, request: JudgeRequest, served: ServedJudge, model: Model, text: JudgedText, ctx: RequestContext
    ) -> tuple[JudgeResponse, JudgedText]:
        """Returns the verdicts after the text before them, and the text with these strings."""
        judge = served.judge
        self._validation.check_strings(len(request.input))
        check_answer(self._validation, served, request, ctx)
        has_end = judge.vocabulary.end_id is not None
        scored = ScoreRequest.model_construct(input=request.input, include_end=has_end)
        read = await self._scorer.symbol_logprobs(scored, model, text.state, ctx)
        check_answer(self._validation, served, request, ctx)  # the scores have noted what they would weigh

        def answer() -> tuple[Verdicts, OnlineScores, JudgeResponse]:
            texts = [
                judge.vocabulary.normalize(string, after_return=after_return)
                for string, after_return in zip(request.input, read.after_return, strict=True)
            ]
            found, scores = verdicts_in_order(
                judge, texts, read.ids, read.logprobs, text.scores, false_alarm_rate=request.false_alarm_rate
            )
            reasons = request.return_reasons
            return found, scores, judge_response(served, found, read.num_chars, return_reasons=reasons)

        found, scores, response = await asyncio.to_thread(answer)
        self._metrics.count(served.name, served.version, found.is_flagged, found.p_value)
        after = JudgedText(read.state, scores)
        sealed = self.states.seal(request, served, model, after, ctx)
        return response.model_copy(update={"state": sealed}), after
