"""Scenarios of Generate."""

from typing import Any

from playwright.sync_api import Page
from stage import Stage, until

ENDED = "[...document.querySelectorAll('.outputs article .note span')].every(state => state.textContent)"


def fill(page: Page, **fields: str) -> None:
    for label, value in fields.items():
        control = page.locator("#generate label", has_text=label.replace("_", "-")).locator("input")
        control.evaluate(
            "(i, value) => { i.value = value; i.dispatchEvent(new Event('input', {bubbles: true})); }", value
        )


def samples(stage: Stage, url: str, prompt: str, fields: dict[str, str]) -> dict[str, Any]:
    """Four samples, streamed; the commands that give the first one elsewhere; the chart."""
    page = stage.open(url, "generate")
    page.get_by_label("Prompt", exact=True).fill(prompt)
    fill(page, **fields)
    page.get_by_role("button", name="Generate").click()
    until(page, f"document.querySelectorAll('.outputs article').length === 4 && {ENDED}")
    texts = page.locator(".outputs .drawn").evaluate_all("spans => spans.map(s => s.textContent)")
    pieces = page.locator(".outputs .drawn").evaluate_all("spans => spans.map(s => s.childNodes.length)")
    states = page.locator(".outputs .note").all_inner_texts()
    commands = {}
    for name in ("curl", "Python", "grpcurl"):
        page.get_by_role("button", name=name, exact=True).click()
        commands[name] = page.locator("#generate pre").inner_text()
    until(page, "document.querySelector('.chart').ariaLabel !== null")
    chart = page.locator(".chart > div").evaluate_all("columns => columns.map(c => c.title)")
    return {"texts": texts, "pieces": pieces, "states": states, "commands": commands, "chart": chart}


def stop(stage: Stage, url: str) -> list[str]:
    """Long completions, stopped."""
    page = stage.open(url, "generate")
    fill(page, Characters="16384")
    page.get_by_role("button", name="Generate").click()
    until(page, "[...document.querySelectorAll('.outputs .drawn')].filter(s => s.textContent).length === 4")
    page.get_by_role("button", name="Stop").click()
    until(page, ENDED)
    return page.locator(".outputs .note").all_inner_texts()


def refused(stage: Stage, url: str) -> str:
    """What the server does not take is said where it was asked for."""
    page = stage.open(url, "generate")
    fill(page, Characters="99999999")
    page.get_by_role("button", name="Generate").click()
    page.wait_for_selector("#generate .error:not([hidden])")
    stage.trouble[:] = [what for what in stage.trouble if "400" not in what]
    return page.locator("#generate .error").inner_text()


def filters(stage: Stage, url: str, cases: list[dict[str, Any]]) -> list[list[float]]:
    """The page's own filters, on distributions of the test's."""
    page = stage.open(url, "generate")
    return page.evaluate(
        """async (cases) => {
          const app = document.querySelector("script").src;
          const {filtered} = await import(app.replace("app.js", "parts/filters.js"));
          return cases.map(({data, knobs}) => filtered(data, knobs));
        }""",
        cases,
    )
