"""A change whose answer is lost is done once by the page, and told in plain words."""

import json

import pytest
from chromium import Browser
from support.live_server import LiveServer

START = "To be, or not to b"


def test_a_keystroke_whose_answer_is_lost_is_read_once(browser: Browser, shipped: LiveServer) -> None:
    found = browser.run("lost.while_typing", url=shipped.url)
    assert "read again into a new session, so that nothing counts twice" in found["said"]
    answer = shipped.post("/v1/next", {"model": "shakespeare", "input": START + "e", "top": 12}).json()
    assert [item["probability"] for item in found["drawn"]["data"]] == pytest.approx(
        [item["probability"] for item in answer["data"]], abs=1e-5
    )
    entry = found["session"]
    info = shipped.get(f"/v1/sessions/{entry['id']}").json()
    assert (entry["text"], info["position"]) == (START + "e", len(START) + 1)


def test_an_action_whose_answer_is_lost_is_done_once_and_said(browser: Browser, shipped: LiveServer) -> None:
    found = browser.run("lost.of_an_action", url=shipped.url)
    assert "answer was lost" in found["said"]
    assert f"at character {len(START) - 10} now" in found["said"]
    first, second = (json.loads(body) for body in found["sent"])
    assert first == second == {"num_chars": 10, "if_revision": first["if_revision"]}
    entry = found["session"]
    info = shipped.get(f"/v1/sessions/{entry['id']}").json()
    assert (info["position"], info["checkpoints"]) == (len(START) - 10, ["mark-1"])


def test_a_session_that_others_move_is_not_shown_as_something_else(
    browser: Browser, shipped: LiveServer
) -> None:
    found = browser.run("lost.moved_elsewhere", url=shipped.url)
    assert "its text is not known here" in found["shown"]
    assert found["buttons"] == ["End"]
