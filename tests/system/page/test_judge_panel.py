"""Judge: the verdicts and reasons that are shown are those of the server."""

import math
from collections.abc import Iterator
from pathlib import Path

import pytest
from chromium import SCREENSHOTS, Browser
from service.judging.served_judges import write_fitted
from support.live_server import LiveServer, live_server

from nextchar.model.graph import open_graph
from nextchar.model.judging.card import FILE_NAME

EVIDENCE = {
    "mean_surprise": "surprise per character",
    "total_surprise": "surprise of the whole",
    "part_surprise": "surprise of the longest part",
    "window_surprise": "most surprising stretch",
    "unknown_characters": "unknown characters",
    "references": "likeness to known bad strings",
}
STRINGS = ["xyxyxyxyxy", "abcdef", "<b>xyz</b>"]


@pytest.fixture(scope="module")
def judging(
    browser: Browser, shipped_models: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveServer]:
    """A server of the shipped models with one judge, and another that cannot be read."""
    assert browser
    graph = open_graph(shipped_models / "domains" / "1" / "step-int8.onnx")
    judges = tmp_path_factory.mktemp("judges")
    write_fitted(judges / "words" / "1", graph, graph.digest, name="words", model_name="domains")
    broken = judges / "broken" / "1" / FILE_NAME
    broken.parent.mkdir(parents=True)
    broken.write_text("{}")
    with live_server(shipped_models, judges=judges) as running:
        yield running


def test_verdicts_are_shown_with_their_reasons(browser: Browser, judging: LiveServer) -> None:
    found = browser.run("judge.verdicts", url=judging.url, strings=STRINGS, rate="0.2")
    body = {"judge": "words", "input": STRINGS, "false_alarm_rate": 0.2, "return_reasons": True}
    wanted = judging.post("/v1/judge", body).json()["data"]
    assert (
        "Model domains:1, calibrated on 600 normal strings; knows 1 kind of bad strings: xy" in found["about"]
    )
    assert found["unread"].startswith("broken:1 cannot be read: ")
    assert "flagged at a false-alarm rate of 0.05 " in found["own"]
    num_flagged = sum(one["is_flagged"] for one in wanted)
    assert found["other"].startswith(f"{num_flagged} of 3 strings flagged at a false-alarm rate of 0.2 ")
    for entry, text, verdict in zip(found["entries"], STRINGS, wanted, strict=True):
        assert entry["text"] == text
        assert entry["verdict"] == ("flagged" if verdict["is_flagged"] else "normal")
        assert ("like xy" in entry["head"]) == ("kind" in verdict)
        first = verdict["reasons"]["characters"][0]
        shown = "the end" if first["char"] is None else f"{first['char']} at {first['offset']}"
        assert f"{shown}: {first['bits']:.1f} bits" in entry["why"]
        for name, nats in verdict["reasons"]["evidence"].items():
            one = int(math.exp(nats) + 0.5)
            assert f"{EVIDENCE[name]}: {f'one in {one:,}' if one > 1 else 'most'}" in entry["why"]


@pytest.mark.parametrize("look", ["light", "dark", "phone"])
def test_verdicts_look_right_and_have_no_serious_violation(
    browser: Browser, judging: LiveServer, look: str
) -> None:
    SCREENSHOTS.mkdir(exist_ok=True)
    found = browser.run("tour.judged", url=judging.url, look=look, folder=str(SCREENSHOTS))
    assert found == {"serious": [], "too_wide": 0}


def test_a_server_without_judges_says_how_to_make_one(browser: Browser, shipped: LiveServer) -> None:
    assert "nextchar judge fit" in browser.run("judge.none", url=shipped.url)
