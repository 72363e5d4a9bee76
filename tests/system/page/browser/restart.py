"""The server is killed and started again under an open page."""

import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Page
from stage import Stage, bars_of, until

_START = "To be, or not to b"


@contextmanager
def _server(command: list[str], url: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            assert any("REST" in line for line in iter(process.stdout.readline, ""))
            urllib.request.urlopen(url + "/readyz").close()
            yield process
        finally:
            process.kill()


def _sessions(page: Page) -> list[str]:
    """The ids of the tab's sessions, as it keeps them."""
    until(page, "sessionStorage.getItem('nextchar-sessions')?.includes('sess')")
    ids: list[str] = page.evaluate(
        "JSON.parse(sessionStorage.getItem('nextchar-sessions')).map(([id]) => id)"
    )
    return ids


def under_an_open_page(stage: Stage, url: str, command: list[str], more: str) -> dict[str, Any]:
    """What the page says, and where it goes on, when keys are pressed while there is no server."""
    with _server(command, url) as process:
        page = stage.open(url)
        bars_of(page, _START)
        page.wait_for_selector(".ghost")
        before = _sessions(page)
        process.kill()
        process.wait()
        page.keyboard.type("e")
        page.wait_for_selector("#connection[data-state=lost]")
        said = page.locator("#connection").inner_text()
        page.keyboard.type(more)
    with _server(command, url):
        page.wait_for_selector("#connection[data-state=back]")
        back = page.locator("#connection").inner_text()
        drawn = bars_of(page, f"{_START}e{more}")
        after = _sessions(page)
        # A server that is gone refuses connections: that, and only that, is what may fail here.
        stage.trouble[:] = [what for what in stage.trouble if "ERR_CONNECTION" not in what]
        page.goto("about:blank")
    return {"said": said, "back": back, "drawn": drawn, "before": before, "after": after}
