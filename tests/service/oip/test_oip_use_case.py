"""The use case of tensors: at which sizes it still answers, what is the same however it is asked."""

import numpy as np
import pytest
from support.in_process import InProcess, context
from support.tensors_in_process import ids as _ids
from support.tensors_in_process import infer as _infer
from support.tensors_in_process import request as _request
from support.tensors_in_process import text as _text
from support.tensors_in_process import values as _values

from nextchar.errors import NextcharError
from nextchar.service.oip.inference import MAX_BATCH
from nextchar.service.oip.tensors import Tensor

_OUTPUTS = ("log_probs", "next", "next_id", "score")


@pytest.mark.parametrize(
    ("tensor", "outputs", "count"),
    [
        (_text(*[b"a"] * MAX_BATCH), (), MAX_BATCH),
        (_text(*[b"a"] * 200), ("score",), 200),
        (_text(*[b"a" * 10] * 30), ("next_id",), 30),
        (_ids([[1]] * MAX_BATCH), ("score",), MAX_BATCH),
        (_ids([[31, 0]]), ("score", "next"), 1),
        (_text(b"a", b"b", shape=(2, 1)), (), 2),
        (_text(b""), (), 1),
        (_ids([[]]), ("score",), 1),
    ],
)
def test_what_is_at_a_limit_is_answered(
    tensors: InProcess, tensor: Tensor, outputs: tuple[str, ...], count: int
) -> None:
    answer = _infer(tensors, tensor, outputs=outputs, version="1")
    assert (answer.model_name, answer.model_version) == ("tiny", "1")
    assert tuple(output.name for output in answer.outputs) == (outputs or _OUTPUTS)
    for output in answer.outputs:
        assert output.shape == ((count, 32) if output.name == "log_probs" else (count,))
        assert output.datatype == {"next": "BYTES", "next_id": "INT64"}.get(output.name, "FP64")


@pytest.mark.parametrize("end", [False, True])
@pytest.mark.parametrize("tensor", [_text(b"ab", b"ba"), _ids([[1, 2], [2, 1]])])
def test_outputs_are_the_same_alone_and_together_with_the_end_or_without(
    tensors: InProcess, tensor: Tensor, end: bool
) -> None:
    whole = _values(_infer(tensors, tensor, model="lines", include_end=end))
    for name in _OUTPUTS:
        alone = _values(_infer(tensors, tensor, model="lines", include_end=end, outputs=(name, name)))
        assert alone == {name: whole[name]}
    plain = _values(_infer(tensors, tensor, model="lines"))
    assert whole["log_probs"] == plain["log_probs"]
    ends = [row[31] for row in whole["log_probs"]] if end else [0.0, 0.0]
    assert whole["score"] == pytest.approx([a + b for a, b in zip(plain["score"], ends, strict=True)])
    assert whole["next_id"] == [int(np.argmax(row)) for row in whole["log_probs"]]


def test_what_ran_is_counted_in_the_context(tensors: InProcess) -> None:
    for outputs, scored, fed in ((("score",), 3, 0), (("next",), 0, 3)):
        before = [_chars(tensors, kind) for kind in ("scored", "fed")]
        ctx = context("infer")
        tensors.run(
            tensors.service.tensor_inference.infer(_request(_text(b"ab", b"c"), outputs=outputs), ctx)
        )
        assert (ctx.num_inferences, ctx.model, ctx.version) == (2, "tiny", "1")
        found = [_chars(tensors, kind) for kind in ("scored", "fed")]
        assert [a - b for a, b in zip(found, before, strict=True)] == [scored, fed]


def _chars(tensors: InProcess, kind: str) -> float:
    return sum(
        sample.value
        for family in tensors.service.metrics.registry.collect()
        for sample in family.samples
        if sample.name == "nextchar_chars_total" and kind in sample.labels.values()
    )


@pytest.mark.parametrize("sequence_id", [1, 2**64 - 1, "a.b-c_9", "x" * 114])
def test_a_sequence_is_its_text_step_by_step(tensors: InProcess, sequence_id: int | str) -> None:
    for _ in range(2):  # a start begins anew
        steps = [
            _values(_infer(tensors, _text(piece), sequence_id=sequence_id, sequence_start=k == 0))
            for k, piece in enumerate((b"ab", b"", b"cd"))
        ]
    whole = _values(_infer(tensors, _text(b"abcd")))
    assert steps[-1]["log_probs"] == whole["log_probs"]
    assert sum(step["score"][0] for step in steps) == pytest.approx(whole["score"][0])
    last = _values(_infer(tensors, _text(b"e"), sequence_id=sequence_id, sequence_end=True))
    assert last["log_probs"] == _values(_infer(tensors, _text(b"abcde")))["log_probs"]
    with pytest.raises(NextcharError) as caught:
        _infer(tensors, _text(b"e"), sequence_id=sequence_id)
    assert caught.value.code == "session_not_found"


def test_a_sequence_of_one_request_leaves_nothing(tensors: InProcess) -> None:
    ctx = context("infer")
    _infer(tensors, _text(b"ab"), sequence_id=7, sequence_start=True)
    _infer(tensors, _text(b"ab"), sequence_id=7, sequence_start=True, sequence_end=True)
    assert tensors.run(tensors.service.session_manager.page(ctx, after="", limit=9)) == []
    _infer(tensors, _text(b"ab"), sequence_id=8, sequence_start=True, sequence_end=True)
    assert tensors.run(tensors.service.session_manager.page(ctx, after="", limit=9)) == []


def test_a_sequence_is_the_session_of_its_name_and_stays_with_its_version(tensors: InProcess) -> None:
    _infer(tensors, _text(b"ab"), sequence_id=9, sequence_start=True, version="1")
    manager = tensors.service.session_manager
    (record,) = tensors.run(manager.page(context(), after="", limit=9))
    assert (record.session_id, record.position, record.revision) == ("sequence.tiny.9", 2, 1)
    _infer(tensors, _text(b"c"), sequence_id=9, version="1")
    (record,) = tensors.run(manager.page(context(), after="", limit=9))
    assert (record.position, record.revision) == (3, 2)
    with pytest.raises(NextcharError) as caught:
        _infer(tensors, _text(b"c"), sequence_id=9, version="2")
    assert (caught.value.code, caught.value.param) == ("invalid_value", "model_version")
    assert caught.value.message == "model_version must be 1, the version of the sequence (it is 2)"
    _infer(tensors, _text(b""), sequence_id=9, sequence_end=True)
    assert tensors.run(manager.page(context(), after="", limit=9)) == []


def test_each_step_of_a_sequence_looks_its_session_up_once(tensors: InProcess) -> None:
    before = tensors.metric("nextchar_session_lookups_total", result="hit")
    _infer(tensors, _text(b"ab"), sequence_id=71, sequence_start=True)
    _infer(tensors, _text(b"c"), sequence_id=71)
    _infer(tensors, _text(b"d"), sequence_id=71, sequence_start=True)  # finds what is there, and deletes it
    _infer(tensors, _text(b"e"), sequence_id=71, sequence_end=True)
    assert tensors.metric("nextchar_session_lookups_total", result="hit") == before + 3
