"""Defines the requests and responses of the Open Inference Protocol, for REST and gRPC."""

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import Field

from nextchar.schemas.base import RequestFields, RequestOptions, ResponseModel, omitted_if_none
from nextchar.schemas.integer import WHOLE_ITEMS, Integer
from nextchar.schemas.limits import MAX_INTEGER, MAX_PRIORITY
from nextchar.schemas.rows import Listed
from nextchar.schemas.sampling import SamplingFields
from nextchar.service.oip.tensors import Tensor

MAX_LEVEL = MAX_PRIORITY + 1  # Triton counts priorities from 1, which is our default, 0
_MICROSECONDS = 1e6
_UINT64 = 2**64 - 1
FinishReason = Literal["length", "eos_token", "stop_sequence"]
Uint64 = Annotated[Integer, Field(ge=0, le=_UINT64)]


class InferParameters(RequestFields):
    """The parameters of an infer request."""

    sequence_id: Uint64 | str = Field(
        default=0, description="The sequence of the request; 0 and the empty string are none."
    )
    sequence_start: bool = Field(
        default=False, description="Whether this is the first request of its sequence."
    )
    sequence_end: bool = Field(default=False, description="Whether this is the last request of its sequence.")
    priority: Integer = Field(
        default=0,
        ge=0,
        le=MAX_LEVEL,
        description="The priority in the queue: 1 is the highest; 0 stands for the default, 1.",
    )
    timeout: Uint64 = Field(
        default=0, description="The timeout in microseconds; 0 is the server's own timeout."
    )
    include_end: bool = Field(
        default=False, description="Include the end symbol in `score`, for models of lines."
    )
    binary_data_output: bool = Field(default=False, description="Send the outputs as bytes after the JSON.")
    triton_enable_empty_final_response: bool = Field(
        default=False, description="Mark the last response of a stream."
    )

    @property
    def options(self) -> RequestOptions:
        """What the context of the request is made of: seconds and levels of ours."""
        timeout, priority = self.timeout / _MICROSECONDS, max(0, self.priority - 1)
        return RequestOptions(timeout=timeout or None, priority=priority)


class InputParameters(RequestFields):
    binary_data_size: Integer | None = Field(
        default=None,
        ge=0,
        le=MAX_INTEGER,
        description="The number of bytes after the JSON that hold its elements.",
    )


class OutputParameters(RequestFields):
    binary_data: bool | None = Field(default=None, description="Send this output as bytes after the JSON.")


class InferInput(RequestFields):
    name: str = Field(examples=["text"])
    shape: Annotated[list[Annotated[int, Field(ge=-MAX_INTEGER, le=MAX_INTEGER)]], WHOLE_ITEMS] = Field(
        fail_fast=True, max_length=8, examples=[[1]]
    )
    datatype: str = Field(examples=["BYTES"])
    parameters: InputParameters = InputParameters()
    data: list[Any] | None = Field(
        default=None, description="The elements, nested or flat.", examples=[["hello"]]
    )


class InferOutput(RequestFields):
    name: str = Field(examples=["score"])
    parameters: OutputParameters = OutputParameters()


class InferBody(RequestFields):
    """The body of an infer request: input tensors, and the outputs to compute."""

    id: str = Field(default="", max_length=1024, description="An id that the response repeats.")
    parameters: InferParameters = InferParameters()
    inputs: list[InferInput] = Field(fail_fast=True, min_length=1, max_length=2)
    outputs: list[InferOutput] = Field(
        fail_fast=True, default=[], max_length=8, description="The outputs to compute; all by default."
    )


@dataclass(frozen=True, slots=True)
class InferRequest:
    """An infer request of either API; `outputs` are the tensors to compute, `version` may be empty."""

    model: str
    version: str
    inputs: list[Tensor]
    outputs: tuple[str, ...]
    parameters: InferParameters = field(default_factory=InferParameters)

    @property
    def options(self) -> RequestOptions:
        """What the context of the request is made of."""
        return self.parameters.options


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
    """The sampling parameters, under the names of `/v1/completions`."""

    stream: bool = Field(
        default=False, description="Ignored; the path decides whether the response is a stream."
    )
    details: bool = Field(
        default=False, description="Return the finish reason and the log-probability of each character."
    )


class GenerateRequest(RequestFields):
    """The body of a generate request: a text to continue."""

    text_input: str = Field(examples=["ROMEO:"])
    parameters: GenerateParameters = GenerateParameters.model_validate({})

    @property
    def options(self) -> RequestOptions:
        """What the context of the request is made of."""
        return self.parameters


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
    details: GenerateDetails | None = omitted_if_none()
