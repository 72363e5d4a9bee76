"""Assembles the answer to a completion from what its lanes deliver."""

import time

import numpy as np

from nextchar.engine.work import Delivery, FinishReason
from nextchar.schemas.base import make_usage
from nextchar.schemas.completion import Choice, Completion
from nextchar.service.inference.choice_joiner import ChoiceJoiner
from nextchar.service.inference.completion_plan import CompletionEnd, CompletionPlan, Sample
from nextchar.telemetry.request_context import RequestContext


class CompletionAnswer:
    """Makes the pieces of one request's answer, and joins them."""

    def __init__(self, plan: CompletionPlan, ctx: RequestContext) -> None:
        self._plan = plan
        self.samples = plan.samples()
        self._joiners = [ChoiceJoiner() for _ in self.samples]
        self._num_left = len(self.samples)
        self._passed: list[Delivery] = []  # all deliveries, where the end is saved
        model = plan.start.model
        self._template = plan.start.answer_type(
            id=f"cmpl-{ctx.request_id}",
            created=int(time.time()),
            model=model.name,
            model_version=model.version,
            system_fingerprint=model.graph.digest,
            choices=[],
            case_folding=model.graph.vocabulary.told_folding,
            **plan.start.fields,
        )
        self._last = self._template

    async def piece(self, sample: Sample, delivery: Delivery) -> Completion:
        """Returns the next piece of one choice; the last of all comes after the end is saved."""
        fields: dict[str, object] = {"choices": [sample.text.add(delivery)]}
        if self._plan.start.save is not None:
            self._passed.append(delivery)
        if delivery.last:
            self._num_left -= 1
            if self._num_left == 0:
                fields |= await self._last_fields()
        return self._template.model_copy(update=fields)

    async def _last_fields(self) -> dict[str, object]:
        num_read = sum(prompt.num_tokens for prompt in self._plan.prompts)
        usage = make_usage(num_read, sum(sample.text.num_drawn for sample in self.samples))
        save = self._plan.start.save
        return {"usage": usage, **(await save(self._end()) if save is not None else {})}

    def _end(self) -> CompletionEnd:
        (sample,) = self.samples  # a state goes on as one completion
        passed, lane = self._passed, sample.lane
        ids = np.concatenate([delivery.ids for delivery in passed])
        num_stop = sum(delivery.num_stop for delivery in passed)
        known = passed[-1].finish in (FinishReason.LENGTH, FinishReason.GIVEN)
        num_given, num_left = len(lane.given), len(ids) - num_stop
        return CompletionEnd(
            ids=ids[:num_left],  # a stop string is no part of what the client was given
            num_given=num_given,
            num_drawn=len(ids) - len(lane.given),
            state=lane.state if known else None,  # else the lane has read beyond the text
            after_return=num_left == num_given and sample.text.prompt.after_return,
            memory=lane.kept if known else None,
        )

    def join(self, piece: Completion) -> None:
        """Adds a piece to those that become one answer."""
        (choice,) = piece.choices
        self._joiners[choice.index].add(choice)
        self._last = piece

    def joined(self) -> Completion:
        """Returns what was added as one answer: all choices in order, or the best of each prompt."""
        choices = self._best([joiner.joined() for joiner in self._joiners])
        return self._last.model_copy(update={"choices": choices})

    def _best(self, choices: list[Choice]) -> list[Choice]:
        """Returns each prompt's likeliest choices per character, likeliest first; of equals the first."""
        num_samples, num_best = len(self._plan.samplings), self._plan.num_best
        if num_samples == num_best:
            return choices
        best: list[Choice] = []
        for first in range(0, len(choices), num_samples):
            ranked = sorted(
                range(first, first + num_samples), key=lambda k: -self.samples[k].text.mean_logprob
            )
            best += [choices[k] for k in ranked[:num_best]]
        return [choice.model_copy(update={"index": index}) for index, choice in enumerate(best)]
