"""Where fuzzing begins: sound inputs of every target."""

import base64
import json
import struct
from pathlib import Path

import numpy as np
from hardening.fuzz_targets import DIGEST, KEY, MESSAGES, OWNER, SCHEMAS, SHAPES
from model.judging.tiny_judges import fitted, judge_card
from support.tiny_models import TinyModel

from nextchar.engine.lane import LaneState
from nextchar.model.vocabulary import Vocabulary
from nextchar.pb import inference_pb2
from nextchar.service.sessions.codec import StateCodec
from nextchar.service.sessions.state import SessionState, Snapshot

_SMALL = TinyModel(hidden_size=4, num_layers=1, vocabulary=Vocabulary(tuple("abc")))
_INFER = {
    "inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": ["ab"]}],
    "outputs": [{"name": "score", "parameters": {"binary_data": True}}],
}
_BINARY = {
    "inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": 6}}]
}
_ONE_TEXT = {"NextRequest", "InspectRequest"}  # where "input" is no list
_FIELDS: dict[str, object] = {
    **{"model": "tiny", "input": ["hello", ""], "context": "x", "prompt": "ab", "text": "ab", "top": 3},
    **{"max_tokens": 5, "temperature": 0.7, "seed": 1, "stop": ["a", "b"], "logit_bias": {"a": 1.0}},
    **{"name": "here", "num_chars": 2, "session_id": "s", "prime": "ab", "ttl_seconds": 5.0, "limit": 3},
    **{"return": "each", "include_end": True, "return_chars": True, "logprobs": 2, "echo": True},
    **{"judge": "words", "false_alarm_rate": 0.1, "return_reasons": True},
    **{"text_input": "ab", "after": "a", "reference_model": "tiny", "tokens": [1, 2], "layers": [0]},
}


def seeds() -> dict[str, list[bytes]]:
    """Some by the name of each target."""
    models = [_SMALL.step_bytes("float32"), _SMALL.step_bytes("int8"), _SMALL.sequence_bytes()]
    state = SessionState(1, _mark(3), _mark(1), np.arange(2), np.arange(2), {"here": _mark(2)})
    sealed = StateCodec(KEY).seal(state, owner=OWNER, digest=DIGEST)
    bodies = []
    for number, schema in enumerate(SCHEMAS):
        names = {field.alias or name for name, field in schema.model_fields.items()}
        fields = {name: value for name, value in _FIELDS.items() if name in names}
        if schema.__name__ in _ONE_TEXT:
            fields["input"] = "ab"
        bodies.append(bytes([number]) + json.dumps(fields).encode())
    infer, binary = json.dumps(_INFER).encode(), json.dumps(_BINARY).encode()
    return {
        "model_card": models,
        "model_file": models,
        "card_text": [_SMALL.card().to_json().encode()],
        "judge_text": [_small_judge(), judge_card(fitted(300))[0].to_json().encode()],
        "state": [sealed, sealed[:20], base64.b64encode(sealed)],
        "body": bodies,
        "message": _messages(),
        "infer_message": [_infer_message()],
        "infer_body": [b"\0\0" + infer, struct.pack("<H", len(binary)) + binary + b"\2\0\0\0ab"],
    }


def _small_judge() -> bytes:
    """A judge whose curves have two points, so that damage seldom misses what matters."""
    curve = {"lengths": [1, 9], "shares": [1.0, 0.05], "values": [[0.5, 3.0], [0.7, 2.0]]}
    curve |= {"tail_scales": [0.3, 0.2], "num_strings": [300, 300]}
    card = judge_card(fitted(300))[0].model_dump(mode="json")
    card |= {"curves": dict.fromkeys(card["curves"], curve), "score": curve, "quality": []}
    return json.dumps(card).encode()


def _messages() -> list[bytes]:
    found = []
    for number, (kind, _) in enumerate(MESSAGES):
        fields = {name: value for name, value in _FIELDS.items() if name in kind.DESCRIPTOR.fields_by_name}
        if kind.__name__ in _ONE_TEXT:
            fields["input"] = "ab"
        found.append(bytes([number]) + kind(**fields).SerializeToString())
    return found


def _infer_message() -> bytes:
    message = inference_pb2.ModelInferRequest(model_name="m", raw_input_contents=[b"\2\0\0\0ab"])
    message.inputs.add(name="text", datatype="BYTES", shape=[1])
    message.outputs.add(name="score")
    return bytes(message.SerializeToString())


def _mark(position: int) -> Snapshot:
    arrays = {name: np.zeros(size, dtype=dtype) for name, (dtype, size) in SHAPES.items()}
    return Snapshot(position, 0, LaneState(0, arrays))


def write_seeds(folder: Path) -> None:
    """A folder for each target."""
    for name, inputs in seeds().items():
        (folder / name).mkdir(parents=True)
        for number, content in enumerate(inputs):
            (folder / name / f"seed-{number}").write_bytes(content)
