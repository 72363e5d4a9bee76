"""Completions: sampling lanes, and their deliveries as pieces of text."""

import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from nextchar.engine.deliveries import StreamReceiver
from nextchar.engine.lane import Lane, Sampling
from nextchar.engine.work import Delivery
from nextchar.repository.served_models import Model
from nextchar.request_context import RequestContext
from nextchar.schemas.base import make_usage
from nextchar.schemas.completion import Choice, Completion, CompletionRequest
from nextchar.schemas.sampling import SamplingFields
from nextchar.service.inference.completion_text import CompletionText, Prompt, Shown, join_choices
from nextchar.service.inference.prompts import make_prompts
from nextchar.service.inference.regex_compiler import RegexCompiler
from nextchar.service.inference.sampling_params import choice_seed, make_sampling, make_seed
from nextchar.service.inference.submission import submitted
from nextchar.service.inference.validation import Validation
from nextchar.telemetry.metrics import Metrics


@dataclass(slots=True)
class Sample:
    """One completion on its way: its lane, its text, and when characters of it last came."""

    lane: Lane
    text: CompletionText
    num_seen: int = 0
    last_seen: float = 0.0

    def pass_on(self, num_ids: int) -> tuple[int, int]:
        """Count a delivery's ids: how many of them were read, how many drawn."""
        read = min(num_ids, max(0, len(self.lane.given) - self.num_seen))
        self.num_seen += num_ids
        return read, num_ids - read


class Completer:
    """Runs completions; see `Service` for what is raised."""

    def __init__(self, validation: Validation, metrics: Metrics) -> None:
        self._validation = validation
        self._metrics = metrics
        self._patterns = RegexCompiler()

    async def stream(self, request: CompletionRequest, ctx: RequestContext) -> AsyncGenerator[Completion]:
        """The pieces of all completions as they come, one choice each; the last has `usage`.

        The last piece of each choice has its `finish_reason`.
        """
        model, samples = await self._samples(request, ctx)
        template, num_drawn, num_left = make_template(model, ctx), 0, len(samples)
        num_read = sum(_num_tokens(sample) for sample in samples[:: request.num_samples])
        async with aclosing(self.run(model, samples, ctx)) as deliveries:
            async for sample, delivery in deliveries:
                choice = sample.text.add(delivery)
                num_left -= delivery.last
                num_drawn += sample.text.num_drawn if delivery.last else 0
                usage = None if num_left else make_usage(num_read, num_drawn)
                if choice.tells:
                    yield template.model_copy(update={"choices": [choice], "usage": usage})

    async def complete(self, request: CompletionRequest, ctx: RequestContext) -> Completion:
        """All completions whole: the pieces of each joined, in order; with `best_of` the best ones."""
        model, samples = await self._samples(request, ctx)
        choices: list[list[Choice]] = [[] for _ in samples]
        async with aclosing(self.run(model, samples, ctx)) as deliveries:
            async for sample, delivery in deliveries:
                choices[sample.lane.tag].append(sample.text.add(delivery))
        found = _best(request, [join_choices(parts) for parts in choices], samples)
        num_read = sum(_num_tokens(sample) for sample in samples[:: request.num_samples])
        usage = make_usage(num_read, sum(sample.text.num_drawn for sample in samples))
        return make_template(model, ctx).model_copy(update={"choices": found, "usage": usage})

    async def sampling(
        self, model: Model, request: SamplingFields, *, seed: int, first_draw: int = 0
    ) -> Sampling:
        """How a request draws; raises as `make_sampling`."""
        return await make_sampling(model, request, self._patterns, seed=seed, first_draw=first_draw)

    async def _samples(self, request: CompletionRequest, ctx: RequestContext) -> tuple[Model, list[Sample]]:
        """What a request has sampled: each prompt's choices, prompt after prompt."""
        ctx.asked(request)
        ctx.request_id = request.request_id or ctx.request_id
        model = self._validation.model(request.model, ctx)
        self._validation.check_max_tokens(request.max_tokens)
        prompts = make_prompts(request, model, self._validation, ctx)
        num_samples = request.num_samples
        self._validation.check_choices(len(prompts) * num_samples)
        num_chars = sum(len(prompt.ids) + request.max_tokens for prompt in prompts) * num_samples
        self._validation.check_total(num_chars, "prompt")
        self._metrics.observe_size(ctx, sum(len(prompt.ids) for prompt in prompts))
        sampling = await self.sampling(model, request, seed=make_seed(request.seed))
        by_choice = [replace(sampling, seed=choice_seed(sampling.seed, k)) for k in range(num_samples)]
        samples: list[Sample] = []
        for prompt in prompts:
            for each in by_choice:
                lane = Lane(prompt.ids, sampling=each)
                samples.append(self.sample(model, lane, prompt, request, index=len(samples)))
        return model, samples

    def sample(
        self, model: Model, lane: Lane, prompt: Prompt, request: SamplingFields, *, index: int = 0
    ) -> Sample:
        """A lane and its text, for `run`."""
        vocabulary = model.graph.vocabulary
        shown = Shown(index, num_top=request.logprobs, token_ids=request.return_token_ids)
        if isinstance(request, CompletionRequest):
            shown = replace(shown, echo=request.echo, num_prompt_top=request.prompt_logprobs)
        held = [] if request.include_stop_str_in_output else request.stop
        lane.num_top, lane.tag = shown.most_top, index
        return Sample(lane, CompletionText(vocabulary, prompt, list(map(vocabulary.normalize, held)), shown))

    async def run(
        self, model: Model, samples: Sequence[Sample], ctx: RequestContext
    ) -> AsyncGenerator[tuple[Sample, Delivery]]:
        """The samples' deliveries as they come, each sample's in order, observed as they pass."""
        lanes = [sample.lane for sample in samples]
        stream = StreamReceiver(len(lanes))
        for lane in lanes:
            lane.receiver = stream
        with submitted(model, lanes, ctx):
            async for tag, delivery in stream:
                sample = samples[tag]
                self._observe(ctx, sample, delivery)
                yield sample, delivery

    def _observe(self, ctx: RequestContext, sample: Sample, delivery: Delivery) -> None:
        lane, now = sample.lane, time.monotonic()
        fed, sampled = sample.pass_on(len(delivery.ids))
        self._metrics.count_chars(ctx, fed=fed, sampled=sampled)
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


def _num_tokens(sample: Sample) -> int:
    return sample.text.prompt.num_tokens


def _best(request: CompletionRequest, choices: list[Choice], samples: list[Sample]) -> list[Choice]:
    """The n likeliest a character of each prompt's choices, likeliest first; of equals the first."""
    num_samples, n = request.num_samples, request.n
    if num_samples == n:
        return choices
    found: list[Choice] = []
    for first in range(0, len(choices), num_samples):
        ranked = sorted(range(first, first + num_samples), key=lambda k: -samples[k].text.mean_logprob)
        found += [choices[k] for k in ranked[:n]]
    return [choice.model_copy(update={"index": index}) for index, choice in enumerate(found)]


def make_template(model: Model, ctx: RequestContext) -> Completion:
    """A completion without choices."""
    return Completion(
        id=f"cmpl-{ctx.request_id}",
        created=int(time.time()),
        model=model.name,
        model_version=model.version,
        system_fingerprint=model.graph.digest,
        choices=[],
    )
