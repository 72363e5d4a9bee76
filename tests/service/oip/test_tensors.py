"""Inputs that are just valid and those that are just not: each refusal names the input and the number."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextchar.errors import InvalidRequest
from nextchar.service.oip.tensors import MAX_TEXTS, Tensor, check_header, from_list, from_raw, to_list, to_raw

_TWO = 2**31


def _refused(make: Any, *given_: Any) -> tuple[str, str | None, str]:
    with pytest.raises(InvalidRequest) as caught:
        make(*given_)
    return caught.value.code, caught.value.param, caught.value.message


@pytest.mark.parametrize(
    ("header", "code", "param", "says"),
    [
        (
            ("x" * 50, "BYTES", [1]),
            "invalid_value",
            "inputs",
            f"unknown input {'x' * 40!r}; the inputs are: text, token_ids",
        ),
        (
            ("text", "INT64", [1]),
            "invalid_value",
            "text",
            "input text must have datatype BYTES (it has 'INT64')",
        ),
        (
            ("token_ids", "F" * 50, [1]),
            "invalid_value",
            "token_ids",
            f"input token_ids must have datatype INT64 (it has {'F' * 40!r})",
        ),
        (
            ("token_ids", "INT64", [1, 2, 3]),
            "invalid_value",
            "token_ids",
            "input token_ids must have shape [n] for text or [n, t] for token_ids (it has [1, 2, 3])",
        ),
        (("text", "BYTES", list(range(9))), "invalid_value", "text", "(it has [0, 1, 2, 3, 4, 5, 6, 7])"),
        (("text", "BYTES", [-1]), "invalid_value", "text", "(it has [-1])"),
        (("token_ids", "INT64", [1, _TWO]), "invalid_value", "token_ids", f"(it has [1, {_TWO}])"),
        (
            ("text", "BYTES", [MAX_TEXTS + 1]),
            "too_many_items",
            "text",
            "input text has 65537 elements; the limit is 65536",
        ),
    ],
)
def test_a_header_that_is_none_is_refused(
    header: tuple[str, str, list[int]], code: str, param: str, says: str
) -> None:
    found = _refused(check_header, *header)
    assert found[:2] == (code, param)
    assert says in found[2]


@pytest.mark.parametrize(
    ("header", "size"),
    [
        (("text", "BYTES", []), 1),
        (("text", "BYTES", [0]), 0),
        (("text", "BYTES", [MAX_TEXTS]), MAX_TEXTS),
        (("token_ids", "INT64", [3, 4]), 12),
        (("token_ids", "INT64", [0, _TWO - 1]), 0),
        (("token_ids", "INT64", [MAX_TEXTS, 2]), 2 * MAX_TEXTS),
    ],
)
def test_a_header_at_the_limit_has_the_product_of_its_sizes(
    header: tuple[str, str, list[int]], size: int
) -> None:
    assert check_header(*header) == size


@pytest.mark.parametrize(
    "value", [-(2**63) - 1, 2**63, 2**64, 1.5, 1e300, float("inf"), float("nan"), "1", None, True, b"1"]
)
def test_an_element_that_is_no_int64_is_named(value: object) -> None:
    found = _refused(from_list, "token_ids", "INT64", [1, 2], [0, value])
    assert found == ("invalid_value", "token_ids", "input token_ids: element 1 must be an INT64")


def test_the_first_and_the_last_int64_are_taken() -> None:
    numbers = [-(2**63), 2**63 - 1, 0]
    made = from_list("token_ids", "INT64", (1, 3), [numbers])
    assert (made.name, made.datatype, made.shape, to_list(made)) == ("token_ids", "INT64", (1, 3), numbers)
    assert isinstance(made.values, np.ndarray)
    assert made.values.dtype == np.int64


@pytest.mark.parametrize("value", [1, None, 1.5, True])
def test_an_element_that_is_no_string_is_named(value: object) -> None:
    found = _refused(from_list, "text", "BYTES", [2], ["a", value])
    assert found == ("invalid_value", "text", "input text: element 1 must be a string")


def test_texts_are_strings_or_bytes_and_keep_what_is_no_unicode() -> None:
    made = from_list("text", "BYTES", (2, 2), [["é", b"\xff"], ("\ud800", "")])
    assert made.values == ["é".encode(), b"\xff", b"\xed\xa0\x80", b""]
    assert (made.name, made.datatype, made.shape) == ("text", "BYTES", (2, 2))
    assert to_list(made) == ["é", "\N{REPLACEMENT CHARACTER}", "\N{REPLACEMENT CHARACTER}" * 3, ""]


@pytest.mark.parametrize(("count", "shown"), [(1, "1"), (3, "more than 2"), (9, "more than 2")])
def test_the_number_of_elements_is_that_of_the_shape(count: int, shown: str) -> None:
    says = f"must have 2 elements for shape [2] (it has {shown})"
    code, param, message = _refused(from_list, "text", "BYTES", [2], ["a"] * count)
    assert (code, param, message) == ("invalid_value", "text", f"input text {says}")
    raw = to_raw(Tensor("text", "BYTES", (count,), [b"a"] * count))
    assert _refused(from_raw, "text", "BYTES", [2], raw) == (code, param, message)


@pytest.mark.parametrize("length", [15, 17, 0, 8])
def test_raw_numbers_have_eight_bytes_each(length: int) -> None:
    found = _refused(from_raw, "token_ids", "INT64", (1, 2), bytes(length))
    says = f"input token_ids must have 16 bytes for INT64 of shape [1, 2] (it has {length})"
    assert found == ("invalid_value", "token_ids", says)


def test_raw_numbers_are_little_endian_and_may_be_written_to() -> None:
    made = from_raw("token_ids", "INT64", [1, 2], bytes([1, 2, *bytes(6), *b"\xff" * 8]))
    assert (made.name, made.datatype, made.shape, to_list(made)) == ("token_ids", "INT64", (1, 2), [513, -1])
    assert isinstance(made.values, np.ndarray)
    assert made.values.flags.writeable


@given(st.lists(st.binary(max_size=5), min_size=1, max_size=4), st.data())
def test_raw_texts_that_are_cut_off_name_the_element(elements: list[bytes], data: st.DataObject) -> None:
    raw = to_raw(Tensor("text", "BYTES", (len(elements),), elements))
    made = from_raw("text", "BYTES", (len(elements),), raw)
    assert (made.name, made.datatype, made.shape, made.values) == (
        "text",
        "BYTES",
        (len(elements),),
        elements,
    )
    cut = data.draw(st.integers(0, len(raw) - 1))
    ends = np.cumsum([4 + len(element) for element in elements]).tolist()
    num_whole = sum(end <= cut for end in ends)
    _, param, message = _refused(from_raw, "text", "BYTES", [len(elements)], raw[:cut])
    assert param == "text"
    if cut in [0, *ends]:
        assert message.endswith(f"elements for shape [{len(elements)}] (it has {num_whole})")
    else:
        assert message == f"input text: element {num_whole} is longer than the bytes that are left"


def test_lengths_are_little_endian() -> None:
    assert to_raw(Tensor("text", "BYTES", (1,), [b"x" * 258])) == b"\x02\x01\0\0" + b"x" * 258
    assert to_raw(Tensor("next_id", "INT64", (1,), np.array([258]))) == b"\x02\x01" + bytes(6)
    assert to_raw(Tensor("score", "FP64", (1,), np.array([1.0], dtype=np.float32))) == bytes(6) + b"\xf0\x3f"


@given(
    st.recursive(
        st.text("ab", max_size=2), lambda inner: st.lists(inner, max_size=3) | st.tuples(inner), max_leaves=9
    )
)
def test_nested_lists_are_read_in_order(data: Any) -> None:
    def flat(value: Any) -> list[str]:
        return [value] if isinstance(value, str) else [leaf for item in value for leaf in flat(item)]

    leaves = flat([data])
    assert to_list(from_list("text", "BYTES", [len(leaves)], [data])) == leaves
