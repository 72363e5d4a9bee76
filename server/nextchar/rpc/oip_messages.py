"""Converts messages of the Open Inference Protocol to tensors and back."""

from collections.abc import Mapping
from typing import Any, Literal, TypeVar

from nextchar.errors import InvalidRequest
from nextchar.pb import inference_pb2 as pb
from nextchar.schemas.base import validated
from nextchar.service.oip.parameters import (
    InferParameters,
    InputParameters,
    OpenParameters,
    OutputParameters,
)
from nextchar.service.oip.schemas import (
    MAX_INPUTS,
    MAX_OUTPUTS,
    InferAnswer,
    InferRequest,
    make_infer_request,
)
from nextchar.service.oip.tensors import Tensor, decoded, from_list, from_raw, to_raw

P = TypeVar("P", bound=OpenParameters)

_CONTENTS = {"BYTES": "bytes_contents", "INT64": "int64_contents", "FP64": "fp64_contents"}


def to_request(message: pb.ModelInferRequest, *, lenient_fields: bool = False) -> InferRequest:
    """Reads a request.

    Raises:
        InvalidRequest: a tensor is malformed, or, unless `lenient_fields` is set, a parameter is misspelt.
    """
    extra: Literal["ignore"] | None = "ignore" if lenient_fields else None  # as the schema says

    def read(schema: type[P], parameters: Mapping[str, pb.InferParameter]) -> P:
        fields = _values(parameters)
        return validated(lambda: schema.model_validate(fields, extra=extra))

    _check_counts(message)
    own = [read(InputParameters, tensor.parameters) for tensor in message.inputs]
    for output in message.outputs:
        read(OutputParameters, output.parameters)
    inputs = [
        decoded(tensor, parameters.content_type)
        for tensor, parameters in zip(_inputs(message), own, strict=True)
    ]
    outputs = tuple(output.name for output in message.outputs)
    parameters = read(InferParameters, message.parameters)
    return make_infer_request(message.model_name, message.model_version, inputs, outputs, parameters)


def _check_counts(message: pb.ModelInferRequest) -> None:
    """Refuses more tensors than a request may have, before any of them is looked at."""
    for name, tensors, limit in (
        ("inputs", message.inputs, MAX_INPUTS),
        ("outputs", message.outputs, MAX_OUTPUTS),
    ):
        if len(tensors) > limit:
            raise InvalidRequest(
                f"{name} must have at most {limit} tensors (it has {len(tensors)})", param=name
            )


def to_infer_response(message: pb.ModelInferRequest, answer: InferAnswer) -> pb.ModelInferResponse:
    """Writes the answer: with raw contents if the request had raw contents, else with typed ones."""
    response = pb.ModelInferResponse(
        model_name=answer.model_name, model_version=answer.model_version, id=message.id
    )
    if message.parameters["triton_enable_empty_final_response"].bool_param:
        response.parameters["triton_final_response"].bool_param = True
    for tensor in answer.outputs:
        output = response.outputs.add(name=tensor.name, datatype=tensor.datatype, shape=tensor.shape)
        if message.raw_input_contents:
            response.raw_output_contents.append(to_raw(tensor))
        else:
            values = tensor.values if isinstance(tensor.values, list) else tensor.values.ravel().tolist()
            getattr(output.contents, _CONTENTS[tensor.datatype]).extend(values)
    return response


def _inputs(message: pb.ModelInferRequest) -> list[Tensor]:
    raws = message.raw_input_contents
    if raws and len(raws) != len(message.inputs):
        raise InvalidRequest(
            f"raw_input_contents must have an entry for each input (it has {len(raws)} for "
            f"{len(message.inputs)} inputs)",
            param="raw_input_contents",
        )
    found = []
    for i, one in enumerate(message.inputs):
        if raws and one.contents.ListFields():
            raise InvalidRequest(
                f"input {one.name[:40]} must have no contents when raw_input_contents is set",
                param=one.name[:40],
            )
        if raws:
            found.append(from_raw(one.name, one.datatype, one.shape, raws[i]))
        else:
            found.append(from_list(one.name, one.datatype, one.shape, _contents(one)))
    return found


def _contents(one: pb.ModelInferRequest.InferInputTensor) -> list[Any]:
    """The elements, from the field of the datatype.

    Raises:
        InvalidRequest: another field is set.
    """
    wanted = _CONTENTS.get(one.datatype)
    for field, _ in one.contents.ListFields():
        if field.name != wanted:
            raise InvalidRequest(
                f"input {one.name[:40]} has datatype {one.datatype[:40]} and must not set {field.name}",
                param=one.name[:40],
            )
    return [] if wanted is None else list(getattr(one.contents, wanted))


def _values(parameters: Mapping[str, pb.InferParameter]) -> dict[str, Any]:
    found = {}
    for name, parameter in parameters.items():
        choice = parameter.WhichOneof("parameter_choice")
        found[name] = None if choice is None else getattr(parameter, choice)
    return found
