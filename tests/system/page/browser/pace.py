"""Scenarios that benchmarks/page.py measures: keys at a person's pace, and what they cost without a page."""

import time
from typing import Any

from playwright.sync_api import Page
from stage import Stage, bars_of, until

_AREA = ".editor textarea"
_BLOCK = 50


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
