"""The page as a whole: looks, access, hostile text, keys."""

import os
import subprocess
from pathlib import Path

import pytest
from chromium import SCREENSHOTS, Browser
from support.live_server import LiveServer, live_server

from nextchar.security.api_keys import make_key
from nextchar.security.principal import Scope


@pytest.mark.parametrize("look", ["light", "dark", "phone"])
def test_every_panel_looks_right_and_has_no_serious_violation(
    browser: Browser, shipped: LiveServer, look: str
) -> None:
    SCREENSHOTS.mkdir(exist_ok=True)
    found = browser.run("tour.panels", url=shipped.url, look=look, folder=str(SCREENSHOTS))
    assert list(found["serious"]) == ["write", "compare", "judge", "generate", "inside", "sessions", "server"]
    assert not any(found["serious"].values()), found["serious"]
    assert set(found["too_wide"].values()) == {0}, found["too_wide"]


@pytest.mark.parametrize("look", ["light", "dark", "phone"])
def test_a_panel_that_learns_looks_right_and_has_no_serious_violation(
    browser: Browser, shipped: LiveServer, look: str
) -> None:
    SCREENSHOTS.mkdir(exist_ok=True)
    found = browser.run("tour.learning", url=shipped.url, look=look, folder=str(SCREENSHOTS))
    assert list(found["serious"]) == ["write", "compare", "generate"]
    assert not any(found["serious"].values()), found["serious"]
    assert set(found["too_wide"].values()) == {0}, found["too_wide"]


def test_markup_is_text_wherever_it_comes_from(browser: Browser, shipped: LiveServer) -> None:
    found = browser.run("hostile.markup", url=shipped.url)
    markup = found["markup"]
    assert found["elements"] == 0
    assert found["ink"] == found["model"] == found["error"] == markup
    assert found["sample"] == markup + markup
    assert found["string"].replace("\u00a0", " ") == found["painted"] == found["session"] == markup


def test_a_key_is_asked_for_and_kept_for_the_tab(
    browser: Browser, shipped_models: Path, tmp_path: Path
) -> None:
    key, record = make_key("team", list(Scope))
    file = tmp_path / "keys.jsonl"
    file.write_text(record.line + "\n")
    with live_server(shipped_models, api_keys_file=file) as server:
        found = browser.run("hostile.key", url=server.url, good=key)
        command = found["command"].replace('"max_tokens":240', '"max_tokens":5')
        environment = {**os.environ, "NEXTCHAR_KEY": key}
        done = subprocess.run(
            ["bash", "-c", command], env=environment, capture_output=True, text=True, check=True
        )
    assert len(found["said"]) == 2
    assert "requires an API key" in found["said"][0]
    assert found["drawn"]["data"][0]["char"] == "e"
    of_tab, of_browser, cookies = found["kept"]
    assert (key in of_tab, of_browser, cookies) == (True, [], "")
    assert key not in command
    assert "[DONE]" in done.stdout


def test_the_page_needs_no_pointer_and_everything_has_a_name(browser: Browser, shipped: LiveServer) -> None:
    found = browser.run("hostile.keyboard", url=shipped.url)
    panels = ["compare", "judge", "generate", "inside", "sessions", "server", "write"]
    assert found["visited"] == [f"tab-{name}" for name in panels]
    assert found["last"] == "#server"
    assert found["stops"][0] == "model"
    assert found["nameless"] == []
