"""Defines the requests and responses of the Open Inference Protocol, for REST and gRPC."""

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import Field

from nextchar.errors import InvalidRequest
from nextchar.schemas.adaptive import Adaptive
from nextchar.schemas.base import RequestFields, RequestOptions, ResponseModel, omitted_if_none
from nextchar.schemas.integer import WHOLE_ITEMS, Integer
from nextchar.schemas.limits import MAX_INTEGER
from nextchar.schemas.rows import Listed
from nextchar.schemas.sampling import SamplingFields
from nextchar.service.oip.parameters import InferParameters, InputParameters, OutputParameters
from nextchar.service.oip.tensors import Tensor

MAX_INPUTS, MAX_OUTPUTS = 2, 8
FinishReason = Literal["length", "eos_token", "stop_sequence"]
Version = Annotated[Integer, Field(ge=0, le=MAX_INTEGER)]


def split_id(name: str, version: str) -> tuple[str, str]:
    """Returns the name and the version of a model, which may be in the name, after a colon."""
    if version:
        return name, version
    name, _, version = name.partition(":")
    return name, version


def model_id(name: str, version: str) -> str:
    """Returns the id of a model for `ServedModels.get`; the version may be empty."""
    return f"{name}:{version}" if version else name


class NamedRequest(RequestFields):
    """What clients put into a body beside its content: an id, and the model that the path names too."""

    id: str | None = Field(default="", max_length=1024, description="An id that the response repeats.")
    model_name: str | None = Field(
        default=None, max_length=1024, description="The model's name, which must be that of the path."
    )
    model_version: Annotated[str, Field(max_length=1024)] | Version | None = Field(
        default=None,
        description="The model's version, which must be that of the path; it counts where the path has none.",
    )

    def named(self, name: str, version: str) -> tuple[str, str]:
        """Returns the name and the version of the model, by those of the path; the version may be empty.

        Raises:
            InvalidRequest: the body names another one.
        """
        name, version = split_id(name, version)
        own = "" if self.model_version is None else str(self.model_version)
        own_name, own_version = split_id(self.model_name or "", own)
        if own_name not in ("", name):
            raise _another("model_name", own_name, name)
        if version and own_version not in ("", version):
            raise _another("model_version", own_version, version)
        return name, version or own_version


def _another(param: str, given: object, in_path: str) -> InvalidRequest:
    return InvalidRequest(
        f"{param} must be {in_path[:100]!r}, as in the path, or be left out (it is {str(given)[:100]!r})",
        param=param,
    )


class InferInput(RequestFields):
    name: str = Field(examples=["text"])
    shape: Annotated[list[Annotated[int, Field(ge=-MAX_INTEGER, le=MAX_INTEGER)]], WHOLE_ITEMS] = Field(
        fail_fast=True, max_length=8, examples=[[1]]
    )
    datatype: str = Field(examples=["BYTES"])
    parameters: InputParameters | None = InputParameters()
    data: list[Any] | None = Field(
        default=None, description="The elements, nested or flat.", examples=[["hello"]]
    )


class InferOutput(RequestFields):
    name: str = Field(examples=["score"])
    parameters: OutputParameters | None = OutputParameters()


class InferBody(NamedRequest):
    """The body of an infer request: input tensors, and the outputs to compute."""

    parameters: InferParameters | None = InferParameters()
    inputs: list[InferInput] = Field(fail_fast=True, min_length=1, max_length=MAX_INPUTS)
    outputs: Annotated[list[InferOutput], Field(fail_fast=True, max_length=MAX_OUTPUTS)] | None = Field(
        default=[], description="The outputs to compute; all by default."
    )


@dataclass(frozen=True, slots=True)
class InferRequest:
    """An infer request of either API; `outputs` are the tensors to compute, `version` may be empty.

    `make_infer_request` makes one, whose name has no version in it.
    """

    model: str
    version: str
    inputs: list[Tensor]
    outputs: tuple[str, ...]
    parameters: InferParameters = field(default_factory=InferParameters)

    @property
    def options(self) -> RequestOptions:
        """What the context of the request is made of."""
        return self.parameters.options


def make_infer_request(
    name: str,
    version: str,
    inputs: list[Tensor],
    outputs: tuple[str, ...],
    parameters: InferParameters | None = None,
) -> InferRequest:
    """Makes the request of a model; its version may also be in the name, after a colon."""
    return InferRequest(*split_id(name, version), inputs, outputs, parameters or InferParameters())


@dataclass(frozen=True, slots=True)
class InferAnswer:
    """The tensors of a response, in the order of the request."""

    model_name: str
    model_version: str
    outputs: list[Tensor]


class OutputTensor(ResponseModel):
    name: str
    datatype: str
    shape: list[int]
    parameters: dict[str, int] | None = omitted_if_none()
    data: list[Any] | None = omitted_if_none()


class InferResponse(ResponseModel):
    """The output tensors; the bytes of binary ones follow the JSON, in order."""

    model_name: str
    model_version: str
    id: str | None = omitted_if_none()
    parameters: dict[str, str | int | bool] | None = omitted_if_none()
    outputs: list[OutputTensor]


class GenerateParameters(SamplingFields):
    """The sampling parameters and `adaptive`, under the names of `/v1/completions`."""

    adaptive: Adaptive = None
    stream: bool = Field(
        default=False, description="Ignored; the path decides whether the response is a stream."
    )
    details: bool = Field(
        default=False, description="Return the finish reason and the log-probability of each character."
    )


class GenerateRequest(NamedRequest):
    """The body of a generate request: a text to continue."""

    text_input: str = Field(examples=["ROMEO:"])
    parameters: GenerateParameters | None = GenerateParameters.model_validate({})
    stream: bool | None = Field(
        default=False, description="Ignored; the path decides whether the response is a stream."
    )

    @property
    def options(self) -> RequestOptions:
        """What the context of the request is made of."""
        return self.parameters or RequestOptions()

    @property
    def wants_details(self) -> bool:
        """Whether the response says how the text ended, and how likely each character was."""
        return self.parameters is not None and self.parameters.details


class GenerateLogprob(ResponseModel):
    id: int
    text: str
    logprob: float
    special: bool


class GenerateDetails(ResponseModel):
    finish_reason: FinishReason | None = omitted_if_none()
    logprobs: Listed[GenerateLogprob]


class GenerateResponse(ResponseModel):
    """The sampled text, or the next piece of a stream."""

    text_output: str
    model_name: str
    model_version: str
    id: str | None = omitted_if_none()
    details: GenerateDetails | None = omitted_if_none()
