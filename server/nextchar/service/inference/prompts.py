"""Reads the prompts of a request, text or ids, into what lanes read and what is shown of it."""

from collections.abc import Callable
from typing import cast

import numpy as np

from nextchar.errors import InvalidRequest
from nextchar.model.vocabulary import Ids, Vocabulary
from nextchar.schemas.completion import CompletionRequest, TokenIds
from nextchar.service.inference.completion_text import Prompt

Encode = Callable[[str, str], Ids]  # a text and the name of its field
CheckSize = Callable[[int, str], None]


class PromptReader:
    """Reads prompts by one model's vocabulary; texts are encoded, and sizes checked, by whom it is made."""

    def __init__(
        self, vocabulary: Vocabulary, encode: Encode, check_size: CheckSize, *, after_return: bool = False
    ) -> None:
        self._vocabulary, self._encode, self._check_size = vocabulary, encode, check_size
        self._after_return = after_return

    def read(self, request: CompletionRequest) -> list[Prompt]:
        """Returns a request's prompts, in order.

        Raises:
            InvalidRequest, InputTooLarge, UnknownCharacter: the model cannot read one of them.
        """
        given = request.prompt
        if isinstance(given, str):
            return [self._of_text(given, "prompt")]
        if isinstance(given[0], int):
            return [self._of_ids(given, "prompt")]
        return [
            self._of_text(item, f"prompt.{k}")
            if isinstance(item, str)
            else self._of_ids(cast(TokenIds, item), f"prompt.{k}")
            for k, item in enumerate(given)
        ]

    def _of_text(self, text: str, param: str) -> Prompt:
        ids, after_return = self._encode(text, param), self._after_return
        normal = self._vocabulary.normalize(text, after_return=after_return)
        ends_in_return = self._vocabulary.form.ends_in_return(text, after_return=after_return)
        return Prompt(ids, normal, after_return=ends_in_return)

    def _of_ids(self, given: TokenIds, param: str) -> Prompt:
        self._check_size(len(given), param)
        begins = bool(given) and given[0] == self._vocabulary.begin_id
        ids = np.array(given[begins:], dtype=np.int64)
        self._check_ids(ids, param)
        return Prompt(ids, list(map(self._vocabulary.texts.__getitem__, ids.tolist())), begins)

    def _check_ids(self, ids: Ids, param: str) -> None:
        """Raises InvalidRequest for an id that is no symbol which can be predicted."""
        num_outputs = self._vocabulary.num_outputs
        wrong = ids[(ids < 0) | (ids >= num_outputs)]
        if len(wrong):
            raise InvalidRequest(
                f"{param} holds {wrong[0]}, which is not the id of a symbol: ids are 0 to {num_outputs - 1}, "
                f"and {self._vocabulary.begin_id} (begin) may be the first",
                param=param,
            )
