"""A list in rows is a list to all who read it, and a large answer is the same bytes in pieces as in one."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel
from schemas.test_protobuf import ANSWERS, instances

from nextchar.pb import nextchar_pb2 as pb
from nextchar.schemas import protobuf_pairs as pairs
from nextchar.schemas.completion import Choice, Logprobs
from nextchar.schemas.json_pieces import json_pieces
from nextchar.schemas.protobuf import message_in_parts, to_message
from nextchar.schemas.rows import BLOCK, Rows
from nextchar.schemas.score import CharScore, Score, ScoreResponse, Usage


class Scores(Rows[CharScore]):
    """Characters that are made of their number."""

    def __init__(self, count: int) -> None:
        self._count = count
        self.made_at_once = 0

    def __len__(self) -> int:
        return self._count

    def made(self, plain: dict[str, Any]) -> CharScore:
        return CharScore.model_validate(plain)

    def plain(self, start: int, stop: int) -> list[dict[str, Any]]:
        self.made_at_once = max(self.made_at_once, stop - start)
        return [self._row(k) for k in range(start, stop)]

    def _row(self, k: int) -> dict[str, Any]:
        row = {
            "char": chr(97 + k % 26),
            "offset": k,
            "code_point_offset": k,
            "byte_offset": 2 * k,
            "logprob": -k / 7,
        }
        return row if k < self._count - 1 else {**row, "char": None, "special": "end"}


def score(chars: Any) -> Score:
    fields = {
        "index": 0,
        "logprob": -1.5,
        "bits_per_char": 0.5,
        "perplexity": 2.0,
        "num_chars": 3,
        "num_unknown": 0,
    }
    return Score.model_validate(fields | {"chars": chars})


def answer(*scores: Score) -> ScoreResponse:
    usage = Usage(prompt_tokens=1, total_tokens=1)
    fields = {"model": "m", "model_version": "1", "begins_after": "begin", "includes_end": True}
    return ScoreResponse(**fields, data=list(scores), usage=usage, state=b"\xff\0")


def in_parts(given: BaseModel, message_type: type[Any]) -> Any:
    parts: Iterator[None] = message_in_parts(given, message_type)
    while True:
        try:
            next(parts)
        except StopIteration as end:
            return end.value


@pytest.mark.parametrize("count", [0, 1, 3, BLOCK, BLOCK + 1, 3 * BLOCK + 5])
def test_rows_are_read_and_written_as_the_list_of_their_items(count: int) -> None:
    rows = Scores(count)
    items = list(rows)
    assert [rows[k] for k in range(count)] == items
    assert rows[1:3] == items[1:3]
    assert rows == items
    assert rows != [*items, items[0] if items else 1]
    assert score(rows).model_dump_json() == score(items).model_dump_json()
    assert score(rows).model_dump() == score(items).model_dump()
    assert to_message(score(rows), pb.Score) == to_message(score(items), pb.Score)


def test_there_is_no_item_beyond_the_last() -> None:
    with pytest.raises(IndexError):
        Scores(3)[3]
    assert Scores(3)[-1].special == "end"


@pytest.mark.parametrize("counts", [[], [0], [3], [1000], [2, 0, 500, 3, 65], [1] * 200, [70] * 70])
def test_a_large_answer_is_the_same_in_pieces(counts: list[int]) -> None:
    rows = [Scores(count) for count in counts]
    whole = answer(*(score(list(each)) for each in rows))
    lazy = answer(*(score(each) for each in rows))
    assert b"".join(json_pieces(lazy)) == whole.model_dump_json().encode()
    assert in_parts(lazy, pb.ScoreResponse) == to_message(whole, pb.ScoreResponse)


def test_no_piece_is_large_and_no_more_is_made_at_once_than_a_block() -> None:
    rows = Scores(20_000)
    assert max(map(len, json_pieces(answer(score(rows))))) < 100_000
    in_parts(answer(score(rows)), pb.ScoreResponse)
    assert rows.made_at_once == BLOCK


def test_lists_without_rows_are_written_in_pieces_too() -> None:
    tops = [{"a": -1.0 / (k + 1)} for k in range(300)]
    found = Logprobs(
        tokens=["a"] * 300,
        token_logprobs=[None, *[-0.5] * 299],
        top_logprobs=tops,
        text_offset=list(range(300)),
    )
    choice = Choice(text="é" * 300, logprobs=found, token_ids=list(range(300)), ended=True)
    assert b"".join(json_pieces(choice)) == choice.model_dump_json().encode()
    assert in_parts(choice, pb.Choice) == to_message(choice, pb.Choice)


def longer(value: Any, times: int) -> Any:
    """Repeats the items of every list of an answer."""
    if isinstance(value, BaseModel):
        return value.model_copy(update={name: longer(item, times) for name, item in value})
    return [longer(item, times) for item in value] * times if isinstance(value, list) else value


@pytest.mark.parametrize("schema", ANSWERS, ids=lambda schema: schema.__name__)
@settings(max_examples=15)
@given(data=st.data(), times=st.sampled_from([1, 40]))
def test_every_answer_is_the_same_in_pieces(schema: type[BaseModel], data: st.DataObject, times: int) -> None:
    left_out = pairs.LEFT_OUT.get(pairs.PAIRS[schema], frozenset())
    given_ = longer(data.draw(instances(schema)), times).model_copy(update=dict.fromkeys(left_out))
    assert b"".join(json_pieces(given_)) == given_.model_dump_json().encode()
    assert in_parts(given_, pairs.PAIRS[schema]) == to_message(given_, pairs.PAIRS[schema])
