"""Answers infer requests of the Open Inference Protocol: runs tensors as lanes or as a step of a session."""

import math
from dataclasses import dataclass

import numpy as np

from nextchar.engine.lane import Lane
from nextchar.engine.sampler import Doubles
from nextchar.engine.work import Work
from nextchar.errors import InvalidRequest
from nextchar.model.vocabulary import Ids, Vocabulary
from nextchar.repository.model import Model
from nextchar.schemas.score import ScoreFields
from nextchar.service.inference.answer_weight import tensor_weight
from nextchar.service.inference.score_math import joined_logprobs
from nextchar.service.inference.score_runner import ScoreRunner, end_id
from nextchar.service.inference.submission import run_to_end
from nextchar.service.inference.validation import EncodedText, Validation
from nextchar.service.oip.schemas import InferAnswer, InferRequest, model_id
from nextchar.service.oip.sequences import SequenceSessions
from nextchar.service.oip.tensors import OUTPUTS, Tensor
from nextchar.telemetry.metrics import Metrics
from nextchar.telemetry.request_context import RequestContext

MAX_BATCH = 128  # strings with a distribution each, for one interactive request

_NOTHING: Ids = np.empty(0, dtype=np.int64)
_NO_LOGPROBS: Doubles = np.empty(0)


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """The scores and the distributions [num_outputs] of the next character, per string, if requested."""

    scores: list[float]
    distributions: list[Doubles]


class TensorInference:
    """Answers infer requests; raises the errors of `Service` and of sessions."""

    def __init__(
        self, validation: Validation, scorer: ScoreRunner, sequences: SequenceSessions, metrics: Metrics
    ) -> None:
        self._validation, self._scorer, self._sequences, self._metrics = (
            validation,
            scorer,
            sequences,
            metrics,
        )

    async def infer(self, request: InferRequest, ctx: RequestContext) -> InferAnswer:
        """Computes the outputs that the request names; all outputs if it names none."""
        wanted = _wanted(request)
        tensor = _input(request)
        parameters = request.parameters
        if parameters.adaptive and not parameters.sequence_start:
            raise InvalidRequest(
                "adaptive must be set with sequence_start, which begins a sequence, or be left out",
                param="adaptive",
            )
        if parameters.sequence_id:
            model, found = await self._step(request, tensor, ctx)
        elif parameters.sequence_start or parameters.sequence_end:
            raise InvalidRequest(
                "sequence_id must be neither 0 nor empty when sequence_start or sequence_end is set",
                param="sequence_id",
            )
        else:
            model = self._validation.model(model_id(request.model, request.version), ctx)
            found = await self._found(request, tensor, wanted, model, ctx)
        outputs = [_output(name, found, model.graph.vocabulary) for name in wanted]
        return InferAnswer(model.name, model.version, outputs)

    async def _step(self, request: InferRequest, tensor: Tensor, ctx: RequestContext) -> tuple[Model, _Found]:
        if _num_strings(tensor) != 1:
            raise InvalidRequest(
                f"{tensor.name} must have 1 item when sequence_id is set (it has {_num_strings(tensor)})",
                param=tensor.name,
            )
        if request.parameters.include_end:
            raise InvalidRequest("include_end must be false when sequence_id is set", param="include_end")

        def read(model: Model, *, after_return: bool) -> EncodedText:
            (ids,) = self._read(tensor, model, ctx, after_return=after_return)
            return EncodedText(ids, _ends_in_return(tensor, model, after_return=after_return))

        step = await self._sequences.step(request, read, ctx)
        return step.model, _Found([math.fsum(step.logprobs.tolist())], [step.distribution])

    async def _found(
        self,
        request: InferRequest,
        tensor: Tensor,
        wanted: tuple[str, ...],
        model: Model,
        ctx: RequestContext,
    ) -> _Found:
        if wanted == ("score",) and (texts := _texts(tensor)) is not None:
            include_end = bool(request.parameters.include_end)
            fields = ScoreFields(input=texts, include_end=include_end, return_chars=False)
            nothing = EncodedText(_NOTHING, after_return=False)
            answer = await self._scorer.score_after(fields, model, nothing, None, ctx)
            return _Found([score.logprob for score in answer.data], [])
        num_strings = _num_strings(tensor)
        if num_strings > MAX_BATCH:
            raise InvalidRequest(
                f"{tensor.name} has {num_strings} items; the limit is {MAX_BATCH} except for score alone",
                param=tensor.name,
                code="too_many_items",
            )
        return await self._lanes(request, self._read(tensor, model, ctx), wanted, model, ctx)

    async def _lanes(
        self,
        request: InferRequest,
        strings: list[Ids],
        wanted: tuple[str, ...],
        model: Model,
        ctx: RequestContext,
    ) -> _Found:
        self._validation.check_total(sum(map(len, strings)))
        num_values = len(strings) * model.graph.vocabulary.num_outputs
        self._validation.check_answer(
            tensor_weight(num_values), ctx, "outputs", "send fewer strings, or name the outputs that you need"
        )
        self._metrics.observe_size(ctx, sum(map(len, strings)))
        end = np.array([end_id(model)], dtype=np.int64) if request.parameters.include_end else _NOTHING
        distribution = wanted != ("score",)
        # The end symbol is read by no lane that wants a distribution, which tells what it is worth.
        read = [ids if distribution else np.concatenate([ids, end]) for ids in strings]
        works: list[Work] = [Lane(ids, wants_distribution=distribution) for ids in read]
        deliveries = await run_to_end(model, works, ctx=ctx, metrics=self._metrics)
        ctx.num_inferences = len(strings)
        self._metrics.count_chars(ctx, fed=sum(map(len, strings)))
        found = [d[-1].distribution for d in deliveries]
        ends = [_NO_LOGPROBS if one is None else one[end] for one in found]
        logprobs = [np.concatenate([joined_logprobs(d), e]) for d, e in zip(deliveries, ends, strict=True)]
        scores = [math.fsum(values.tolist()) for values in logprobs]
        return _Found(scores, [one for one in found if one is not None])

    def _read(
        self, tensor: Tensor, model: Model, ctx: RequestContext, *, after_return: bool = False
    ) -> list[Ids]:
        """Encodes the strings as ids."""
        vocabulary = model.graph.vocabulary
        if not isinstance(tensor.values, list):
            rows = list(tensor.values.reshape(tensor.shape))
        elif vocabulary.symbols == "bytes":  # any bytes are a text of it, UTF-8 or not
            rows = [np.frombuffer(value, dtype=np.uint8).astype(np.int64) for value in tensor.values]
        else:
            texts = _texts(tensor)
            if texts is None:
                raise _not_utf8(tensor)
            strings = self._validation.encode_all(
                texts, model=model, ctx=ctx, param=tensor.name, first=0, after_return=after_return
            )
            return list(strings)
        for i, row in enumerate(rows):
            self._validation.check_ids(row, model=model, ctx=ctx, param=f"{tensor.name}.{i}")
        return rows


def _wanted(request: InferRequest) -> tuple[str, ...]:
    for name in request.outputs:
        if name not in OUTPUTS:
            raise InvalidRequest(
                f"unknown output {name[:40]!r}; the outputs are: {', '.join(OUTPUTS)}", param="outputs"
            )
    return tuple(dict.fromkeys(request.outputs)) or tuple(OUTPUTS)


def _input(request: InferRequest) -> Tensor:
    if len(request.inputs) != 1:
        raise InvalidRequest(
            f"inputs must be either text or token_ids (it has {len(request.inputs)} tensors)", param="inputs"
        )
    (tensor,) = request.inputs
    ranks = (1, 2) if tensor.name == "text" else (2,)
    if len(tensor.shape) not in ranks or (tensor.name == "text" and tensor.shape[1:] not in ((), (1,))):
        shape = "[n]" if tensor.name == "text" else "[n, t]"
        raise InvalidRequest(
            f"input {tensor.name} must have shape {shape} (it has {list(tensor.shape)})", param=tensor.name
        )
    if _num_strings(tensor) == 0:
        raise InvalidRequest(f"input {tensor.name} is empty; it must have at least 1 item", param=tensor.name)
    return tensor


def _num_strings(tensor: Tensor) -> int:
    return tensor.shape[0]


def _texts(tensor: Tensor) -> list[str] | None:
    """Returns the strings of a text tensor; None for other tensors, or if a string is not UTF-8."""
    if not isinstance(tensor.values, list):
        return None
    try:
        return [value.decode() for value in tensor.values]
    except UnicodeDecodeError:
        return None


def _ends_in_return(tensor: Tensor, model: Model, *, after_return: bool) -> bool:
    """Returns whether the one string of a tensor ended in a carriage return that was read as a newline."""
    texts = _texts(tensor)
    return texts is not None and model.graph.vocabulary.form.ends_in_return(
        texts[0], after_return=after_return
    )


def _not_utf8(tensor: Tensor) -> InvalidRequest:
    for i, value in enumerate(tensor.values):
        try:
            value.decode()
        except UnicodeDecodeError as error:
            return InvalidRequest(
                f"{tensor.name}.{i} is not UTF-8: {error.reason}", param=f"{tensor.name}.{i}"
            )
    raise AssertionError("all of them are UTF-8")


def _output(name: str, found: _Found, vocabulary: Vocabulary) -> Tensor:
    if name == "score":
        scores = np.array(found.scores)
        return Tensor(name, OUTPUTS[name], scores.shape, scores)
    log_probs = np.stack(found.distributions)  # [n, num_outputs]
    if name == "log_probs":
        return Tensor(name, OUTPUTS[name], log_probs.shape, log_probs)
    ids = log_probs.argmax(axis=1)
    if name == "next_id":
        return Tensor(name, OUTPUTS[name], ids.shape, ids)
    return Tensor(name, OUTPUTS[name], ids.shape, [_symbol(int(i), vocabulary) for i in ids])


def _symbol(symbol_id: int, vocabulary: Vocabulary) -> bytes:
    """Returns the bytes of a symbol; the end symbol has none."""
    character = vocabulary.texts[symbol_id]
    return character.encode("latin-1" if vocabulary.symbols == "bytes" else "utf-8")
