"""Scenarios in which the answer to a call is lost: the server has done it, and the page does not know."""

import re
from typing import Any

from playwright.sync_api import Page, Route
from stage import Stage, bars_of, until

_START = "To be, or not to b"
# What the line about the connection says, one after the other: it is shown for a while only.
_WRITE_DOWN = """() => {
  const line = document.getElementById("connection");
  window.said = [];
  new MutationObserver(() => said.push(line.textContent)).observe(line, { childList: true });
}"""


def _lose_next(page: Page, call: str) -> list[str]:
    """Loses the answer to the next call of a kind; returns a list that will hold the bodies of them all."""
    sent: list[str] = []

    def pass_on(route: Route) -> None:
        sent.append(route.request.post_data or "")
        if len(sent) > 1:
            route.continue_()
            return
        route.fetch()
        route.abort("connectionreset")

    page.route(re.compile(rf"/v1/sessions/[^/]+/{call}$"), pass_on)
    return sent


def _session(page: Page, text: str) -> dict[str, Any]:
    """What the tab knows of its only session, once it has written down that this has read a text."""
    kept = "JSON.parse(sessionStorage.getItem('nextchar-sessions') ?? '[]')"
    until(page, f"{kept}.length === 1 && {kept}[0][1].text === arg", text)
    found: dict[str, Any] = page.evaluate(f"{kept}[0][1]")
    return found


def while_typing(stage: Stage, url: str) -> dict[str, Any]:
    """What the page says and draws when the answer to a keystroke is lost."""
    page = stage.open(url)
    bars_of(page, _START)
    page.wait_for_selector(".ghost")
    _lose_next(page, "feed")
    page.evaluate(_WRITE_DOWN)
    page.keyboard.type("e")
    until(page, "said.at(-1)?.includes('read again')")
    said: str = page.evaluate("said.at(-1)")
    drawn = bars_of(page, _START + "e")
    page.unroute_all()
    _only_lost(stage)
    return {"said": said, "drawn": drawn, "session": _session(page, _START + "e")}


def of_an_action(stage: Stage, url: str) -> dict[str, Any]:
    """What the page says and shows when the answer to a rewind is lost, and what follows."""
    page = stage.open(url)
    bars_of(page, _START)
    page.wait_for_selector(".ghost")
    page.locator("#tab-sessions").click()
    sent = _lose_next(page, "rewind")
    page.get_by_role("button", name="Rewind 10").click()
    until(page, "document.querySelector('.tree .told').textContent === arg", _START[:-10])
    said = page.locator("#sessions .note[role=status]").inner_text()
    page.get_by_role("button", name="Checkpoint").click()
    page.get_by_role("button", name="Back to mark-1").wait_for()
    page.unroute_all()
    _only_lost(stage)
    return {"said": said, "sent": sent, "session": _session(page, _START[:-10])}


def moved_elsewhere(stage: Stage, url: str) -> dict[str, Any]:
    """What the page shows of a session that somebody else has moved."""
    page = stage.open(url)
    bars_of(page, _START)
    page.wait_for_selector(".ghost")
    entry = _session(page, _START)
    page.request.post(f"{url}/v1/sessions/{entry['id']}/feed", data={"text": "x"})
    page.locator("#tab-sessions").click()
    page.get_by_role("button", name="Rewind 10").click()
    page.wait_for_selector("#sessions .error:not([hidden])")
    shown = page.locator(".tree .node").inner_text()
    buttons = page.locator(".tree .node button").all_inner_texts()
    page.get_by_role("button", name="End").click()
    page.get_by_text("No sessions yet").wait_for()
    stage.trouble[:] = [what for what in stage.trouble if "409" not in what]
    return {"shown": shown, "buttons": buttons}


def _only_lost(stage: Stage) -> None:
    """Forgets the answers that were lost on purpose, and the refusal of what was done already."""
    expected = ("ERR_CONNECTION_RESET", "409")
    stage.trouble[:] = [what for what in stage.trouble if not any(part in what for part in expected)]
