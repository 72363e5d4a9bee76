"""Verdicts weigh no more than their estimate, in memory, as JSON and as a message."""

import tracemalloc
from pathlib import Path

import pytest
from service.judging.served_judges import write_judge
from support.tiny_models import LINES

from nextchar.model.judging.judge import Judge
from nextchar.pb import nextchar_pb2 as pb
from nextchar.repository.judges import ServedJudge
from nextchar.schemas.protobuf import to_message
from nextchar.service.inference.answer_weight import verdict_weight
from nextchar.service.judging.answers import judge_response
from nextchar_training.judging.scored import score_list

NUM = 300


@pytest.mark.parametrize("return_reasons", [False, True])
def test_an_answer_weighs_at_most_what_was_estimated(tmp_path: Path, return_reasons: bool) -> None:
    judge = Judge.load(write_judge(tmp_path))
    strings = [f"xyxyxy\N{SNOWMAN}{k}" for k in range(NUM)]
    found = judge.verdicts(strings, score_list(LINES.step(), "strings", strings).logprobs)
    served = ServedJudge("words", "1", judge, 0)
    judge_response(served, found, 0, return_reasons=return_reasons)  # makes what is kept for ever
    tracemalloc.start()
    try:
        answer = judge_response(served, found, 0, return_reasons=return_reasons)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    most = verdict_weight(NUM, len("xy"), return_reasons=return_reasons)
    message = to_message(answer, pb.JudgeResponse).SerializeToString()
    assert held <= most.held
    assert len(answer.model_dump_json()) <= most.json
    assert 2 * len(message) <= most.message
