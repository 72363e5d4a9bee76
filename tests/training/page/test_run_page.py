import base64
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from html.parser import HTMLParser

import numpy as np
import pytest

from nextchar_training.batches.lines import EncodedLines
from nextchar_training.measure.protocols import line_loss, stream_loss
from nextchar_training.page import html as html_page
from nextchar_training.page.charts import Series, heat_map, line_chart
from nextchar_training.page.progress import Reporter
from nextchar_training.page.surprise import NUM_CHARS, heldout_surprise
from nextchar_training.run.run import HISTORY, Run
from nextchar_training.text.vocabulary import encode

MakeRun = Callable[..., Run]


class _Page(HTMLParser):
    """Counts tags, and refuses what is loaded from elsewhere or is not closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: dict[str, int] = {}
        self._open: list[str] = []
        self.feed(page)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] = self.tags.get(tag, 0) + 1
        for name, value in attrs:
            if name in ("src", "href"):
                assert value is not None
                assert value.startswith("data:image/svg+xml;base64,")
                ET.fromstring(base64.b64decode(value.partition(",")[2]))
        if tag not in ("meta", "img"):
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag


def _trained(run: Run) -> Run:
    with Reporter(run.directory / HISTORY) as reporter:
        run.train(reporter, lambda: False)
    run.finish()
    return run


@pytest.mark.parametrize("unit", ["text", "line"])
def test_the_report_is_one_file_with_all_of_a_run(make_run: MakeRun, unit: str) -> None:
    path = _trained(make_run(unit=unit)).write_report()
    text = path.read_text()
    page = _Page(text)
    assert page.tags["img"] == 3  # losses, learning rate, gradient norms
    assert "script" not in page.tags
    for expected in (
        "kneser-ney-7",
        "bzip2-9",
        "LOSES",
        "step 12, temperature 0.5",
        "split_sha256",
        "--hidden-size",
    ):
        assert expected in text


def test_a_run_that_is_not_finished_has_a_report_that_says_so(make_run: MakeRun) -> None:
    text = make_run().write_report().read_text()
    assert "The run is not finished" in text
    assert _Page(text).tags["h1"] == 1


@pytest.mark.parametrize("unit", ["text", "line"])
def test_surprise_sums_to_the_held_out_loss(make_run: MakeRun, unit: str) -> None:
    run = make_run(unit=unit)
    model, heldout = run.best_model().eval(), run.split.heldout[:NUM_CHARS]
    found = heldout_surprise(model, run.vocabulary, run.split)
    if unit == "line":
        expected = line_loss(model, EncodedLines(heldout, run.vocabulary))
    else:
        before = encode(run.vocabulary, run.split.before_heldout(1000))
        expected = stream_loss(model, encode(run.vocabulary, heldout), before=before)
    assert np.mean(found.bits) * np.log(2) == pytest.approx(expected, abs=1e-5)
    assert "".join(found.characters).rstrip("\n") == str(heldout).rstrip("\n")
    assert re.fullmatch(r"'.+': \d+\.\d\d bits; most probable: '.+' with p = 0\.\d\d", found.notes[0])


def test_what_is_shown_is_escaped() -> None:
    nasty = "<script>&\"'"
    shown = html_page.page(
        nasty, [html_page.table([nasty], [[nasty]]), html_page.surprise([nasty], [9], [nasty])]
    )
    assert _Page(shown).tags.keys().isdisjoint({"script"})


def test_charts_are_the_same_for_the_same_numbers() -> None:
    first, second = (line_chart([Series("a", [1, 2], [3, 4])], x_label="x", y_label="y") for _ in range(2))
    assert first == second
    values = np.array([[0.0, 1.0]])
    assert heat_map(values, columns="ab", rows=["u"], low=0, high=1).startswith("data:image/svg+xml")
