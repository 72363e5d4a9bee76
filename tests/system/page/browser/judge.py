"""Scenarios of Judge."""

from typing import Any

from playwright.sync_api import Page
from stage import Stage, until

_DONE = "document.querySelector('#judge [role=status]').dataset.done === 'true'"
_ROWS = "document.querySelectorAll('.verdicts > li').length === arg"


def _entries(page: Page) -> list[dict[str, str]]:
    found: list[dict[str, str]] = page.locator(".verdicts > li").evaluate_all(
        """items => items.map(item => ({
          verdict: item.querySelector('strong').textContent,
          text: item.querySelector('code').textContent,
          head: item.querySelector('summary').textContent,
          why: item.querySelector('.why').textContent,
        }))"""
    )
    return found


def verdicts(stage: Stage, url: str, strings: list[str], rate: str) -> dict[str, Any]:
    """Strings by the only judge, at its own rate and at another; the reasons of the first, opened."""
    page = stage.open(url, "judge")
    until(page, _DONE)
    page.get_by_label("Strings to judge, one per line").fill("\n".join(strings))
    until(page, f"{_DONE} && {_ROWS}", len(strings))
    own = page.locator("#judge [role=status]").inner_text()
    page.get_by_label("False-alarm rate").fill(rate)
    until(page, f"{_DONE} && document.querySelector('#judge [role=status]').textContent.includes(arg)", rate)
    page.locator(".verdicts summary").first.click()
    page.get_by_text("What surprised most").first.wait_for()
    return {
        "about": page.locator("#judge .about").inner_text(),
        "unread": page.locator("#judge .unread").inner_text(),
        "own": own,
        "other": page.locator("#judge [role=status]").inner_text(),
        "entries": _entries(page),
    }


def none(stage: Stage, url: str) -> str:
    """What a server without judges says."""
    page = stage.open(url, "judge")
    until(page, _DONE)
    return page.locator("#judge .about").inner_text()
