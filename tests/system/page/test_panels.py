"""Compare, Generate, Inside, Sessions, Server: what they show is what the server says."""

import csv
import io
import math
import re
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from chromium import Browser
from copied_commands import drawn_by_curl, drawn_by_grpcurl, drawn_by_python
from support.engine_lanes import Gate
from support.live_server import LiveServer
from support.waiting import until

from nextchar.engine.sampler import Filters, truncated, weigh


def scores(server: LiveServer, model: str, strings: list[str], **fields: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = server.post(
        "/v1/score", {"model": model, "input": strings, **fields}
    ).json()["data"]
    return found


def tint(logprob: float) -> str:
    """The class of a character: its bits, less the first one, to nine."""
    return f"s{max(0, min(9, int(-logprob / math.log(2) + 0.5) - 1))}"


def test_strings_are_ranked_sorted_filtered_and_downloaded(browser: Browser, shipped: LiveServer) -> None:
    strings = ["example", "xqzvkj", "the king", 'a "quoted", one', "wikipedia"]
    found = browser.run("compare.table", url=shipped.url, strings=strings, other="domains", part="KING")
    assert [row[:2] for row in found["start"]] == [["hello", "-20.61"], ["htktt", "-44.11"]]
    first = scores(shipped, "shakespeare", ["hello", "htktt"], return_chars=True)
    assert found["tints"] == [tint(char["logprob"]) for score in first for char in score["chars"]]
    ours, theirs = (scores(shipped, model, strings) for model in ("shakespeare", "domains"))
    wanted = {
        text: [
            a["logprob"],
            a["bits_per_char"],
            a.get("percentile"),
            a.get("p_value"),
            b["logprob"],
            a["logprob"] - b["logprob"],
        ]
        for text, a, b in zip(strings, ours, theirs, strict=True)
    }
    assert len(found["both"]) == len(strings)
    for text, *cells in found["both"]:
        shown = [value if value is not None else 0 for value in wanted[text.replace("\u00a0", " ")]]
        assert [float(cell or 0) for cell in cells] == pytest.approx(shown, abs=0.06)
    ratios = [float(cell) for cell in found["ratio"]]
    assert ratios == sorted(ratios, reverse=True)
    assert [float(cell) for cell in found["rising"]] == sorted(ratios)
    assert found["sort"].startswith("log ratio")
    assert [row[0] for row in found["filtered"]] == ["the king"]
    head, *rows = csv.reader(io.StringIO(found["csv"]))
    assert head[0] == "string"
    for text, *cells in rows:
        assert float(cells[0]) == pytest.approx(wanted[text][0])
        assert float(cells[5]) == pytest.approx(wanted[text][5])


def random_strings(count: int) -> list[str]:
    random = np.random.default_rng(0)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz-0123456789"))
    return ["".join(random.choice(letters, random.integers(12, 20))) for _ in range(count)]


def scored_counts(progress: list[str]) -> list[int]:
    return [int(m[1].replace(",", "")) for text in progress if (m := re.search(r"([\d,]+) scored", text))]


def test_strings_come_in_as_they_are_scored_and_the_page_answers_meanwhile(
    browser: Browser, shipped: LiveServer
) -> None:
    progress = browser.run("compare.held", url=shipped.url, model="domains", strings=random_strings(900))
    counts = scored_counts(progress)
    assert {0, 20, 220, 420} <= set(counts)
    assert counts == sorted(counts)
    assert progress[-1] == "900 strings"


def test_of_ten_thousand_strings_only_the_rows_on_the_screen_are_made(
    browser: Browser, shipped: LiveServer
) -> None:
    found, fewer = (
        browser.run("compare.many", url=shipped.url, model="domains", strings=random_strings(count))
        for count in (10_000, 500)
    )
    assert found["rows_made"] == fewer["rows_made"] > 0
    counts = scored_counts(found["progress"])
    assert counts == sorted(counts)
    assert found["progress"][-1] == "10,000 strings"
    for text, shown, *_ in found["middle"][:3]:
        assert float(shown) == pytest.approx(scores(shipped, "domains", [text])[0]["logprob"], abs=0.006)


COMPLETION = {
    "prompt": 'It\'s "a" $HOME `test`\n\\n:',
    "fields": {
        "Temperature": "0.7",
        "Top_p": "0.95",
        "Min_p": "0.01",
        "Top_k": "20",
        "Characters": "60",
        "Seed": "11",
    },
}


@pytest.fixture(scope="module")
def generated(browser: Browser, shipped: LiveServer) -> dict[str, Any]:
    found: dict[str, Any] = browser.run("generate.samples", url=shipped.url, **COMPLETION)
    return found


def test_four_samples_are_those_of_their_seeds(generated: dict[str, Any], shipped: LiveServer) -> None:
    for k, text in enumerate(generated["texts"]):
        body = {
            "model": "shakespeare",
            "prompt": COMPLETION["prompt"],
            "max_tokens": 60,
            "seed": 11 + k,
            "temperature": 0.7,
            "top_p": 0.95,
            "min_p": 0.01,
            "top_k": 20,
        }
        assert text == shipped.post("/v1/completions", body).json()["choices"][0]["text"]
    assert min(generated["pieces"]) > 1  # streamed
    assert all("reached its length" in state for state in generated["states"])


def test_the_curl_that_is_copied_runs(generated: dict[str, Any]) -> None:
    assert drawn_by_curl(generated["commands"]["curl"]) == generated["texts"][0]


def test_the_python_that_is_copied_runs(generated: dict[str, Any]) -> None:
    assert drawn_by_python(generated["commands"]["Python"]) == generated["texts"][0]


def test_the_grpcurl_that_is_copied_runs(generated: dict[str, Any]) -> None:
    assert drawn_by_grpcurl(generated["commands"]["grpcurl"]) == generated["texts"][0]


def test_a_regex_holds_for_every_sample_and_every_command(browser: Browser, shipped: LiveServer) -> None:
    pattern = r"[A-Z][a-z' ]{10,30}[.!]\n"
    fields = {"Regex": pattern, "Characters": "60", "Seed": "3"}
    found = browser.run("generate.samples", url=shipped.url, prompt="ROMEO:\n", fields=fields)
    for k, text in enumerate(found["texts"]):
        body = {"model": "shakespeare", "prompt": "ROMEO:\n", "max_tokens": 60, "seed": 3 + k}
        body |= {"temperature": 0.8, "regex": pattern}
        assert text == shipped.post("/v1/completions", body).json()["choices"][0]["text"]
        assert re.fullmatch(pattern, text)
    assert drawn_by_curl(found["commands"]["curl"]) == found["texts"][0]
    assert drawn_by_python(found["commands"]["Python"]) == found["texts"][0]
    assert drawn_by_grpcurl(found["commands"]["grpcurl"]) == found["texts"][0]


def test_stop_ends_the_work_on_the_server(
    browser: Browser, shipped: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = {"route": "complete", "outcome": "cancelled"}
    before = shipped.metric("nextchar_requests_total", **labels)
    gate, model = Gate(monkeypatch), shipped.app.service.served_models.get("shakespeare")
    browser.start("generate.stop", url=shipped.url)
    # A call at a time until all four run: they have far to go then. A few more, so that each shows text.
    until(lambda: model.engine.num_running == 4 or gate.let_blocked())
    gate.let(40)
    states = browser.finish()
    gate.open()
    assert all(state.endswith("stopped") for state in states)
    until(lambda: shipped.metric("nextchar_requests_total", **labels) == before + 4)
    until(lambda: shipped.metric("nextchar_requests_in_progress", route="complete") == 0)


def test_what_is_refused_is_said_in_the_servers_words(browser: Browser, shipped: LiveServer) -> None:
    body = {"model": "shakespeare", "prompt": "", "max_tokens": 99999999}
    told = shipped.post("/v1/completions", body).json()["error"]["message"]
    assert browser.run("generate.refused", url=shipped.url) == told


def test_the_chart_filters_as_the_server_does(browser: Browser, shipped: LiveServer) -> None:
    data = shipped.post("/v1/next", {"model": "shakespeare", "input": "My love is "}).json()["data"]
    unknown = next(k for k, item in enumerate(data) if item.get("special") == "unknown")
    knobs = [
        {"temperature": t, "top_k": k, "top_p": p, "min_p": m}
        for t in (0.3, 1.0, 1.7)
        for k, p, m in ((0, 1, 0), (5, 1, 0), (0, 0.8, 0), (0, 1, 0.05), (30, 0.9, 0.02))
    ]
    found = browser.run(
        "generate.filters", url=shipped.url, cases=[{"data": data, "knobs": k} for k in knobs]
    )
    logprobs = np.array([[item["logprob"] for item in data]])
    for given, knob in zip(found, knobs, strict=True):
        weights = weigh(logprobs, np.array([knob["temperature"]]), unknown)
        numbers = (knob["top_k"], knob["top_p"], knob["min_p"], 1.0)
        filters = Filters(*(np.array([number]) for number in numbers))
        kept = truncated(weights, filters)[0]
        assert given == pytest.approx((kept / kept.sum()).tolist(), abs=1e-9)


def test_what_lights_up_is_what_inspect_says(browser: Browser, shipped: LiveServer) -> None:
    text = "Now is the winter"
    found = browser.run("inside.units", url=shipped.url, text=text)
    body = {"model": "shakespeare", "input": text, "layers": [1], "states": ["hidden"]}
    values = np.array(shipped.post("/v1/inspect", body).json()["data"][0]["values"])
    light = np.abs(values[3] - values.mean(axis=0))
    units = [int(re.findall(r"unit (\d+)", line)[0]) for line in found["lit"]]
    assert light[units].tolist() == pytest.approx(sorted(light, reverse=True)[:10], abs=1e-4)
    assert int(found["unit"]) == units[1]
    assert [float(title) for title, _ in found["painted"]] == pytest.approx(
        values[:, units[1]].tolist(), abs=6e-4
    )
    level = np.round(5 * np.abs(values[:, units[1]]) / np.abs(values).max())
    assert [
        int((re.findall(r"o[nf]f?(\d)", tint) or ["0"])[0]) for _, tint in found["painted"]
    ] == level.tolist()
    assert found["size"] == [13 * len(text), 22 + 5 * 512]
    assert found["colours"] > 20
    assert f"at character 5, i, unit {units[1]} is" in found["said"]
    assert found["moved"] == "after character 6, s"


def test_sessions_fork_go_back_and_travel(
    browser: Browser, shipped: LiveServer, elsewhere: LiveServer, tmp_path: Path
) -> None:
    found = browser.run("sessions.tree", url=shipped.url, elsewhere=elsewhere.url, folder=str(tmp_path))
    assert found["nested"] == 1
    for drawn, text in (
        ("forked", "To be, oh"),
        ("imported", "To be, or not to b"),
        ("went_on", "To be, or not to be"),
    ):
        answer = shipped.post("/v1/next", {"model": "shakespeare", "input": text, "top": 12}).json()
        assert [item["probability"] for item in found[drawn]["data"]] == pytest.approx(
            [item["probability"] for item in answer["data"]], abs=1e-5
        )
    assert found["steps"] == "back to 8"
    assert re.fullmatch(r"nextchar-shakespeare-[\w-]{8}\.json", found["file"])
    assert found["refused"] == "This file is not a session that this page exported."


def test_the_figures_are_those_of_metrics(browser: Browser, shipped: LiveServer) -> None:
    from prometheus_client.parser import text_string_to_metric_families

    found = browser.run("server.figures", url=shipped.url)
    samples = [s for family in text_string_to_metric_families(found["metrics"]) for s in family.samples]

    def total(name: str, **labels: str) -> float:
        return sum(s.value for s in samples if s.name == name and labels.items() <= s.labels.items())

    shown = found["shown"]
    assert shown["total characters"] == total("nextchar_chars_total") > 0
    assert shown["running requests"] == total("nextchar_requests_in_progress")
    assert shown["waiting strings"] == total("nextchar_queue_depth")
    assert shown["unexpired sessions"] == total("nextchar_sessions_active")
    for route, calls, *_ in found["latency"]:
        assert int(calls.replace(",", "")) == total("nextchar_request_duration_seconds_count", route=route)
    assert len(found["cards"]) == len(httpx.get(shipped.url + "/v1/models").json()["data"])
    assert all("bits per character" in card and "kneser" in card.lower() for card in found["cards"])
