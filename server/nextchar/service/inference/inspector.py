"""Reads a model's states after each character of a text, as the engine's lanes keep them, and its gates."""

import asyncio
import base64
from collections.abc import Mapping, Sequence

import numpy as np

from nextchar.engine.lane import Lane, LaneTrace
from nextchar.engine.sampler import Doubles
from nextchar.errors import InputTooLarge, InvalidRequest
from nextchar.model.gate_graph import GATE_TENSORS
from nextchar.model.graph import Floats, ModelGraph, StateArray
from nextchar.model.vocabulary import Ids
from nextchar.repository.model import Model
from nextchar.schemas.base import make_usage
from nextchar.schemas.inspect import (
    GateName,
    GateTrace,
    InspectRequest,
    InspectResponse,
    StateName,
    StateTrace,
)
from nextchar.schemas.limits import Limits
from nextchar.service.inference.answer_weight import inspection_weight
from nextchar.service.inference.score_math import joined_logprobs
from nextchar.service.inference.score_rows import CharScores
from nextchar.service.inference.submission import run_to_end
from nextchar.service.inference.validation import Validation
from nextchar.telemetry.metrics import Metrics
from nextchar.telemetry.request_context import RequestContext

_NAMES: dict[str, StateName] = {"h": "hidden", "c": "cell"}
_UINT8_ZERO, _UINT8_ONE = 128, 127.0

States = Sequence[Mapping[str, StateArray]]  # by input name, each [size]
Gate = tuple[int, GateName]  # its layer and name


class Inspector:
    """Answers inspections; raises what `Service` raises."""

    def __init__(self, validation: Validation, metrics: Metrics, limits: Limits) -> None:
        self._validation, self._metrics, self._limits = validation, metrics, limits
        self._gates_turn = asyncio.Lock()  # gates are computed beside the engines, one text at a time

    async def inspect(self, request: InspectRequest, ctx: RequestContext) -> InspectResponse:
        """Returns the requested states after each character, and gates while each is read.

        Raises:
            InvalidRequest: there is no such layer, state or gate, or the server shows none (`inspect_off`).
            InputTooLarge: the answer would have too many characters or numbers.
        """
        if not self._limits.max_inspect_chars:
            raise InvalidRequest(
                "this server does not return hidden states: max_inspect_chars is 0", code="inspect_off"
            )
        model = self._validation.model(request.model, ctx)
        ids = self._validation.encode(request.input, model=model, ctx=ctx, param="input")
        chosen, gates = _choose(model, request), _choose_gates(model, request)
        num_values = self._check_size(model, [*chosen, *(f"h_{layer}" for layer, _ in gates)], len(ids))
        weight = inspection_weight(len(ids), num_values)
        self._validation.check_answer(
            weight, ctx, "input", "request fewer layers, states or gates, or send less text"
        )
        self._metrics.observe_size(ctx, len(ids))
        states, logprobs = await self._read(model, ids, ctx)
        self._metrics.count_chars(ctx, fed=len(ids))
        vocabulary = model.graph.vocabulary
        return InspectResponse(
            model=model.name,
            model_version=model.version,
            chars=CharScores(vocabulary.normalize(request.input), logprobs, vocabulary),
            data=[_trace(name, model, states[1:], request.encoding_format) for name in chosen],
            gates=await self._read_gates(model, ids, states, gates, request) if gates else None,
            usage=make_usage(len(ids)),
            case_folding=vocabulary.told_folding,
        )

    def _check_size(self, model: Model, chosen: Sequence[str], num_chars: int) -> int:
        """Returns the number of values of the answer, which is bounded."""
        max_chars, max_values = self._limits.max_inspect_chars, self._limits.max_inspect_values
        if num_chars > max_chars:
            raise InputTooLarge(
                f"input has {num_chars} characters; the limit of an inspection is {max_chars}",
                param="input",
            )
        shapes = model.graph.state_shapes
        num_values = num_chars * sum(shapes[name][1] for name in chosen)
        if num_values > max_values:
            raise InputTooLarge(
                f"the answer would have {num_values} numbers, the limit is {max_values}: request fewer "
                "layers, states or gates, or send a shorter input",
                param="input",
            )
        return num_values

    async def _read(self, model: Model, ids: Ids, ctx: RequestContext) -> tuple[States, Doubles]:
        """Returns the states before the first character and after each, and each one's log-probability."""
        if not len(ids):
            return [], np.empty(0)
        # The state after the last character is known where the lane reads it, for the distribution after it.
        lane = Lane(ids, wants_distribution=True, trace=LaneTrace(states=True))
        (deliveries,) = await run_to_end(model, [lane], ctx=ctx, metrics=self._metrics)
        assert lane.trace is not None
        return lane.trace.states, joined_logprobs(deliveries)

    async def _read_gates(
        self, model: Model, ids: Ids, states: States, gates: list[Gate], request: InspectRequest
    ) -> list[GateTrace]:
        """Returns the gates while each character is read, from the states before it."""
        async with self._gates_turn:
            found = await asyncio.to_thread(_gate_values, model.graph, ids, states[: len(ids)], gates)
        encoding = request.encoding_format
        return [
            GateTrace(layer=layer, gate=name, num_units=values.shape[1], values=_encoded(values, encoding))
            for (layer, name), values in zip(gates, found, strict=True)
        ]


def _gate_values(graph: ModelGraph, ids: Ids, states: States, gates: list[Gate]) -> list[Floats]:
    before = {
        name: np.stack([state[name] for state in states]) if states else np.empty((0, size), dtype)
        for name, (dtype, size) in graph.state_shapes.items()
    }
    return graph.gates.run(ids, before, gates)


def _choose(model: Model, request: InspectRequest) -> list[str]:
    """Returns the names of the requested states in the card's order, layer by layer."""
    names = list(model.graph.card.states)
    num_layers = 1 + max(_layer(name) for name in names)
    for layer in request.layers or ():
        if not 0 <= layer < num_layers:
            raise InvalidRequest(
                f"layers holds {layer}; the model's layers are 0 to {num_layers - 1}", param="layers"
            )
    if request.gates is not None and request.states is None:
        return []
    known = {_state(name) for name in names}
    for state in request.states or ():
        if state not in known:
            raise InvalidRequest(
                f"states holds {state!r}; a {model.graph.card.cell} has only: {', '.join(sorted(known))}",
                param="states",
            )
    return [
        name
        for name in names
        if (request.layers is None or _layer(name) in request.layers)
        and (request.states is None or _state(name) in request.states)
    ]


def _choose_gates(model: Model, request: InspectRequest) -> list[Gate]:
    """Returns the requested gates, layer by layer; the layers are those that `_choose` has checked."""
    card = model.graph.card
    known = GATE_TENSORS[card.cell]
    for gate in request.gates or ():
        if gate not in known:
            has = f"has only: {', '.join(known)}" if known else "has none"
            raise InvalidRequest(f"gates holds {gate!r}; a {card.cell} {has}", param="gates")
    layers = {_layer(name) for name in card.states} if request.layers is None else set(request.layers)
    return [(layer, gate) for layer in sorted(layers) for gate in dict.fromkeys(request.gates or ())]


def _layer(name: str) -> int:
    return int(name.rpartition("_")[2])


def _state(name: str) -> StateName:
    return _NAMES[name.partition("_")[0]]


def _trace(name: str, model: Model, states: States, encoding: str) -> StateTrace:
    size = model.graph.state_shapes[name][1]
    rows = [dequantized(state[name]) for state in states]
    values = np.stack(rows) if rows else np.empty((0, size), dtype=np.float32)
    return StateTrace(
        layer=_layer(name),
        state=_state(name),
        num_units=size,
        values=_encoded(values, encoding),
    )


def _encoded(values: Floats, encoding: str) -> list[list[float]] | str:
    if encoding == "base64":
        return base64.b64encode(values.astype("<f4").tobytes()).decode()
    rows: list[list[float]] = values.tolist()
    return rows


def dequantized(state: StateArray) -> Floats:
    """Returns a state's numbers as float32; a uint8 state is quantised around 128 by 1/127."""
    if state.dtype == np.uint8:
        return ((state.astype(np.float32) - _UINT8_ZERO) / _UINT8_ONE).astype(np.float32)
    return state.astype(np.float32)
