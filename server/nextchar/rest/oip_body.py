"""Converts the bodies of infer requests to tensors and back: JSON, or JSON followed by the tensors' bytes."""

from dataclasses import dataclass

from nextchar.errors import InvalidRequest
from nextchar.rest.body import BodyRules
from nextchar.schemas.base import RequestOptions
from nextchar.service.oip.parameters import InputParameters
from nextchar.service.oip.schemas import (
    InferAnswer,
    InferBody,
    InferInput,
    InferRequest,
    InferResponse,
    OutputTensor,
    make_infer_request,
)
from nextchar.service.oip.tensors import Tensor, decoded, from_list, from_raw, to_list, to_raw

HEADER_LENGTH = "Inference-Header-Content-Length"
_DEFAULT_RULES = BodyRules()


@dataclass(frozen=True, slots=True)
class InferCall:
    """Holds a body as it was received, and as a request of tensors."""

    given: InferBody
    request: InferRequest

    @property
    def options(self) -> RequestOptions:
        """What the context of the request is made of."""
        return self.request.options


def read_request(
    body: bytes,
    header_length: str | None,
    model: str,
    version: str,
    rules: BodyRules = _DEFAULT_RULES,
) -> InferCall:
    """Reads a body: its JSON, and the tensors' bytes that follow it.

    Raises:
        InvalidRequest: the JSON is wrong, or the bytes do not match it.
    """
    length = _header_length(header_length, len(body))
    given = rules.read_json(InferBody, body[:length])
    inputs, place = [], length
    for one in given.inputs:
        tensor, place = _input(one, body, place)
        inputs.append(tensor)
    if place != len(body):
        raise InvalidRequest(
            f"the inputs must account for all bytes that follow the JSON ({len(body) - place} are left over)",
            param="inputs",
        )
    outputs = tuple(output.name for output in given.outputs or ())
    named = given.named(model, version)
    return InferCall(given, make_infer_request(*named, inputs, outputs, given.parameters))


def answer_body(given: InferBody, answer: InferAnswer) -> tuple[bytes, int | None]:
    """Makes the body of an answer; also returns the length of its JSON, or None if nothing follows it."""
    own = {output.name: output.parameters and output.parameters.binary_data for output in given.outputs or ()}
    binary = given.parameters is not None and given.parameters.binary_data_output
    heads, tails = [], []
    for tensor in answer.outputs:
        asked = own.get(tensor.name)
        if binary if asked is None else asked:
            raw = to_raw(tensor)
            tails.append(raw)
            heads.append(_head(tensor, parameters={"binary_data_size": len(raw)}))
        else:
            heads.append(_head(tensor, data=to_list(tensor)))
    response = InferResponse(
        model_name=answer.model_name, model_version=answer.model_version, id=given.id or None, outputs=heads
    )
    head = response.model_dump_json().encode()
    return (b"".join([head, *tails]), len(head)) if tails else (head, None)


def _header_length(given: str | None, num_bytes: int) -> int:
    if given is None:
        return num_bytes
    if not (given.isascii() and given.isdecimal() and len(given) < 16 and int(given) <= num_bytes):
        raise InvalidRequest(
            f"{HEADER_LENGTH} must be the number of bytes of the JSON, at most {num_bytes} "
            f"(it is {given[:40]!r})",
            param=HEADER_LENGTH,
        )
    return int(given)


def _input(one: InferInput, body: bytes, place: int) -> tuple[Tensor, int]:
    """Reads an input; also returns where in the body the bytes of the next one begin."""
    parameters = one.parameters or InputParameters()
    size = parameters.binary_data_size
    if (size is None) == (one.data is None):
        raise InvalidRequest(
            f"input {one.name[:40]} must have either data or binary_data_size", param=one.name[:40]
        )
    if size is None:
        assert one.data is not None
        tensor = from_list(one.name, one.datatype, one.shape, one.data)
        return decoded(tensor, parameters.content_type), place
    if place + size > len(body):
        raise InvalidRequest(
            f"binary_data_size of input {one.name[:40]} must be at most {len(body) - place}, the bytes "
            f"that are left of the body (it is {size})",
            param=one.name[:40],
        )
    tensor = from_raw(one.name, one.datatype, one.shape, body[place : place + size])
    return decoded(tensor, parameters.content_type), place + size


def _head(
    tensor: Tensor, *, parameters: dict[str, int] | None = None, data: list[object] | None = None
) -> OutputTensor:
    return OutputTensor(
        name=tensor.name,
        datatype=tensor.datatype,
        shape=list(tensor.shape),
        parameters=parameters,
        data=data,
    )
