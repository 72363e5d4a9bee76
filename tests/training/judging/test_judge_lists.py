"""Lists of strings are read whatever their line ends, and what is wrong with them is said."""

from pathlib import Path

import pytest

from nextchar_training.judging.lists import MIN_BAD, StringList, check_normal, checked_bad, read_list
from nextchar_training.judging.normal import cut, sampled
from nextchar_training.text.error import CorpusError


def words(name: str, num: int, first: int = 0) -> StringList:
    return StringList(name, [f"{name}{k}" for k in range(first, first + num)])


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_a_list_is_its_distinct_lines_whatever_ends_them(tmp_path: Path, newline: str) -> None:
    said: list[str] = []
    path = tmp_path / "list.txt"
    path.write_bytes(("\ufeff" + newline.join(["One", "", " two ", "one", "three", ""])).encode())
    found = read_list(path, str.lower, said.append)
    assert (found.name, found.strings) == ("list", ["one", "two", "three"])
    assert said == [
        "list.txt: skipped 1 empty line",
        "list.txt: skipped 1 copy of strings that it has already",
    ]


def test_a_string_too_long_to_be_one_is_left_out_and_said(tmp_path: Path) -> None:
    said: list[str] = []
    path = tmp_path / "list.txt"
    path.write_text("one\n" + "x" * 5000)
    assert read_list(path, str, said.append).strings == ["one"]
    assert said == ["list.txt: left out 1 string of more than 4,096 characters"]


def test_a_list_without_strings_or_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text("\n\n")
    with pytest.raises(CorpusError, match=r"list\.txt has no string"):
        read_list(path, str, print)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CorpusError, match=r"is not UTF-8: .*; convert it to UTF-8$"):
        read_list(path, str, print)
    with pytest.raises(CorpusError, match="cannot read"):
        read_list(tmp_path / "gone.txt", str, print)


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("x.csv", "give the file a name in .txt"),
        ("x.TSV", "give the file a name in .txt"),
        ("x.jsonl.gz", "give the file a name in .txt"),
        ("x.ndjson", "give the file a name in .txt"),
        ("x.parquet", "to a text file, one per line"),
    ],
)
def test_a_table_is_no_list_of_its_rows(tmp_path: Path, name: str, advice: str) -> None:
    path = tmp_path / name
    path.write_text("name,count\nann,1\n")
    with pytest.raises(CorpusError, match=rf"^{name} is a table by its name \(.*{advice}$"):
        read_list(path, str, print)
    path.rename(tmp_path / "x.txt")
    assert read_list(tmp_path / "x.txt", str, print).strings == ["name,count", "ann,1"]


def test_ten_examples_are_too_few() -> None:
    with pytest.raises(
        CorpusError,
        match=r"'a' has 10 strings, of which 2 are kept from .* training: a judge needs 300 .*; do so",
    ):
        check_normal(words("a", 2), words("a", 10), "do so")
    with pytest.raises(
        CorpusError, match=f"'b' has 10 strings of its own, a kind of bad strings needs {MIN_BAD}"
    ):
        checked_bad([words("b", 10)], words("a", 300), print)


def test_a_bad_list_that_is_the_good_list_is_refused() -> None:
    good = words("a", 300)
    with pytest.raises(CorpusError, match="300 of the 300 strings in 'b' are in the list of normal strings"):
        checked_bad([StringList("b", good.strings)], good, print)


def test_strings_on_both_sides_are_normal_and_said() -> None:
    said: list[str] = []
    good = words("a", 300)
    bad = StringList("b", [*words("b", 40).strings, *good.strings[:2]])
    other = StringList("c", [*words("c", 40).strings, "b0"])
    found = checked_bad([bad, other], good, said.append)
    assert [one.strings for one in found] == [words("b", 40).strings, words("c", 40).strings]
    assert said == [
        "b: left out 2 strings that the normal list has too",
        "c: left out 1 string that another bad list has too",
    ]


def test_two_kinds_of_one_name_are_refused() -> None:
    with pytest.raises(CorpusError, match="two lists of bad strings are called 'b'"):
        checked_bad([words("b", 40), words("b", 40, 40)], words("a", 300), print)


def test_normal_strings_that_calibrate_are_not_those_that_are_trained_on() -> None:
    training, calibration = cut(words("a", 1000))
    assert (len(training.strings), len(calibration.strings)) == (750, 250)
    assert {*training.strings, *calibration.strings} == set(words("a", 1000).strings)


def test_a_sample_of_a_long_list_is_said() -> None:
    said: list[str] = []
    assert len(sampled(words("a", 50), 20, said.append).strings) == 20
    assert said == ["a: took 20 of 50 strings at random (--max-strings)"]
    assert sampled(words("a", 20), 20, said.append) == words("a", 20)
