"""Any usual table of symbols says which symbol an id is."""

import json
from pathlib import Path

import pytest

from nextchar_training.foreign.error import ImportRefused
from nextchar_training.foreign.symbols import Roles, assign_roles, read_symbols

ABC = {0: "\n", 1: "a", 2: "é"}


@pytest.mark.parametrize(
    "table",
    [
        {"\n": 0, "a": 1, "é": 2},
        {"0": "\n", "1": "a", "2": "é"},
        ["\n", "a", "é"],
        "\naé",
        {"stoi": {"\n": 0, "a": 1, "é": 2}, "itos": {"0": "\n"}, "vocab_size": 3},
        {"chars": "\naé"},
    ],
)
def test_every_form_of_a_table_is_the_same_table(table: object, tmp_path: Path) -> None:
    path = tmp_path / "symbols.json"
    path.write_text(json.dumps(table))
    assert read_symbols(path) == ABC


@pytest.mark.parametrize(
    "content",
    ["", "{", "3", "{}", '{"a": "b"}', '{"a": 1.5}', '["a", "a"]', '{"0": "a", "1": "a"}', "[]", '""'],
)
def test_a_file_that_is_no_table_is_refused(content: str, tmp_path: Path) -> None:
    path = tmp_path / "symbols.json"
    path.write_text(content)
    with pytest.raises(ImportRefused):
        read_symbols(path)


def test_special_symbols_are_found_by_their_usual_names() -> None:
    table = dict(enumerate(["[UNK]", "a", "b", "<eos>", "<BOS>", "<pad>"]))
    found = assign_roles(table, 6, 6, Roles())
    assert dict(found.characters) == {"a": 1, "b": 2}
    assert (found.begin, found.end, found.unknown, found.left_out) == (4, 3, 0, (4, 5))


def test_half_of_a_surrogate_pair_is_no_symbol() -> None:
    with pytest.raises(ImportRefused, match="half of a surrogate pair"):
        assign_roles({0: "\n", 1: "a", 2: "\ud83d"}, 3, 3, Roles())


def test_ids_without_a_symbol_are_left_out() -> None:
    found = assign_roles({1: "\n", 2: "b", 3: "a"}, 6, 6, Roles())
    assert (found.begin, found.end, found.left_out) == (1, None, (0, 4, 5))


def test_a_character_may_be_the_end_and_then_comes_before_strings_too() -> None:
    found = assign_roles({0: ".", 1: "a", 2: "b"}, 3, 3, Roles(end="."))
    assert (found.begin, found.end, set(found.characters)) == (0, 0, {"a", "b"})


def test_an_id_that_the_network_does_not_have_is_refused() -> None:
    with pytest.raises(ImportRefused, match="ids from 0 to 1, the network's"):
        assign_roles(ABC, 2, 2, Roles())


def test_a_begin_may_be_read_and_never_predicted_and_a_character_may_not() -> None:
    table = {0: "a", 1: "b", 2: "^"}
    found = assign_roles(table, 3, 2, Roles(begin="^"))
    assert (found.begin, set(found.characters), found.left_out) == (2, {"a", "b"}, ())
    with pytest.raises(ImportRefused, match="ids from 0 to 1"):
        assign_roles(table, 3, 2, Roles(begin="a"))
