"""What a model's symbols are to a client that counts in tokens: requests and answers.

The fields are vLLM's, which evaluation tools know; a token is a character.
"""

from typing import Annotated

from pydantic import Field

from nextchar.schemas.base import RequestOptions, ResponseModel, omitted_if_none

_WHICH = "A model's name; by default the server's default_model, or the only one."


class TokenizeRequest(RequestOptions):
    """Text to ids."""

    model: str | None = Field(default=None, description=_WHICH, examples=["shakespeare"])
    prompt: str = Field(
        description="The text. All of it the label of a special symbol, as <|begin|>, is that symbol."
    )
    add_special_tokens: bool = Field(default=False, description="Put the begin symbol in front.")
    return_token_strs: bool = Field(default=False, description="Also give each id's text.")


class TokenizeResponse(ResponseModel):
    """`max_model_len`: the longest text of one request, in characters."""

    model: str
    model_version: str
    count: int
    max_model_len: int
    tokens: list[int]
    token_strs: list[str] | None = omitted_if_none()


class DetokenizeRequest(RequestOptions):
    """Ids to text."""

    model: str | None = Field(default=None, description=_WHICH, examples=["shakespeare"])
    tokens: list[Annotated[int, Field(ge=0)]] = Field(description="Ids, special symbols among them.")


class DetokenizeResponse(ResponseModel):
    model: str
    model_version: str
    prompt: str


class TokenizerInfo(ResponseModel):
    """What a tool must know to make prompts of ids; a label is null where there is no such symbol."""

    tokenizer_class: str = "CharacterTokenizer"
    model: str
    model_version: str
    vocab_size: int
    symbols: str
    unit: str
    normalization: str
    bos_token: str
    eos_token: str | None
    unk_token: str | None
    pad_token: str | None = None
    chat_template: str | None = None
    max_model_len: int
