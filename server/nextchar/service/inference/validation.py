"""Validates requests: finds the model, encodes the text, checks the limits."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nextchar.errors import AnswerTooLarge, InputTooLarge, InvalidRequest, UnknownCharacter
from nextchar.model.strings import Strings
from nextchar.model.vocabulary import Ids, Vocabulary
from nextchar.repository.model import Model
from nextchar.repository.served_models import ServedModels
from nextchar.schemas.completion import CompletionRequest
from nextchar.schemas.limits import Limits
from nextchar.service.inference.answer_weight import Weight, distribution_weight
from nextchar.service.inference.completion_text import Prompt
from nextchar.service.inference.prompts import PromptReader
from nextchar.service.lifecycle import ServiceLifecycle
from nextchar.telemetry.metrics import Metrics
from nextchar.telemetry.request_context import RequestContext


@dataclass(frozen=True, slots=True, eq=False)
class EncodedText:
    """Holds the ids of a text, and whether it ended in a carriage return that was read as a newline."""

    ids: Ids
    after_return: bool


class Validation:
    """Runs the checks that need a model or the limits; all raise before any lane exists."""

    def __init__(
        self, served_models: ServedModels, lifecycle: ServiceLifecycle, metrics: Metrics, limits: Limits
    ) -> None:
        self._served_models = served_models
        self._lifecycle = lifecycle
        self._metrics = metrics
        self.limits = limits

    def model(
        self,
        model_id: str | None,
        ctx: RequestContext,
        *,
        param: str = "model",
        fits: Callable[[Model], bool] | None = None,
        is_new: bool = True,
    ) -> Model:
        """Returns the model of a request, which holds it until it ends; without a name the default model.

        It is looked up once: whoever needs it later is given this one, because it may be retired meanwhile.

        Args:
            param: The field that names it.
            fits: Where the request names no version, or no model, it is one that fits, if there is one.
            is_new: Whether the request begins new work; one of a session that exists does not.

        Raises:
            ModelNotFound: the model is not served.
            Unavailable: the server accepts no new work.
        """
        if is_new:
            self._lifecycle.check_accepting()
        model = self._served_models.get(model_id, param=param)
        if fits is not None and model_id in (None, model.name):
            fitting = (m for m in self._served_models if model_id in (None, m.name) and fits(m))
            model = next(fitting, model)
        model.used_by(ctx)
        return model

    def use(self, model: Model, ctx: RequestContext) -> None:
        """Uses a model that an earlier request of the same stream has looked up.

        Raises:
            Unavailable: the server accepts no new work.
        """
        self._lifecycle.check_accepting()
        model.used_by(ctx)

    def encode_next(
        self, text: str, *, model: Model, ctx: RequestContext, param: str, after_return: bool
    ) -> EncodedText:
        """Encodes a text that goes on from another, which ended in a carriage return or not.

        Raises:
            InputTooLarge, UnknownCharacter: as `encode`.
        """
        ids = self.encode(text, model=model, ctx=ctx, param=param, after_return=after_return)
        form = model.graph.vocabulary.form
        return EncodedText(ids, form.ends_in_return(text, after_return=after_return))

    def encode(
        self, text: str, *, model: Model, ctx: RequestContext, param: str, after_return: bool = False
    ) -> Ids:
        """Returns the ids of a text; counts unknown characters.

        Raises:
            InputTooLarge: the text is longer than one may be.
            UnknownCharacter: the model refuses a character, or the server is strict.
        """
        self.check_size(len(text), param)
        vocabulary = model.graph.vocabulary
        try:
            ids = vocabulary.encode(text, after_return=after_return)
        except KeyError as error:
            raise _unknown(error.args[0], param, "this model refuses such characters") from None
        num_unknown = count_unknown(ids, vocabulary)
        if num_unknown and self.limits.strict_characters:
            position = int((ids == vocabulary.unknown_id).argmax())
            character = vocabulary.normalize(text, after_return=after_return)[position]
            raise _unknown(character, param, "this server is strict")
        self._metrics.count_unknown(ctx, num_unknown)
        return ids

    def encode_all(
        self,
        texts: Sequence[str],
        *,
        model: Model,
        ctx: RequestContext,
        param: str,
        first: int,
        after_return: bool = False,
    ) -> Strings:
        """Returns the ids of each text, as `encode`; its errors name the texts from number `first` on."""
        limit, vocabulary = self.limits.max_input_chars, model.graph.vocabulary
        try:
            strings = vocabulary.encode_strings(texts, after_return=after_return)
            num_unknown = count_unknown(strings.flat, vocabulary)
        except KeyError:
            num_unknown = 1
        if max(map(len, texts)) > limit or (num_unknown and not self._takes_unknown(vocabulary)):
            return Strings.of(
                [
                    self.encode(text, model=model, ctx=ctx, param=f"{param}.{i}", after_return=after_return)
                    for i, text in enumerate(texts, first)
                ]
            )
        self._metrics.count_unknown(ctx, num_unknown)
        return strings

    def _takes_unknown(self, vocabulary: Vocabulary) -> bool:
        return vocabulary.unknown_id is not None and not self.limits.strict_characters

    def prompts(
        self, request: CompletionRequest, *, model: Model, ctx: RequestContext, after_return: bool = False
    ) -> list[Prompt]:
        """Returns the prompts of a completion, encoded; each goes on from where the completion starts.

        Raises:
            InvalidRequest, InputTooLarge, UnknownCharacter: one of them, or the work of all, is too much.
        """
        self.check_max_tokens(request.max_tokens)

        def encode(text: str, param: str) -> Ids:
            return self.encode(text, model=model, ctx=ctx, param=param, after_return=after_return)

        vocabulary = model.graph.vocabulary
        prompts = PromptReader(vocabulary, encode, self.check_size, after_return=after_return).read(request)
        self.check_choices(len(prompts) * request.num_samples)
        num_chars = sum(len(prompt.ids) + request.max_tokens for prompt in prompts)
        self.check_total(num_chars * request.num_samples, "prompt")
        return prompts

    def check_ids(self, ids: Ids, *, model: Model, ctx: RequestContext, param: str) -> None:
        """Checks a text that came as ids; counts unknown characters.

        Raises:
            InvalidRequest: one of them is not the id of a character.
            InputTooLarge: the text is longer than one may be.
            UnknownCharacter: one is unknown, and the server is strict.
        """
        limit, vocabulary = self.limits.max_input_chars, model.graph.vocabulary
        if len(ids) > limit:
            raise InputTooLarge(f"{param} has {len(ids)} characters, the limit is {limit}", param=param)
        num_known = len(vocabulary.characters) + (vocabulary.unknown_id is not None)
        outside = (ids < 0) | (ids >= num_known)
        if outside.any():
            first = int(ids[int(outside.argmax())])
            raise InvalidRequest(
                f"{param} holds {first}; ids of characters are 0 to {num_known - 1}", param=param
            )
        num_unknown = count_unknown(ids, vocabulary)
        if num_unknown and self.limits.strict_characters:
            raise UnknownCharacter(
                f"{param} holds the unknown character, and this server is strict", param=param
            )
        self._metrics.count_unknown(ctx, num_unknown)

    def check_strings(self, num_strings: int) -> None:
        """Raises InvalidRequest (too_many_items) for more strings than a request may have."""
        limit = self.limits.max_strings
        if num_strings > limit:
            raise InvalidRequest(
                f"input has {num_strings} strings, the limit is {limit}", param="input", code="too_many_items"
            )

    def check_total(self, num_chars: int, param: str = "input") -> None:
        """Raises InputTooLarge for more characters than one request may have in all."""
        limit = self.limits.max_request_chars
        if num_chars > limit:
            raise InputTooLarge(
                f"the request has {num_chars} characters in all, the limit is {limit}: split it", param=param
            )

    def check_size(self, num_chars: int, param: str) -> None:
        """Raises InputTooLarge for a text with more characters than one may have."""
        limit = self.limits.max_input_chars
        if num_chars > limit:
            raise InputTooLarge(f"{param} has {num_chars} characters, the limit is {limit}", param=param)

    def check_answer(self, weight: Weight, ctx: RequestContext, param: str, advice: str) -> None:
        """Notes in the context what an answer will weigh at most.

        Args:
            param: the field that makes it large.
            advice: what a client may do, as "send fewer strings".

        Raises:
            AnswerTooLarge: that is more than an answer may.
        """
        ctx.answer_bytes = weight.bytes_over(ctx.protocol)
        limit = self.limits.max_answer_bytes // ctx.num_at_once
        if ctx.answer_bytes > limit:
            raise AnswerTooLarge(
                f"the answer to this request may take {ctx.answer_bytes} bytes, the limit is {limit} "
                f"(max_answer_bytes): {advice}",
                param=param,
            )

    def check_distributions(
        self, num: int, top: int | None, model: Model, ctx: RequestContext, *, learned: bool = False
    ) -> None:
        """Raises AnswerTooLarge for more distributions than an answer may hold."""
        num_outputs = model.graph.vocabulary.num_outputs
        weight = distribution_weight(num, min(top or num_outputs, num_outputs), learned=learned)
        self.check_answer(weight, ctx, "top", f"set top to fewer than {num_outputs}, or send a shorter text")

    def check_choices(self, num_choices: int) -> None:
        """Raises InvalidRequest (too_many_items) for more completions than one request may sample."""
        limit = self.limits.max_choices
        if num_choices > limit:
            raise InvalidRequest(
                f"the request samples {num_choices} completions (prompts × n), the limit is {limit}",
                param="n",
                code="too_many_items",
            )

    def check_max_tokens(self, max_tokens: int) -> None:
        """Raises InvalidRequest for more than the most characters that a completion may have."""
        limit = self.limits.max_tokens
        if max_tokens > limit:
            raise InvalidRequest(f"max_tokens is {max_tokens}, the limit is {limit}", param="max_tokens")


def count_unknown(ids: Ids, vocabulary: Vocabulary) -> int:
    """Counts the ids that stand for a character outside the vocabulary."""
    return 0 if vocabulary.unknown_id is None else int((ids == vocabulary.unknown_id).sum())


def _unknown(character: str, param: str, why: str) -> UnknownCharacter:
    shown = f"U+{ord(character):04X}"
    return UnknownCharacter(
        f"{param} holds {character!r} ({shown}), which is not in the model's vocabulary, and {why}",
        param=param,
    )
