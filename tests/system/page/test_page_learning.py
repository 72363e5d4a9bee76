"""The switches that make a text learned: what the page shows then is what the API says with `adaptive`."""

import csv
import io
import math
from pathlib import Path
from typing import Any

import pytest
from chromium import Browser
from copied_commands import drawn_by_curl, drawn_by_grpcurl, drawn_by_python
from support.live_server import LiveServer

START = "To be, or not to b"
TEXT = "The xylophone player's xylophone was a fine xylophone.\nWho owns a xylophone? The xylophone player"
PROMPT = {"model": "shakespeare", "prompt": 'The "lute" player\'s lute.\nThe lute ', "max_tokens": 40}


def asked(server: LiveServer, path: str, **fields: Any) -> Any:
    answer = server.post(path, {"model": "shakespeare", **fields})
    assert answer.status_code == 200, answer.text
    return answer.json()


def learned(server: LiveServer, text: str) -> dict[str, Any]:
    """The score of a text that is learned, with its characters."""
    body = {"input": [text], "adaptive": True, "return_chars": True}
    found: dict[str, Any] = asked(server, "/v1/score", **body)["data"][0]
    return found


def gain(score: dict[str, Any]) -> str:
    """What is said to be gained of a text."""
    own, mixed = (-score[name] / math.log(2) / score["num_chars"] for name in ("model_logprob", "logprob"))
    percentage = round(100 * (1 - mixed / own))
    change = f", {abs(percentage)}% {'fewer' if percentage > 0 else 'more'}" if percentage else ""
    return f"{own:.2f} bits per character become {mixed:.2f}{change}"


def tint(logprob: float) -> str:
    return f"s{max(0, min(9, int(-logprob / math.log(2) + 0.5) - 1))}"


def percent(probability: float) -> str:
    return f"{100 * probability:.0f}%" if probability >= 0.0995 else f"{100 * probability:.1f}%"


def same(drawn: dict[str, Any], server: LiveServer, text: str, **fields: Any) -> None:
    """What is drawn is what `/v1/next` says after a text: the likeliest twelve, and the network's own."""
    data = asked(server, "/v1/next", input=text, **fields)["data"][:12]
    assert [item["char"] for item in drawn["data"]] == [item["char"] for item in data]
    for name in ("probability", "logprob", "model_logprob"):
        found, wanted = ([item.get(name) for item in items] for items in (drawn["data"], data))
        assert found == (pytest.approx(wanted, abs=1e-5) if wanted[0] is not None else wanted)


@pytest.fixture(scope="module")
def gains(shipped: LiveServer) -> dict[str, str]:
    """A text, the same with a key more, and that without its twelfth character: what is gained of each."""
    typed = TEXT + "'"
    return {text: gain(learned(shipped, text)) for text in (TEXT, typed, typed[:11] + typed[12:])}


@pytest.fixture(scope="module")
def written(browser: Browser, shipped: LiveServer, gains: dict[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = browser.run("learning.write", url=shipped.url, text=TEXT, gains=gains)
    return found


def test_the_bars_show_what_was_learned_beside_the_network_alone(
    written: dict[str, Any], shipped: LiveServer, gains: dict[str, str]
) -> None:
    _, typed, edited = gains
    same(written["on"]["drawn"], shipped, TEXT, adaptive=True)
    same(written["typed"], shipped, typed, adaptive=True)
    same(written["edited"], shipped, edited, adaptive=True)
    data = asked(shipped, "/v1/next", input=TEXT, adaptive=True)["data"]
    pairs = [(math.exp(item["logprob"]), math.exp(item["model_logprob"])) for item in data]
    most = max(max(pair) for pair in pairs[:12])
    pairs[12:] = [(sum(mixed for mixed, _ in pairs[12:]), sum(own for _, own in pairs[12:]))]
    for (filled, outlined, name), pair in zip(written["on"]["bars"], pairs, strict=True):
        assert [filled, outlined] == pytest.approx([min(1, share / most) for share in pair], abs=2e-4)
        assert name.endswith(" by the network alone")
    first = written["on"]["bars"][0][2]
    assert first.endswith(f", {percent(pairs[0][0])}, {percent(pairs[0][1])} by the network alone")
    assert written["on"]["legend"]
    assert written["places"][0] == written["places"][1]  # nothing moves under who types


def test_each_character_is_tinted_by_what_was_learned(written: dict[str, Any], shipped: LiveServer) -> None:
    chars = learned(shipped, TEXT)["chars"]
    assert written["tints"] == [tint(char["logprob"]) for char in chars]
    mixed, own = (-chars[-1][name] / math.log(2) for name in ("logprob", "model_logprob"))
    assert f"{mixed:.2f} bits ({own:.2f} by the network alone), expected" in written["looked"]


def test_the_session_learns_while_the_switch_is_on_and_nothing_of_it_is_remembered(
    written: dict[str, Any], shipped: LiveServer, gains: dict[str, str]
) -> None:
    edited = list(gains)[-1]
    plain, learning = (entry for _, entry in written["sessions"])
    assert (plain["learns"], learning["learns"]) == (False, True)
    assert "adaptive" in shipped.get(f"/v1/sessions/{learning['id']}").json()
    assert "adaptive" not in shipped.get(f"/v1/sessions/{plain['id']}").json()
    assert written["described"].startswith("What the text repeats becomes likelier")
    same(written["off"]["drawn"], shipped, edited)
    assert not written["off"]["legend"]
    assert {outlined for _, outlined, _ in written["off"]["bars"]} == {None}
    assert not any("network" in name for _, _, name in written["off"]["bars"])
    assert not written["on_after_reload"]
    assert sorted(written["stored"]) == ["nextchar-sessions", "nextchar-text"]


def test_a_model_of_lines_learns_each_line_for_itself(browser: Browser, shipped: LiveServer) -> None:
    found = browser.run("learning.lines", url=shipped.url, model="domains")
    same(found["drawn"], shipped, "next", model="domains", adaptive=True)
    assert found["says"].startswith("What a line repeats")


def test_a_session_that_learns_goes_on_learning_wherever_it_is_continued(
    browser: Browser, shipped: LiveServer, tmp_path: Path
) -> None:
    found = browser.run("learning.sessions", url=shipped.url, folder=str(tmp_path))
    learning = [head.startswith("shakespeare, learning, 18 characters") for head in found["heads"]]
    assert learning == [False, True, True, True]
    for name, fields in (("plain", {}), ("forked", {"adaptive": True}), ("imported", {"adaptive": True})):
        same(found[name], shipped, START + "e", **fields)
        assert found[f"{name} is on"] == bool(fields)


def test_strings_are_compared_after_a_text_that_is_learned(browser: Browser, shipped: LiveServer) -> None:
    strings = ["xylophone", "saxophone", "player's xylophone"]
    found = browser.run(
        "learning.compare", url=shipped.url, strings=strings, before=TEXT, other="tinyshakespeare"
    )
    plain = asked(shipped, "/v1/score", input=strings, context=TEXT)["data"]
    for text, *cells in found["off"]:
        score = plain[strings.index(text.replace("\u00a0", " "))]
        wanted = [score["logprob"], score["bits_per_char"]]
        assert [float(cell) for cell in cells] == pytest.approx(wanted, abs=0.006)
    body = {"input": strings, "context": TEXT, "adaptive": True, "reference_model": "tinyshakespeare"}
    wanted_of = {
        strings[item["index"]]: [
            item[name]
            for name in ("logprob", "model_logprob", "bits_per_char", "reference_logprob", "log_ratio")
        ]
        for item in asked(shipped, "/v1/compare", **body)["data"]
    }
    assert found["head"][1:4] == ["log p, shakespeare", "network alone", "bits / char"]
    for text, *cells in found["both"]:
        wanted = wanted_of[text.replace("\u00a0", " ")]
        assert [float(cell) for cell in cells] == pytest.approx(wanted, abs=0.006)
    _, *rows = csv.reader(io.StringIO(found["csv"]))
    for text, *cells in rows:
        assert [float(cell) for cell in cells] == pytest.approx(wanted_of[text], abs=1e-9)
    for text, tints in found["tints"]:
        fields = {"input": [text], "context": TEXT, "adaptive": True, "return_chars": True}
        chars = asked(shipped, "/v1/score", **fields)["data"][0]["chars"]
        assert tints == [tint(char["logprob"]) for char in chars]


def test_samples_after_a_prompt_that_is_learned_are_those_of_the_api(
    browser: Browser, shipped: LiveServer
) -> None:
    fields = {"Temperature": "0.7", "Characters": "40", "Seed": "5"}
    found = browser.run("learning.generate", url=shipped.url, prompt=PROMPT["prompt"], fields=fields)
    for k, text in enumerate(found["texts"]):
        body = {**PROMPT, "temperature": 0.7, "seed": 5 + k, "adaptive": True}
        assert text == asked(shipped, "/v1/completions", **body)["choices"][0]["text"]
    commands = found["commands"]
    assert drawn_by_curl(commands["curl"]) == found["texts"][0]
    assert drawn_by_python(commands["Python"]) == found["texts"][0]
    assert drawn_by_grpcurl(commands["grpcurl"]) == found["texts"][0]
    data = asked(shipped, "/v1/next", input=PROMPT["prompt"], adaptive=True)["data"]
    for item, title in zip(data[:5], found["chart"][:5], strict=True):
        assert f"{percent(item['probability'])} before" in title
