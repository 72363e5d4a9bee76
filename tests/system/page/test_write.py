"""Write: each distribution that is drawn is the one of the text before the caret, however typed."""

import itertools
import sys
from pathlib import Path
from typing import Any

import pytest
from chromium import Browser
from support.live_server import LiveServer
from support.ports import free_port

BLOCKS = (1, 1, 2, 5, 1, 20, 3, 1, 50, 2)  # keys, of which all but the first come before an answer


def asked(server: LiveServer, text: str, model: str = "shakespeare") -> dict[str, Any]:
    found: dict[str, Any] = server.post("/v1/next", {"model": model, "input": text}).json()
    return found


def same(drawn: dict[str, Any], answer: dict[str, Any]) -> None:
    """What is drawn is an answer of `/v1/next`: the top 12, the rest, the entropy."""
    top, rest = answer["data"][:12], answer["data"][12:]
    assert [item["probability"] for item in drawn["data"]] == pytest.approx(
        [item["probability"] for item in top], abs=1e-5
    )
    assert drawn["rest"] == pytest.approx(sum(item["probability"] for item in rest), abs=1e-5)
    assert drawn["entropy"] == pytest.approx(answer["entropy_bits"], abs=1e-4)
    by_char = {item["char"]: item["probability"] for item in answer["data"]}
    for item in drawn["data"]:
        assert item["probability"] == pytest.approx(by_char[item["char"]], abs=1e-5)


@pytest.fixture(scope="module")
def play(shipped: LiveServer) -> str:
    body = {"model": "shakespeare", "prompt": "ROMEO:\n", "max_tokens": 5400, "seed": 1}
    text: str = shipped.post("/v1/completions", body).json()["choices"][0]["text"]
    return text


def test_a_stranger_sees_what_comes_next(browser: Browser, shipped: LiveServer) -> None:
    found = browser.run("write.first_look", url=shipped.url)
    same(found["start"], asked(shipped, "To be, or not to b"))
    assert found["shown"][:2] == ["e", "80%"]
    assert found["labels"][0] == "e, 80%"
    assert "space, <0.1%" in found["labels"]
    assert len(found["tints"]) == 18
    assert found["tints"][5] == "s7"  # the comma after "To be"
    same(found["accepted"], asked(shipped, "To be, or not to b" + found["ghost"]))
    assert found["focus_after_escape"] == "bar"
    likeliest = asked(shipped, "To be, or not to b" + found["ghost"])["data"][0]["char"]
    assert found["after_click"] == "To be, or not to b" + found["ghost"] + likeliest


def test_each_character_tells_its_number_and_what_was_expected(browser: Browser, shipped: LiveServer) -> None:
    found = browser.run("write.hover", url=shipped.url)
    assert found["caret"].startswith("b 2.89 bits, expected b 14%, s ")
    before = asked(shipped, "To be")["data"]
    assert found["pointer"].startswith(", ")
    assert (
        f"expected {before[0]['char'].replace(' ', '␣')} {100 * before[0]['probability']:.0f}%"
        in found["pointer"]
    )


def test_each_key_has_its_own_distribution_and_none_comes_late(
    browser: Browser, shipped: LiveServer, play: str
) -> None:
    text, typed = play[:5000], play[5000 : 5000 + sum(BLOCKS)]
    ends = list(itertools.accumulate(BLOCKS))
    blocks = [typed[end - size : end] for end, size in zip(ends, BLOCKS, strict=True)]
    found = browser.run("write.typing", url=shipped.url, text=text, blocks=blocks)
    assert found["text"] == text + typed
    # A call goes with the first key of a block, one more with all that came before its answer.
    drawn_at = sorted({*ends, *(end - size + 1 for end, size in zip(ends, BLOCKS, strict=True))})
    assert found["calls"] == len(drawn_at) + 1  # and one for the key that was taken back
    *drawn, taken_back, last = found["drawn"]
    assert [len(one["text"]) - len(text) for one in drawn] == drawn_at
    assert all((text + typed).startswith(one["text"]) for one in drawn)
    same(drawn[-1], asked(shipped, text + typed))
    same(taken_back, asked(shipped, text + typed + "x"))
    same(last, asked(shipped, text + typed))
    whole = shipped.post(
        "/v1/completions",
        {"model": "shakespeare", "prompt": text + typed, "echo": True, "max_tokens": 0, "logprobs": 12},
    ).json()["choices"][0]["logprobs"]["top_logprobs"]
    for one in drawn[:-1]:
        wanted = sorted(whole[len(one["text"])].values(), reverse=True)
        assert [item["logprob"] for item in one["data"]] == pytest.approx(wanted, abs=1e-5)
    assert all(places == found["places"][0] for places in found["places"])
    assert {name for name, *_ in found["places"][0]} >= {"bars", "reading", "write-hint"}


def test_an_edit_anywhere_is_followed(browser: Browser, shipped: LiveServer, play: str) -> None:
    text = play[:2000]
    places = [2000, 1700, 700, 1]  # at hand, beyond the rewind, before an anchor, at the start
    found = browser.run("write.edits", url=shipped.url, text=text, places=places)
    last = found.pop()
    for drawn in found:
        same(drawn, asked(shipped, drawn["text"]))
    chars = shipped.post(
        "/v1/score", {"model": "shakespeare", "input": [last["text"]], "return_chars": True}
    ).json()["data"][0]["chars"]
    wanted = [f"s{max(0, min(9, int(-c['logprob'] / 0.6931471805599453 + 0.5) - 1))}" for c in chars]
    assert last["tints"] == wanted


def test_a_model_of_lines_reads_each_line_for_itself(browser: Browser, shipped: LiveServer) -> None:
    found = browser.run("write.lines", url=shipped.url, model="domains")
    same(found["drawn"], asked(shipped, "next", "domains"))
    assert "12 characters" in found["sum"]


def test_a_server_that_comes_back_goes_on_where_it_was(
    browser: Browser, shipped: LiveServer, shipped_models: Path, tmp_path: Path
) -> None:
    port = free_port()
    ports = ["--http-port", str(port), "--grpc-port", "0", "--metrics-port", "0"]
    command = [sys.executable, "-c", "from nextchar.entrypoints.main import main; main()", "serve", *ports]
    command += ["--models", str(shipped_models), "--data-dir", str(tmp_path)]
    arguments = {"url": f"http://127.0.0.1:{port}", "command": command, "more": ", that is"}
    found = browser.run("restart.under_an_open_page", **arguments)
    assert "does not answer" in found["said"]
    assert "is back" in found["back"]
    same(found["drawn"], asked(shipped, "To be, or not to be, that is"))
    assert found["after"] == found["before"]  # the same session: nothing was read again
