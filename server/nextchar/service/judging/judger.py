"""Answers requests to judge strings, and about the judges."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from nextchar.model.judging.verdicts import Verdicts
from nextchar.repository.judges import ServedJudge, ServedJudges
from nextchar.repository.model import Model
from nextchar.schemas.judging import JudgeInfo, JudgeList, JudgeRequest, JudgeResponse
from nextchar.schemas.score import ScoreRequest
from nextchar.service.inference.score_runner import ScoreRunner
from nextchar.service.inference.validation import Validation
from nextchar.service.judging.answer_check import check_answer
from nextchar.service.judging.answers import judge_info, judge_list, judge_response
from nextchar.service.judging.ordered_judger import OrderedJudger
from nextchar.service.judging.states import JudgedText
from nextchar.telemetry.judge_metrics import JudgeMetrics
from nextchar.telemetry.request_context import RequestContext


class Judger:
    """Judges strings with the judges that are served."""

    def __init__(
        self,
        judges: ServedJudges,
        validation: Validation,
        runner: ScoreRunner,
        ordered: OrderedJudger,
        metrics: JudgeMetrics,
    ) -> None:
        self.judges = judges
        self._validation, self._runner, self._metrics = validation, runner, metrics
        self._ordered = ordered

    async def judge(self, request: JudgeRequest, ctx: RequestContext) -> JudgeResponse:
        """Returns the verdict on each string.

        Raises:
            JudgeNotFound: there is no such judge.
            InvalidRequest: the rate is finer than the judge can tell; or a string is refused.
            Unavailable: the judge's model is not served or has changed.
            StateInvalid, StateModelMismatch: the state is not one of this judge.
        """
        if request.adaptive is not None:
            served, model, text = self._ordered.states.open(request, ctx)
            return (await self._ordered.judge(request, served, model, text, ctx))[0]
        served, model = self._found(request, ctx)
        return await self._judged(served, model, request, ctx)

    @contextmanager
    def stream(self) -> Iterator[Callable[[JudgeRequest, RequestContext], Awaitable[JudgeResponse]]]:
        """Yields a `judge` for the requests of one stream, which all have the judge of the first.

        Of a text that is learned, each request goes on where the last has ended: they must come one by one.
        """
        held: list[tuple[ServedJudge, Model]] = []
        learned: list[JudgedText] = []  # the text up to the last message, if it is learned

        async def judge(request: JudgeRequest, ctx: RequestContext) -> JudgeResponse:
            if request.adaptive is not None:
                return await in_order(request, ctx)
            if held:
                self._validation.use(held[0][1], ctx)
            else:
                held.append(self._found(request, ctx))
                held[0][1].engine.hold()
            return await self._judged(*held[0], request, ctx)

        async def in_order(request: JudgeRequest, ctx: RequestContext) -> JudgeResponse:
            if held:
                self._validation.use(held[0][1], ctx)
            else:
                served, model, text = self._ordered.states.open(request, ctx)
                model.engine.hold()
                held.append((served, model))
                learned.append(text)
            answer, learned[0] = await self._ordered.judge(request, *held[0], learned[0], ctx)
            return answer

        try:
            yield judge
        finally:
            for _, model in held:
                model.engine.release()

    def listing(self) -> JudgeList:
        """Lists the judges, and why others in their folder cannot be read."""
        return judge_list(self.judges)

    def info(self, judge_id: str) -> JudgeInfo:
        """Describes the judge that answers for a name, or a version; raises as `judge`."""
        served, _ = self.judges.get(judge_id)
        return judge_info(self.judges, served, with_card=True)

    def _found(self, request: JudgeRequest, ctx: RequestContext) -> tuple[ServedJudge, Model]:
        served, _ = self.judges.get(request.judge)
        return served, self._validation.model(served.model_id, ctx, param="judge")

    async def _judged(
        self, served: ServedJudge, model: Model, request: JudgeRequest, ctx: RequestContext
    ) -> JudgeResponse:
        judge, rate = served.judge, request.false_alarm_rate
        judge.asked(rate)  # refused before anything is done for it
        self._validation.check_strings(len(request.input))
        check_answer(self._validation, served, request, ctx)
        has_end = judge.vocabulary.end_id is not None
        scored = ScoreRequest.model_construct(input=request.input, include_end=has_end)
        logprobs, num_chars = await self._runner.symbol_logprobs(scored, model, ctx)
        check_answer(self._validation, served, request, ctx)  # the scores have noted what they would weigh

        def answer() -> tuple[Verdicts, JudgeResponse]:
            found = judge.verdicts(request.input, logprobs, false_alarm_rate=rate)
            return found, judge_response(served, found, num_chars, return_reasons=request.return_reasons)

        found, response = await asyncio.to_thread(answer)
        self._metrics.count(served.name, served.version, found.is_flagged, found.p_value)
        return response
