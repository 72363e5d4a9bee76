"""Defines the requests and answers of `/tokenize`, `/detokenize` and `/tokenizer_info`.

The fields are those of vLLM, which evaluation tools know; a token is a character.
"""

from typing import Annotated

from pydantic import Field

from nextchar.schemas.base import ModelRequest, ResponseModel, omitted_if_none
from nextchar.schemas.integer import WHOLE_ITEMS
from nextchar.schemas.limits import MAX_INTEGER


class TokenizeRequest(ModelRequest):
    """A text: returns its ids."""

    prompt: str = Field(
        description="The text. If the whole of it is the label of a special symbol, as <|begin|>, it is that "
        "symbol."
    )
    add_special_tokens: bool = Field(default=False, description="Put the begin symbol before the text.")
    return_token_strs: bool = Field(default=False, description="Also return the text of each id.")


class TokenizeResponse(ResponseModel):
    """The ids of a text; `max_model_len` is the largest number of characters of one request.

    `case_folding` is lower if the model reads all text in lower case.
    """

    model: str
    model_version: str
    count: int
    max_model_len: int
    tokens: list[int]
    token_strs: list[str] | None = omitted_if_none()
    case_folding: str | None = omitted_if_none()


class DetokenizeRequest(ModelRequest):
    """Ids: returns their text."""

    tokens: Annotated[list[Annotated[int, Field(ge=0, le=MAX_INTEGER)]], WHOLE_ITEMS] = Field(
        fail_fast=True, description="The ids, which may be those of special symbols."
    )


class DetokenizeResponse(ResponseModel):
    """The text of the ids."""

    model: str
    model_version: str
    prompt: str


class TokenizerInfo(ResponseModel):
    """A model's symbols, for tools that make prompts of ids; a label is null if there is no such symbol."""

    tokenizer_class: str = "CharacterTokenizer"
    model: str
    model_version: str
    vocab_size: int
    symbols: str
    unit: str
    normalization: str
    case_folding: str
    bos_token: str
    eos_token: str | None
    unk_token: str | None
    pad_token: str | None = None
    chat_template: str | None = None
    max_model_len: int
