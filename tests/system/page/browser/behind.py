"""The page behind a proxy that serves it below a path of its own."""

from typing import Any

from stage import Stage, bars_of, until


def prefix(stage: Stage, url: str, *, slash: str = "/") -> dict[str, Any]:
    """Uses the panels that call each kind of path; `stage` notes whatever is not found."""
    page = stage.window()
    page.goto(f"{url}{slash}#write")
    page.wait_for_selector("#write h2")
    bars_of(page, "To be, or not to b")
    page.wait_for_selector(".ghost")
    page.locator("#tab-generate").click()
    page.get_by_role("button", name="Generate").click()
    until(page, "document.querySelectorAll('.outputs .note span:not(:empty)').length === 4")
    snippet = page.locator("#generate pre").first.inner_text()
    page.locator("#tab-sessions").click()
    until(page, "document.querySelectorAll('.node').length === 1")
    page.locator("#tab-server").click()
    until(page, "document.querySelector('.latency td')")
    stored = page.evaluate("Object.keys(sessionStorage)")
    styled = page.evaluate("getComputedStyle(document.querySelector('.top')).display")
    page.goto(f"{url}/docs")
    page.get_by_role("link", name="openapi.json").click()
    return {"snippet": snippet, "stored": stored, "styled": styled, "document": page.url}
