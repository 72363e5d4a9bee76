"""A text is looked at before it is trained on: is it strings a line or running text, what is to be told?"""

import random
from pathlib import Path

import pytest

from nextchar_training.text.code_points import Text, Unit
from nextchar_training.text.corpus import Corpus, load_corpus
from nextchar_training.text.files import newline_kinds
from nextchar_training.text.inspection import describe_text_facts, inspect_lines, inspect_text

_DRAW = random.Random(0)


def _word(low: int = 4, high: int = 9) -> str:
    return "".join(_DRAW.choices("abcdefghij", k=_DRAW.randint(low, high)))


_NAMES = "\n".join(_word().capitalize() for _ in range(300))
_FULL_NAMES = "\n".join(f"{_word()} {_word()}" for _ in range(300))
_VERSE = "\n".join(" ".join(_word(2, 6) for _ in range(8)) for _ in range(300))
_PARAGRAPHS = "\n\n".join(_word() for _ in range(300))
_CODE = "\n".join("    " * (k % 2) + _word() for k in range(300))
_UNEVEN = "\n".join("a" * (60 if k % 10 == 0 else 2) for k in range(300))
_LONG = "\n".join(_word(70, 90) for _ in range(300))
_FEW = "\n".join(_word() for _ in range(99))


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        (_NAMES, "line"),
        (_FULL_NAMES, "line"),
        (_VERSE, "text"),
        (_PARAGRAPHS, "text"),
        (_CODE, "text"),
        (_UNEVEN, "text"),
        (_LONG, "text"),
        (_FEW, "text"),
        ("a text without any newline", "text"),
        ("\n\n\n", "text"),
    ],
    ids=[
        "names",
        "two words",
        "verse",
        "paragraphs",
        "indented",
        "uneven",
        "long",
        "few",
        "no newline",
        "empty",
    ],
)
def test_short_even_lines_of_few_words_are_strings_and_all_else_is_running_text(
    text: str, unit: Unit
) -> None:
    assert inspect_lines(Text.of(text)).unit == unit


def test_sorted_lines_and_equal_lines_are_told_where_lines_are_strings(tmp_path: Path) -> None:
    path = tmp_path / "names.txt"
    path.write_text("\n".join(sorted([*_NAMES.split("\n"), "Aa", "Aa", "Aa"])) + "\n")
    corpus = load_corpus(str(path))
    facts = inspect_text(corpus, newline_kinds([path]))
    equal = facts.lines.num_equal
    said = describe_text_facts(facts, "names.txt", "line", chosen=True)
    assert said == [
        f"names.txt: {path.stat().st_size:,} characters, 21 different ones; lines end in LF",
        f"303 lines of {facts.lines.median_chars} characters: reading it as one string a line; "
        "--unit text for running text",
        "the lines are sorted: they are put into a random order before a part is held out",
        f"{equal} lines equal an earlier one: all copies of a line stay in one part, so none that is held "
        "out is trained on",
    ]
    assert len(describe_text_facts(facts, "names.txt", "text", chosen=True)) == 2
    assert "--unit" not in describe_text_facts(facts, "names.txt", "line", chosen=False)[1]
    # Beside a held-out file the lines stay in their order, and any may be in both.
    assert describe_text_facts(facts, "names.txt", "line", chosen=True, is_cut=False) == said[:2]


def test_a_text_without_newlines_is_one_line() -> None:
    facts = inspect_text(Corpus("a", Text.of("ab" * 50), (0,), "", "not stated", "made here"))
    said = describe_text_facts(facts, "a.txt", "text", chosen=False)
    assert said[1] == "1 line of 100 characters: reading it as running text"


@pytest.mark.parametrize(
    ("content", "kinds"),
    [
        (b"a\nb\n", ("LF",)),
        (b"a\r\nb\r\n", ("CRLF",)),
        (b"a\rb", ("CR",)),
        (b"a\r\nb\nc\r", ("LF", "CRLF", "CR")),
        (b"ab", ()),
    ],
)
def test_the_kinds_of_newlines_are_told(tmp_path: Path, content: bytes, kinds: tuple[str, ...]) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(content)
    assert newline_kinds([path]) == kinds
    said = describe_text_facts(inspect_text(load_corpus(str(path)), kinds), "a.txt", "text", chosen=True)[0]
    assert ("read as LF" in said) == bool({"CRLF", "CR"} & set(kinds))
