"""Feeds sessions by the page's own code in a real Chromium; writes the ledger to standard output.

Runs in the environment of `.tools/browser`, which has Playwright:
python -m benchmarks.drills.doubled.page_client CHROMIUM PLAN MODEL URL URL
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

from benchmarks.drills.doubled.ledger import Ledger, Plan, SessionLog

_FLAGS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync", "--disable-dev-shm-usage")
_SCRIPT = Path(__file__).with_name("page_client.js").read_text(encoding="utf-8")


def feed(page_of: Sequence[Page], plan: Plan, model: str) -> Ledger:
    """Feeds each session half of its pieces in one window, and the others in the next, on another server."""
    ledger, half = Ledger(), plan.num_feeds // 2
    pieces = [[[at, text] for at, text in plan.pieces(number)] for number in range(plan.num_sessions)]
    sessions: list[dict[str, Any]] = [{"id": None, "revision": None, "text": ""} for _ in pieces]
    for turn, part in enumerate((slice(0, half), slice(half, None))):
        for first, page in enumerate(page_of):
            mine = range((first + turn) % len(page_of), plan.num_sessions, len(page_of))
            todo = [{**sessions[number], "pieces": pieces[number][part]} for number in mine]
            starts = turn * plan.seconds / 2
            page.evaluate(_SCRIPT, {"todo": todo, "model": model, "starts": starts})
        for first, page in enumerate(page_of):
            found = page.evaluate("window.fed")
            for code, number in found["counts"].items():
                ledger.count(plan.client, code, number)
            numbers = range((first + turn) % len(page_of), plan.num_sessions, len(page_of))
            for number, one in zip(numbers, found["sessions"], strict=True):
                sessions[number] = one
    ledger.sessions = [SessionLog(plan.client, one["id"], one["text"]) for one in sessions]
    return ledger


def main(chromium: str, plan: Plan, model: str, urls: Sequence[str]) -> Ledger:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(_FLAGS))
        pages = [browser.new_page() for _ in urls]
        for page, url in zip(pages, urls, strict=True):
            page.goto(f"{url}/#sessions")
        ledger = feed(pages, plan, model)
        browser.close()
    return ledger


if __name__ == "__main__":
    print(main(sys.argv[1], Plan(**json.loads(sys.argv[2])), sys.argv[3], sys.argv[4:]).dumped())
