"""What the compiler of patterns keeps, refuses, and takes as the same pattern."""

import asyncio
import subprocess
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.replacing import replace_in

from nextchar.engine.automaton import Automaton
from nextchar.errors import InvalidRequest
from nextchar.service.inference import regex_compiler
from nextchar.service.inference.regex_compiler import RegexCompiler, build

_SYMBOLS = (b"a", b"b", b"")


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The patterns that are built, each in a process of its own."""
    patterns: list[str] = []

    def noted(pattern: str, symbols: tuple[bytes, ...], *, quick: bool) -> Automaton:
        patterns.append(pattern)
        return build(pattern, symbols, quick=quick)

    monkeypatch.setattr(regex_compiler, "build", noted)
    return patterns


def _refused(work: Callable[[RegexCompiler], object]) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        work(RegexCompiler())
    return caught.value


def _compile(compiler: RegexCompiler, pattern: str, max_chars: int = 9) -> Automaton:
    return asyncio.run(compiler.automaton(pattern, _SYMBOLS, max_chars))


def test_the_automata_used_last_are_kept(built: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(regex_compiler, "MAX_CACHED", 2)

    async def work() -> None:
        compiler = RegexCompiler()
        for pattern in ("a", "b", "^a$", "ab", "a", "b"):
            await compiler.automaton(pattern, _SYMBOLS, 9)

    asyncio.run(work())
    assert built == ["a", "b", "ab", "b"]


def test_requests_that_want_one_pattern_at_once_wait_for_one_process(built: list[str]) -> None:
    async def work() -> list[Automaton]:
        compiler = RegexCompiler()
        return await asyncio.gather(*(compiler.automaton("a+", _SYMBOLS, 9) for _ in range(3)))

    first, *others = asyncio.run(work())
    assert all(other is first for other in others)
    assert built == ["a+"]


@pytest.mark.parametrize(
    ("pattern", "max_chars", "code", "says"),
    [
        ("(", 9, "invalid_value", "regex is not a valid pattern: the syntax is that of Rust's regex crate"),
        (
            "a{4}",
            3,
            "invalid_value",
            "the shortest text that regex matches has 4 characters, max_tokens is 3",
        ),
        ("a", 0, "invalid_value", "the shortest text that regex matches has 1 characters, max_tokens is 0"),
        ("x", 9, "invalid_value", "regex matches no text of the characters that may be drawn"),
        ("(aaa)?", 2, "invalid_value", "regex matches only the empty text within max_tokens, 2"),
    ],
)
def test_a_pattern_that_cannot_be_used_is_refused_by_its_field(
    pattern: str, max_chars: int, code: str, says: str
) -> None:
    error = _refused(lambda compiler: _compile(compiler, pattern, max_chars))
    assert (error.code, error.param) == (code, "regex")
    assert error.message.startswith(says)


@pytest.mark.parametrize(("pattern", "max_chars"), [("a{4}", 4), ("(aaa)?", 3), ("a*", 0), ("a?", 1)])
def test_a_pattern_that_just_fits_is_taken(pattern: str, max_chars: int) -> None:
    assert len(_compile(RegexCompiler(), pattern, max_chars).next_states)


def test_a_process_that_takes_too_long_by_the_clock_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(regex_compiler, "_MAX_SECONDS", 1e-4)
    error = _refused(lambda _: build("a", _SYMBOLS))
    assert (error.code, error.param) == ("input_too_large", "regex")


@pytest.mark.parametrize("status", [-9, -24, 4])
def test_a_process_that_is_killed_was_asked_for_too_much(
    monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    run = subprocess.run

    def ends(_command: list[str], **options: object) -> object:
        return run(["sh", "-c", f"kill {status} $$" if status < 0 else f"exit {status}"], **options)  # type: ignore[call-overload]

    replace_in(monkeypatch, regex_compiler, "subprocess", run=ends)
    error = _refused(lambda _: build("a", _SYMBOLS))
    assert (error.code, error.param) == ("input_too_large", "regex")
    assert error.message == "regex is too large: the limits are 2048 states and 2 seconds to compile it"


@given(st.text("a\\b", max_size=6))
def test_anchors_around_a_pattern_are_left_out_and_an_escaped_one_stays(inner: str) -> None:
    escaped = (len(inner) - len(inner.rstrip("\\"))) % 2 == 1
    assert regex_compiler._without_anchors(f"^{inner}$") == (f"{inner}$" if escaped else inner)
    assert regex_compiler._without_anchors(f"^{inner}") == inner
    assert regex_compiler._without_anchors(inner) == inner
    assert regex_compiler._without_anchors(f"^^{inner}") == f"^{inner}"
