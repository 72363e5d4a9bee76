"""Lines of the log: whatever clients send, a record is one line that no terminal obeys."""

import json
import logging
import sys
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextchar.telemetry.logs import JsonFormatter, TextFormatter, printable

_SAID = "a\nforged \x1b[31m\x9b2J\x7f\u2028\u202e\udc80é日\N{SNOWMAN}\\ \u00a0"
_DANGEROUS = ("Cc", "Cf", "Cs", "Zl", "Zp")


def record(message: str, *arguments: object, name: str = "x", facts: Any = None) -> logging.LogRecord:
    made = logging.LogRecord(name, logging.INFO, "", 0, message, arguments, None)
    if facts is not None:
        made.facts = facts
    return made


def failing(text: str) -> logging.LogRecord:
    try:
        raise ValueError(text)
    except ValueError:
        return logging.LogRecord("x", logging.ERROR, "", 0, "it failed", (), sys.exc_info())


def is_safe(text: str) -> bool:
    return not any(unicodedata.category(character) in _DANGEROUS for character in text)


@given(st.text(st.characters(), max_size=50))
def test_a_message_is_one_line_of_printable_text(text: str) -> None:
    for formatter in (TextFormatter(), JsonFormatter()):
        for made in (record("said %s", text), record(text), record("x", name=text)):
            line = formatter.format(made)
            assert is_safe(line), ascii(line)
            line.encode()


@given(st.text(st.characters(), max_size=50))
def test_json_gives_every_field_back_as_it_was(text: str) -> None:
    found = json.loads(JsonFormatter().format(record("said %s", text, facts={"model": text})))
    assert (found["message"], found["model"]) == (f"said {text}", text)


@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()], ids=["text", "json"])
def test_an_exception_cannot_pass_for_a_line_of_its_own(formatter: logging.Formatter) -> None:
    first, *others = formatter.format(failing(_SAID)).split("\n")
    assert is_safe(first)
    for line in others:
        assert line.startswith("  | ")
        assert is_safe(line)


def test_what_is_printable_stays_as_it_is() -> None:
    assert printable("é日☃ a-z ~") == "é日☃ a-z ~"
    assert printable(_SAID).startswith("a\\nforged \\u001b[31m\\u009b2J\\u007f\\u2028\\u202e\\udc80é日")
