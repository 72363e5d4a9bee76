"""Makes tensors and runs the use case of tensors in this process."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from support.in_process import InProcess, context

from nextchar.service.oip.parameters import InferParameters
from nextchar.service.oip.schemas import InferAnswer, InferRequest
from nextchar.service.oip.tensors import Tensor


def text(*texts: bytes, shape: tuple[int, ...] | None = None) -> Tensor:
    return Tensor("text", "BYTES", shape or (len(texts),), list(texts))


def ids(rows: Sequence[Sequence[int]]) -> Tensor:
    numbers = np.array(rows, dtype=np.int64)
    return Tensor("token_ids", "INT64", numbers.shape, numbers.ravel())


def request(
    *inputs: Tensor, model: str = "tiny", version: str = "", outputs: tuple[str, ...] = (), **parameters: Any
) -> InferRequest:
    return InferRequest(model, version, list(inputs), outputs, InferParameters(**parameters))


def infer(tensors: InProcess, *inputs: Tensor, **fields: Any) -> InferAnswer:
    return tensors.run(tensors.service.tensor_inference.infer(request(*inputs, **fields), context("infer")))


def values(answer: InferAnswer) -> dict[str, Any]:
    return {tensor.name: np.asarray(tensor.values).tolist() for tensor in answer.outputs}
