"""Scenarios of Write."""

import time
from typing import Any

from playwright.sync_api import Page
from stage import Stage, bars_of, until

_AREA = ".editor textarea"
_BLOCK = 50


def first_look(stage: Stage, url: str) -> dict[str, Any]:
    """What a stranger sees, and what the first keys do."""
    page = stage.open(url)
    start = bars_of(page, "To be, or not to b")
    page.wait_for_selector(".ghost")
    ghost = page.locator(".ghost").evaluate("element => element.firstChild.textContent")
    shown = page.locator(".bars").inner_text().split("\n")
    labels = page.locator(".bar[aria-label]").evaluate_all("bars => bars.map(bar => bar.ariaLabel)")
    tints = page.locator(".ink span[class^=s]").evaluate_all("spans => spans.map(s => s.className)")
    page.keyboard.press("Tab")
    accepted = bars_of(page, "To be, or not to b" + ghost)
    page.wait_for_selector(".ghost")
    page.keyboard.press("Escape")
    page.wait_for_selector(".ghost", state="detached")
    page.keyboard.press("Tab")
    focus = page.evaluate("document.activeElement.className")
    page.locator(".bar").first.click()
    text = page.locator(_AREA).input_value()
    bars_of(page, text)
    return {
        "start": start,
        "ghost": ghost,
        "accepted": accepted,
        "shown": shown,
        "labels": labels,
        "tints": tints,
        "focus_after_escape": focus,
        "after_click": text,
    }


def hover(stage: Stage, url: str) -> dict[str, str]:
    """The number of the character under the pointer, and of the one before the caret."""
    page = stage.open(url)
    bars_of(page, "To be, or not to b")
    until(page, "document.querySelector('.ink').dataset.known === '18'")
    until(page, "document.querySelector('.looked-at').textContent.includes('expected')")
    before = page.locator(".looked-at").inner_text()
    box = page.locator(".ink span").nth(5).bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    until(page, "/^,.*expected/.test(document.querySelector('.looked-at').textContent)")
    return {"caret": before, "pointer": page.locator(".looked-at").inner_text()}


def edits(stage: Stage, url: str, text: str, places: list[int]) -> list[dict[str, Any]]:
    """A character typed, and one taken back, at each place of a text; what is drawn after each."""
    page = stage.open(url)
    bars_of(page, "To be, or not to b")
    page.fill(_AREA, text)
    found = [bars_of(page, text)]
    for place in places:
        page.locator(_AREA).evaluate("(area, at) => area.setSelectionRange(at, at)", place)
        found.append(bars_of(page, text[:place]))
        page.keyboard.type("x")
        found.append(bars_of(page, text[:place] + "x"))
        page.keyboard.press("Backspace")
        found.append(bars_of(page, text[:place]))
        page.keyboard.press("Backspace")
        text = text[: place - 1] + text[place:]
        found.append(bars_of(page, text[: place - 1]))
    until(page, "document.querySelector('.ink').dataset.known === String(arg)", len(text))
    tints = page.locator(".ink span").evaluate_all("spans => spans.map(s => s.className)")
    return [*found, {"text": text, "tints": tints}]


def typing(stage: Stage, url: str, text: str, typed: str, keys_per_second: float) -> dict[str, Any]:
    """A long text, then keys at a pace: what is drawn, when, and what moves."""
    page = stage.open(url)
    bars_of(page, "To be, or not to b")
    page.evaluate("forget()")
    page.fill(_AREA, text)
    bars_of(page, text)
    until(page, "document.querySelector('.ink').dataset.known === String(arg)", len(text))
    until(page, "document.querySelector('.looked-at').textContent.includes('expected')")  # comes at rest
    calls: list[str] = []
    page.on("request", lambda request: calls.append(request.url) if "/feed" in request.url else None)
    _type(page, typed, keys_per_second)
    bars_of(page, text + typed)
    return {**page.evaluate("seen"), "calls": len(calls), "text": page.locator(_AREA).input_value()}


_BARE = """async ({path, text, pause}) => {
  const times = [];
  for (const char of text) {
    const started = performance.now();
    const body = JSON.stringify({text: char});
    const headers = {"Content-Type": "application/json"};
    const response = await fetch(`/v1/sessions/${path}/feed`, {method: "POST", body, headers});
    await response.json();
    times.push(performance.now() - started);
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, pause - times.at(-1))));
  }
  return times;
}"""


def beside(
    stage: Stage, url: str, text: str, typed: str, keys_per_second: float, session_id: str
) -> dict[str, Any]:
    """Keys at a pace, a block of them at a time, and bare feeds of the same characters after each block."""
    page = stage.open(url)
    bars_of(page, "To be, or not to b")
    page.fill(_AREA, text)
    bars_of(page, text)
    page.evaluate("forget()")
    bare: list[float] = []
    for start in range(0, len(typed), _BLOCK):
        block = typed[start : start + _BLOCK]
        _type(page, block, keys_per_second)
        text += block
        bars_of(page, text)
        until(page, "document.querySelector('.ink').dataset.known === String(arg)", len(text))
        order = {"path": session_id, "text": block, "pause": 1000 / keys_per_second}
        bare += page.evaluate(_BARE, order)
    return {**page.evaluate("seen"), "bare": bare}


def _type(page: Page, keys: str, keys_per_second: float) -> None:
    due = time.perf_counter()
    for key in keys:
        page.keyboard.type(key)
        due += 1 / keys_per_second
        time.sleep(max(0.0, due - time.perf_counter()))  # a person's pace is what is tried here


def lines(stage: Stage, url: str, model: str) -> dict[str, Any]:
    """A model of lines reads each line for itself."""
    page = stage.open(url)
    bars_of(page, "To be, or not to b")
    page.select_option("#model", model)
    page.fill(_AREA, "example\nnextch")
    drawn = bars_of(page, "nextch")
    until(page, "document.querySelector('.ink').dataset.known === '14'")
    until(page, "document.querySelector('#reading').textContent.includes(arg)", "14 characters")
    return {"drawn": drawn, "sum": page.locator("#reading").inner_text()}
