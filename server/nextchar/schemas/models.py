"""Defines the answers of `/v1/models`, as OpenAI's clients read them and with what else a client may want."""

from typing import Any

from nextchar.schemas.base import ResponseModel, omitted_if_none


class ModelInfo(ResponseModel):
    """One served version of a model. `card` holds the model card; a list of models leaves it out.

    `default` marks the version that answers requests which name no model.
    """

    id: str
    object: str = "model"
    created: int
    owned_by: str
    version: str
    cell: str
    precision: str
    unit: str
    vocab_size: int
    state_bytes: int
    digest: str
    ready: bool
    default: bool = False
    card: dict[str, Any] | None = omitted_if_none()


class ModelList(ResponseModel):
    """The served models; a version that is not the latest of its model is listed as name:version."""

    object: str = "list"
    data: list[ModelInfo]
