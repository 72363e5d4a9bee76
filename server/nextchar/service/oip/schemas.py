"""What requests and answers of the Open Inference Protocol hold, whichever door they come through."""

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import Field

from nextchar.schemas.base import RequestFields, RequestOptions, ResponseModel, omitted_if_none
from nextchar.schemas.limits import MAX_PRIORITY
from nextchar.schemas.sampling import SamplingFields
from nextchar.service.oip.tensors import Tensor

MAX_LEVEL = MAX_PRIORITY + 1  # of Triton's priorities: 1 is 0 of ours, the default
_MICROSECONDS = 1e6
_UINT64 = 2**64 - 1
FinishReason = Literal["length", "eos_token", "stop_sequence"]
Uint64 = Annotated[int, Field(ge=0, le=_UINT64)]


class InferParameters(RequestFields):
    """What a request may say beside its tensors."""

    sequence_id: Uint64 | str = Field(
        default=0, description="The sequence it belongs to; 0 and the empty string are none."
    )
    sequence_start: bool = Field(default=False, description="The first of its sequence.")
    sequence_end: bool = Field(default=False, description="The last of its sequence.")
    priority: int = Field(
        default=0, ge=0, le=MAX_LEVEL, description="Of requests that wait, 1 goes first; 0 is the default, 1."
    )
    timeout: Uint64 = Field(
        default=0, description="Microseconds the request may take; 0 leaves it to the server."
    )
    include_end: bool = Field(
        default=False, description="`score` also counts the end symbol (models of lines)."
    )
    binary_data_output: bool = Field(default=False, description="Outputs as bytes behind the JSON.")
    triton_enable_empty_final_response: bool = Field(
        default=False, description="Mark the last response of a stream."
    )

    @property
    def options(self) -> RequestOptions:
        """What the context of the request is made of: seconds and levels of ours."""
        timeout, priority = self.timeout / _MICROSECONDS, max(0, self.priority - 1)
        return RequestOptions(timeout=timeout or None, priority=priority)


class InputParameters(RequestFields):
    binary_data_size: int | None = Field(
        default=None, ge=0, description="How many bytes behind the JSON are its elements."
    )


class OutputParameters(RequestFields):
    binary_data: bool | None = Field(default=None, description="As bytes behind the JSON.")


class InferInput(RequestFields):
    name: str = Field(examples=["text"])
    shape: list[int] = Field(max_length=8, examples=[[1]])
    datatype: str = Field(examples=["BYTES"])
    parameters: InputParameters = InputParameters()
    data: list[Any] | None = Field(
        default=None, description="The elements, nested or flat.", examples=[["hello"]]
    )


class InferOutput(RequestFields):
    name: str = Field(examples=["score"])
    parameters: OutputParameters = OutputParameters()


class InferBody(RequestFields):
    """Tensors in; which tensors out."""

    id: str = Field(default="", max_length=1024, description="Comes back with the answer.")
    parameters: InferParameters = InferParameters()
    inputs: list[InferInput] = Field(min_length=1, max_length=2)
    outputs: list[InferOutput] = Field(
        default=[], max_length=8, description="Only these are worked out; all by default."
    )


@dataclass(frozen=True, slots=True)
class InferRequest:
    """A request through any door. `outputs` are the tensors it wants; `version` may be empty."""

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
    """The tensors of an answer, in the order they were asked for."""

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
    """Tensors out; those as bytes are behind the JSON, in order."""

    model_name: str
    model_version: str
    id: str | None = omitted_if_none()
    parameters: dict[str, str | int | bool] | None = omitted_if_none()
    outputs: list[OutputTensor]


class GenerateParameters(SamplingFields):
    """How to draw, under the names of `/v1/completions`."""

    stream: bool = Field(default=False, description="The path says whether it is one; this says nothing.")
    details: bool = Field(
        default=False, description="Also tell why it ended, and each character's log-probability."
    )


class GenerateRequest(RequestFields):
    """Text to go on with."""

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
    logprobs: list[GenerateLogprob]


class GenerateResponse(ResponseModel):
    """The text, or a stream's next piece of it."""

    text_output: str
    model_name: str
    model_version: str
    details: GenerateDetails | None = omitted_if_none()
