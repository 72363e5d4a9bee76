"""Markup where text should be, a server that wants a key, and nobody with a pointer."""

import json
from typing import Any

from playwright.sync_api import Page, Route
from stage import Stage, bars_of, until

_MARKUP = '<img src=x onerror="alert(1)"><script>alert(2)</script>&lt;b&gt;'


def _elements(page: Page) -> int:
    """Elements that only markup that was let in could have made."""
    count: int = page.evaluate("document.querySelectorAll('img, main script, main b b, iframe').length")
    return count


def markup(stage: Stage, url: str) -> dict[str, Any]:
    """Everything that comes from a person, a model or the server says the markup, and it stays text."""
    page = stage.window()
    page.route("**/v1/models", lambda route: _renamed(route))
    page.route("**/v1/models/*", lambda route: _renamed_one(route, url))
    for path in ("sessions", "sessions/*/feed", "sessions/*/next", "next", "score", "inspect"):
        page.route(f"**/v1/{path}", lambda route: _with_name(route))
    page.route("**/v1/completions", lambda route: _written(route))
    page.goto(url)
    bars_of(page, "To be, or not to b")
    page.locator(".editor textarea").fill(_MARKUP)
    bars_of(page, _MARKUP)
    until(page, "document.querySelector('.ink').dataset.known === String(arg)", len(_MARKUP))
    found = {
        "ink": page.locator(".ink").evaluate(
            "e => [...e.querySelectorAll('span[class^=s]')].map(s => s.textContent).join('')"
        )
    }
    found["model"] = page.locator("#model option").first.inner_text()
    page.locator("#tab-generate").click()
    page.get_by_label("Prompt", exact=True).fill(_MARKUP)
    page.get_by_role("button", name="Generate").click()
    until(page, "document.querySelector('.outputs .drawn')?.textContent")
    found["sample"] = page.locator(".outputs .sample").first.inner_text()
    page.unroute("**/v1/completions")
    page.route("**/v1/completions", lambda route: _refused(route))
    page.get_by_role("button", name="Generate").click()
    page.wait_for_selector("#generate .error:not([hidden])")
    found["error"] = page.locator("#generate .error").inner_text()
    page.locator("#tab-compare").click()
    page.get_by_label("Strings, one per line").fill(_MARKUP)
    until(page, "document.querySelectorAll('.painted span').length === arg", len(_MARKUP))
    found["string"] = page.locator(".painted").inner_text()
    page.locator("#tab-inside").click()
    page.get_by_label("Text to inspect").fill(_MARKUP)
    until(page, "document.querySelectorAll('.paint span').length === arg", len(_MARKUP))
    found["painted"] = page.locator(".paint").inner_text()
    page.locator("#tab-sessions").click()
    found["session"] = page.locator(".told").first.inner_text()
    stage.trouble[:] = [what for what in stage.trouble if "400" not in what]
    return {**found, "elements": _elements(page), "markup": _MARKUP}


def _renamed(route: Route) -> None:
    answer = route.fetch()
    body = answer.json()
    body["data"] = [{**body["data"][-1], "id": _MARKUP}]
    route.fulfill(response=answer, json=body)


def _renamed_one(route: Route, url: str) -> None:
    answer = route.fetch(url=f"{url}/v1/models/shakespeare")
    route.fulfill(response=answer, json={**answer.json(), "id": _MARKUP})


def _with_name(route: Route) -> None:
    body = json.loads(route.request.post_data or "{}")
    if body.get("model") == _MARKUP:
        body["model"] = "shakespeare"
    route.continue_(post_data=json.dumps(body))


def _written(route: Route) -> None:
    event = {"choices": [{"index": 0, "text": _MARKUP, "finish_reason": "length"}]}
    text = f"data: {json.dumps(event)}\n\ndata: [DONE]\n\n"
    route.fulfill(status=200, content_type="text/event-stream", body=text)


def _refused(route: Route) -> None:
    error = {"message": _MARKUP, "type": "invalid_request_error", "param": None, "code": None}
    route.fulfill(status=400, json={"error": error})


def key(stage: Stage, url: str, good: str) -> dict[str, Any]:
    """A server that wants a key: it is asked for, kept for the tab, and sent."""
    page = stage.window()
    page.goto(url)
    said = []
    for value in ("wrong", good):
        page.wait_for_selector("#key-dialog[open]")
        said.append(page.locator("#key-reason").inner_text())
        page.keyboard.type(value)
        page.keyboard.press("Enter")
        until(page, "!document.getElementById('key-dialog').open || !document.getElementById('key').value")
    drawn = bars_of(page, "To be, or not to b")
    page.reload()
    bars_of(page, "To be, or not to b")
    stage.trouble[:] = [what for what in stage.trouble if "401" not in what]
    kept = page.evaluate("[Object.values(sessionStorage), Object.values(localStorage), document.cookie]")
    page.locator("#tab-generate").click()
    until(page, "document.querySelector('#generate pre')?.textContent.includes('curl')")
    command = page.locator("#generate pre").inner_text()
    page.locator("#tab-server").click()
    until(page, "document.querySelectorAll('.latency tbody tr').length > 0")
    return {"said": said, "drawn": drawn, "kept": kept, "command": command}


def keyboard(stage: Stage, url: str) -> dict[str, Any]:
    """The whole page with no pointer."""
    page = stage.open(url)
    bars_of(page, "To be, or not to b")
    page.locator("#tab-write").focus()
    visited = []
    for _ in range(7):
        page.keyboard.press("ArrowRight")
        visited.append(page.evaluate("document.activeElement.id"))
        until(page, "document.querySelector(`#${arg} h2`) !== null", visited[-1].removeprefix("tab-"))
    page.keyboard.press("End")
    last = page.evaluate("location.hash")
    page.keyboard.press("Home")
    stops = []
    for _ in range(6):
        page.keyboard.press("Tab")
        stops.append(page.evaluate("document.activeElement.id || document.activeElement.className"))
    names = page.evaluate(
        """[...document.querySelectorAll("button, input, select, textarea, a, canvas")]
          .filter(e => !e.hidden && !(e.ariaLabel || e.textContent.trim() || e.labels?.length))
          .map(e => e.outerHTML)"""
    )
    return {"visited": visited, "last": last, "stops": stops, "nameless": names}
