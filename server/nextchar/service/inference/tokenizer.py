"""Converts text to a model's ids and back, for clients that send ids."""

import numpy as np

from nextchar.errors import InputTooLarge, InvalidRequest
from nextchar.repository.model import Model
from nextchar.schemas.tokens import (
    DetokenizeRequest,
    DetokenizeResponse,
    TokenizeRequest,
    TokenizeResponse,
    TokenizerInfo,
)
from nextchar.service.inference.answer_weight import tokens_weight
from nextchar.service.inference.completion_text import BEGIN
from nextchar.service.inference.validation import Validation
from nextchar.telemetry.request_context import RequestContext


class Tokenizer:
    """Tokenizes and detokenizes; raises what `Service` raises."""

    def __init__(self, validation: Validation, *, max_chars: int) -> None:
        self._validation, self._max_chars = validation, max_chars

    async def tokenize(self, request: TokenizeRequest, ctx: RequestContext) -> TokenizeResponse:
        """Returns the ids of a text; characters outside the vocabulary are the unknown symbol."""
        model = self._validation.model(request.model, ctx)
        vocabulary = model.graph.vocabulary
        special = _special_ids(model).get(request.prompt)
        if special is None:
            ids = self._validation.encode(request.prompt, model=model, ctx=ctx, param="prompt").tolist()
        else:
            ids = [special]
        if request.add_special_tokens:
            ids = [vocabulary.begin_id, *ids]
        self._validation.check_answer(tokens_weight(len(ids)), ctx, "prompt", "send a shorter text")
        return TokenizeResponse(
            model=model.name,
            model_version=model.version,
            count=len(ids),
            max_model_len=self._max_chars,
            tokens=ids,
            token_strs=[_label(model, i) for i in ids] if request.return_token_strs else None,
            case_folding=vocabulary.told_folding,
        )

    async def detokenize(self, request: DetokenizeRequest, ctx: RequestContext) -> DetokenizeResponse:
        """Returns the text of ids; begin and end have no text, unknown is U+FFFD.

        Raises:
            InvalidRequest: the model has no such id.
            InputTooLarge: there are more ids than a text may have characters.
        """
        model = self._validation.model(request.model, ctx)
        if len(request.tokens) > self._max_chars:
            raise InputTooLarge(
                f"tokens has {len(request.tokens)} ids, the limit is {self._max_chars}", param="tokens"
            )
        highest = model.graph.vocabulary.begin_id
        if wrong := next((i for i in request.tokens if i > highest), None):
            raise InvalidRequest(f"tokens holds {wrong}; ids are 0 to {highest}", param="tokens")
        text = model.graph.vocabulary.decode(np.array(request.tokens, dtype=np.int64))
        return DetokenizeResponse(model=model.name, model_version=model.version, prompt=text)

    def info(self, model_id: str | None, ctx: RequestContext) -> TokenizerInfo:
        """Describes the symbols of a model."""
        model = self._validation.model(model_id or None, ctx)
        vocabulary = model.graph.vocabulary
        special = {vocabulary.special(i): _label(model, i) for i in _special_ids(model).values()}
        return TokenizerInfo(
            model=model.name,
            model_version=model.version,
            vocab_size=vocabulary.num_inputs,
            symbols=vocabulary.symbols,
            unit=vocabulary.unit,
            normalization=vocabulary.normalization,
            case_folding=vocabulary.case_folding,
            bos_token=BEGIN,
            eos_token=special.get("end"),
            unk_token=special.get("unknown"),
            max_model_len=self._max_chars,
        )


def _special_ids(model: Model) -> dict[str, int]:
    """Returns the ids of the special symbols by their labels."""
    vocabulary = model.graph.vocabulary
    ids = (vocabulary.unknown_id, vocabulary.end_id, vocabulary.begin_id)
    return {_label(model, i): i for i in ids if i is not None}


def _label(model: Model, symbol_id: int) -> str:
    vocabulary = model.graph.vocabulary
    return BEGIN if symbol_id == vocabulary.begin_id else vocabulary.label(symbol_id)
