"""A stream of events is split at LF, CRLF and CR, and at no character that a text may hold."""

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from support.live_server import LiveServer, live_server
from support.tiny_models import TinyModel, write_models

from nextchar.client import Client
from nextchar.client.event_lines import LineSplitter
from nextchar.entrypoints.main import main
from nextchar.model.vocabulary import Vocabulary

# All that `str.splitlines` splits at, but LF and CR.
ENDS_OF_OTHERS = "\v\f\x1c\x1d\x1e\x85\u2028\u2029"


def split(content: bytes, cuts: list[int]) -> list[str]:
    splitter, edges = LineSplitter(), [0, *sorted(min(cut, len(content)) for cut in cuts), len(content)]
    pieces = [content[start:end] for start, end in pairwise(edges)]
    return [line for piece in pieces for line in splitter.lines(piece)]


@given(st.text("ab\n\r\u2028\x85é", max_size=30), st.lists(st.integers(0, 60), max_size=6))
def test_lines_are_the_same_wherever_the_bytes_are_cut(text: str, cuts: list[int]) -> None:
    *whole, _ = re.split("\r\n|\r|\n", text)
    assert split(text.encode(), cuts) == whole


@pytest.mark.parametrize("character", ENDS_OF_OTHERS)
def test_no_other_character_ends_a_line(character: str) -> None:
    assert split(f"a{character}b\nc".encode(), []) == [f"a{character}b"]


def test_a_line_ends_as_soon_as_its_carriage_return_is_there() -> None:
    splitter = LineSplitter()
    assert [splitter.lines(piece) for piece in (b"a\r", b"", b"\n", b"\n", b"b\n")] == [
        ["a"],
        [],
        [],
        [""],
        ["b"],
    ]


@pytest.fixture(scope="module")
def breaking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """Serves a model that has learnt the line ends of others, and little else."""
    vocabulary = Vocabulary(("a", *ENDS_OF_OTHERS))
    folder: Path = tmp_path_factory.mktemp("breaking")
    with live_server(write_models(folder, {"breaking": TinyModel(seed=7, vocabulary=vocabulary)})) as running:
        yield running


@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_a_stream_holds_every_character_that_a_model_has_learnt(breaking: LiveServer, scheme: str) -> None:
    url = breaking.url if scheme == "http" else f"grpc://{breaking.grpc_address}"
    with Client(url) as client:
        whole = client.complete("a", model="breaking", max_tokens=200, seed=1).choices[0].text
        parts = list(client.stream("a", model="breaking", max_tokens=200, seed=1))
    assert set(ENDS_OF_OTHERS) <= set(whole)
    assert "".join(choice.text for part in parts for choice in part.choices) == whole
    arguments = ["complete", "breaking", "a", "--url", url, "--max-tokens", "200", "--seed", "1"]
    shown = CliRunner().invoke(main, arguments, prog_name="nextchar")
    assert (shown.exit_code, shown.stdout) == (0, f"{whole}\n"), shown.output
