"""Scenarios of Sessions."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Request
from stage import Stage, bars_of, until


def tree(stage: Stage, url: str, elsewhere: str, folder: str) -> dict[str, Any]:
    """Fork, checkpoint, back, take back; to a file, into another browser and server, and on."""
    page = stage.open(url)
    start = "To be, or not to b"
    bars_of(page, start)
    page.locator("#tab-sessions").click()
    page.wait_for_selector(".node")
    page.get_by_role("button", name="Checkpoint").click()
    page.get_by_role("button", name="Back to mark-1").wait_for()
    page.get_by_role("button", name="Fork").click()
    until(page, "document.querySelectorAll('.node').length === 2")
    nested = page.locator(".tree ul .node").count()
    fork = page.locator(".tree ul .node")
    fork.get_by_role("button", name="Rewind 10").click()
    until(page, "document.querySelector('.tree ul .told').textContent === arg", "To be, o")
    fork.get_by_role("button", name="Continue in Write").click()
    bars_of(page, "To be, o")
    page.keyboard.type("h")
    forked = bars_of(page, "To be, oh")
    page.locator("#tab-sessions").click()
    fork.get_by_role("button", name="Back to mark-1").click()
    until(page, "document.querySelector('.tree ul .told').textContent === arg", start)
    steps = fork.locator(".note").nth(1).inner_text()
    with page.expect_download() as saved:
        fork.get_by_role("button", name="Export").click()
    path = Path(folder) / saved.value.suggested_filename
    saved.value.save_as(path)
    other = stage.open(elsewhere, "sessions")
    other.set_input_files("#sessions input[type=file]", path)
    other.get_by_role("button", name="Continue in Write").click()
    imported = bars_of(other, start)
    other.keyboard.type("e")
    went_on = bars_of(other, start + "e")
    broken = Path(folder) / "broken.json"
    broken.write_text('{"format": "something"}')
    other.locator("#tab-sessions").click()
    other.set_input_files("#sessions input[type=file]", broken)
    other.wait_for_selector("#sessions .error:not([hidden])")
    refused = other.locator("#sessions .error").inner_text()
    page.locator(".tree > li > .node").get_by_role("button", name="End").click()
    page.get_by_text("ended", exact=True).first.wait_for()
    return {
        "nested": nested,
        "forked": forked,
        "steps": steps,
        "file": path.name,
        "imported": imported,
        "went_on": went_on,
        "refused": refused,
    }


def routed(stage: Stage, url: str) -> list[tuple[str, str, str | None]]:
    """The method, path and X-Session-Id of each call about the sessions of a tree with one root."""
    page = stage.window()
    sent: list[tuple[str, str, str | None]] = []

    def note(request: Request) -> None:
        path = urlsplit(request.url).path
        if path.startswith("/v1/sessions"):
            sent.append((request.method, path, request.headers.get("x-session-id")))

    page.on("request", note)
    page.goto(f"{url}/#write")
    bars_of(page, "To be, or not to b")
    page.wait_for_selector(".ghost")
    page.locator("#tab-sessions").click()
    for depth in (1, 2):
        page.locator(".node").last.get_by_role("button", name="Fork").click()
        until(page, "document.querySelectorAll('.node').length === arg", depth + 1)
    last = page.locator(".node").last
    last.get_by_role("button", name="Checkpoint").click()
    last.get_by_role("button", name="Rewind 10").click()
    until(page, "[...document.querySelectorAll('.told')].at(-1).textContent === arg", "To be, o")
    with page.expect_download():
        last.get_by_role("button", name="Export").click()
    last.get_by_role("button", name="Continue in Write").click()
    bars_of(page, "To be, o")
    page.keyboard.type("h")
    bars_of(page, "To be, oh")
    page.locator("#tab-sessions").click()
    page.locator(".node").nth(1).get_by_role("button", name="End").click()  # not that which Write uses
    page.locator(".tree").get_by_text("ended", exact=True).wait_for()
    return sent
