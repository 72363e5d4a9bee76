"""Runs completions in three steps: prepares what is sampled, runs its lanes, assembles what they deliver."""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace

from nextchar.engine.deliveries import StreamReceiver
from nextchar.engine.work import Delivery
from nextchar.schemas.completion import Completion
from nextchar.schemas.sampling import SamplingFields
from nextchar.service.inference.answer_weight import completion_weight
from nextchar.service.inference.completion_answer import CompletionAnswer
from nextchar.service.inference.completion_plan import CompletionPlan, Sample, Start
from nextchar.service.inference.completion_text import Prompt, Shown
from nextchar.service.inference.regex_compiler import RegexCompiler
from nextchar.service.inference.sampling_params import choice_seed, make_sampling, make_seed
from nextchar.service.inference.submission import submitted
from nextchar.service.inference.validation import Validation
from nextchar.telemetry.metrics import Metrics
from nextchar.telemetry.request_context import RequestContext

_MANY_IDS = 64


class CompletionRunner:
    """Runs completions from any start; raises what `Service` raises."""

    def __init__(self, validation: Validation, metrics: Metrics) -> None:
        self._validation, self._metrics = validation, metrics
        self._regexes = RegexCompiler()

    async def prepare(
        self,
        request: SamplingFields,
        prompts: Sequence[Prompt],
        start: Start,
        ctx: RequestContext,
        *,
        shown: Shown,
        num_samples: int = 1,
        num_best: int = 1,
    ) -> CompletionPlan:
        """Plans the samples of each prompt, of which the `num_best` likeliest are returned.

        Without a seed of the request, the random numbers are the start's own and go on where it left off.
        """
        num_chars = sum(len(prompt.ids) for prompt in prompts)
        shown = replace(shown, learned=start.memory is not None)
        weight = completion_weight(num_chars, len(prompts), request, shown, num_samples=num_samples)
        self._validation.check_answer(weight, ctx, *_lighter(request, shown))
        self._metrics.observe_size(ctx, num_chars)
        seed, first_draw = start.seed, start.first_draw
        if request.seed is not None or seed is None:
            seed, first_draw = make_seed(request.seed), 0
        sampling = await make_sampling(
            start.model, request, self._regexes, seed=seed, first_draw=first_draw, on_wait=ctx.on_wait
        )
        normalize = start.model.graph.vocabulary.normalize
        return CompletionPlan(
            start=start,
            prompts=prompts,
            samplings=[replace(sampling, seed=choice_seed(seed, k)) for k in range(num_samples)],
            shown=shown,
            left_out=[] if request.include_stop_str_in_output else list(map(normalize, request.stop)),
            num_best=num_best,
        )

    async def pieces(self, plan: CompletionPlan, ctx: RequestContext) -> AsyncGenerator[Completion]:
        """Yields the pieces of all choices as they come, one choice each.

        The last piece of a choice has its `finish_reason`; the last of all has `usage` and where the start's
        state has moved to.
        """
        answer = CompletionAnswer(plan, ctx)
        async with aclosing(self._run(plan, answer.samples, ctx)) as deliveries:
            async for sample, delivery in deliveries:
                piece = await answer.piece(sample, delivery)
                if piece.choices[0].tells:
                    yield piece

    async def whole(self, plan: CompletionPlan, ctx: RequestContext) -> Completion:
        """Returns all choices whole: the pieces of each joined, in order."""
        answer = CompletionAnswer(plan, ctx)
        async with aclosing(self._run(plan, answer.samples, ctx)) as deliveries:
            async for sample, delivery in deliveries:
                answer.join(await answer.piece(sample, delivery))
        return answer.joined()

    async def _run(
        self, plan: CompletionPlan, samples: Sequence[Sample], ctx: RequestContext
    ) -> AsyncGenerator[tuple[Sample, Delivery]]:
        """Yields the samples' deliveries as they come, each sample's in order, observed as they pass."""
        lanes = [sample.lane for sample in samples]
        stream = StreamReceiver(len(lanes))
        for lane in lanes:
            lane.receiver = stream
        with submitted(plan.start.model, lanes, ctx):
            async for tag, delivery in stream:
                sample = samples[tag]
                self._observe(ctx, sample, delivery)
                yield sample, delivery
                if len(delivery.ids) > _MANY_IDS:
                    await asyncio.sleep(0)  # it was milliseconds of work, and the next may be there already

    def _observe(self, ctx: RequestContext, sample: Sample, delivery: Delivery) -> None:
        lane, now = sample.lane, time.monotonic()
        fed, sampled = sample.count(len(delivery.ids))
        self._metrics.count_chars(ctx, fed=fed, sampled=sampled)
        if delivery.model_logprobs is not None:
            self._metrics.count_adaptive(ctx, delivery.logprobs[:fed], delivery.model_logprobs[:fed])
        streamed = lane.sampling is not None and lane.sampling.chars_per_delivery > 0
        if sampled and streamed and sample.last_seen:
            self._metrics.observe_inter_char(ctx, (now - sample.last_seen) / sampled)
        elif sampled and streamed:
            self._metrics.observe_first_char(ctx)
        if sampled and streamed:
            sample.last_seen = now
        if delivery.last:
            self._metrics.observe_queue(ctx, lane.joined - lane.submitted)
            ctx.ran(lane.submitted, lane.joined)


def _lighter(request: SamplingFields, shown: Shown) -> tuple[str, str]:
    """Returns the field that makes an answer large, and what would make it smaller."""
    if shown.num_prompt_top is not None:
        param, ways = "prompt_logprobs", [f"set prompt_logprobs to less than {shown.num_prompt_top}"]
    elif shown.num_top is not None:
        param, ways = "logprobs", [f"set logprobs to less than {shown.num_top}"]
    else:
        param, ways = "max_tokens", []
    ways += ["leave echo out"] * shown.echo + ["leave return_token_ids out"] * shown.token_ids
    ways += ["send fewer or shorter prompts", "sample less (max_tokens, n, best_of)"]
    ways += ["request a stream"] * (not request.stream and shown.num_prompt_top is None)
    return param, f"{', '.join(ways[:-1])} or {ways[-1]}"
