"""Prompts: text or ids, one or several, to what lanes read and what is shown of it."""

from typing import cast

import numpy as np

from nextchar.errors import InvalidRequest
from nextchar.model.vocabulary import Ids, Vocabulary
from nextchar.repository.served_models import Model
from nextchar.request_context import RequestContext
from nextchar.schemas.completion import CompletionRequest, TokenIds
from nextchar.service.inference.completion_text import Prompt
from nextchar.service.inference.validation import Validation


def make_prompts(
    request: CompletionRequest, model: Model, validation: Validation, ctx: RequestContext
) -> list[Prompt]:
    """A request's prompts, in order.

    Raises:
        InvalidRequest, InputTooLarge, UnknownCharacter: one of them is nothing the model reads.
    """
    given = request.prompt
    if isinstance(given, str):
        return [text_prompt(given, model, validation, ctx)]
    if isinstance(given[0], int):
        return [_id_prompt(given, model, validation, "prompt")]
    return [
        text_prompt(item, model, validation, ctx, param=f"prompt.{k}")
        if isinstance(item, str)
        else _id_prompt(cast(TokenIds, item), model, validation, f"prompt.{k}")
        for k, item in enumerate(given)
    ]


def text_prompt(
    text: str, model: Model, validation: Validation, ctx: RequestContext, *, param: str = "prompt"
) -> Prompt:
    """A prompt given as text; raises as `make_prompts`."""
    ids = validation.encode(text, model=model, ctx=ctx, param=param)
    return Prompt(ids, list(model.graph.vocabulary.normalize(text)))


def _id_prompt(given: TokenIds, model: Model, validation: Validation, param: str) -> Prompt:
    validation.check_size(len(given), param)
    vocabulary = model.graph.vocabulary
    begins = bool(given) and given[0] == vocabulary.begin_id
    ids = np.array(given[begins:], dtype=np.int64)
    check_ids(ids, vocabulary, param)
    return Prompt(ids, list(map(vocabulary.texts.__getitem__, ids.tolist())), begins)


def check_ids(ids: Ids, vocabulary: Vocabulary, param: str) -> None:
    """Raises InvalidRequest for an id that is no symbol which can be predicted."""
    wrong = ids[(ids < 0) | (ids >= vocabulary.num_outputs)]
    if len(wrong):
        raise InvalidRequest(
            f"{param}: {wrong[0]} is no id of a symbol: they are 0 to {vocabulary.num_outputs - 1}, and "
            f"{vocabulary.begin_id}, begin, may be the first",
            param=param,
        )
