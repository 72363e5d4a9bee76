"""Every panel as it looks: a picture of each, and what axe-core finds."""

from pathlib import Path
from typing import Any

import axe_playwright_python
from playwright.sync_api import Page
from stage import ALL_CARDS, Stage, bars_of, until

_AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js")
_TOO_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
_SERIOUS = """() => axe.run().then(({violations}) => violations
  .filter(({impact}) => impact === "serious" || impact === "critical")
  .map(({id, nodes}) => `${id}: ${nodes.slice(0, 3).map((n) => n.html + n.failureSummary).join(" | ")}`))"""


def panels(stage: Stage, url: str, look: str, folder: str) -> dict[str, Any]:
    """Each panel with something in it."""
    page = stage.open(url, look=look)
    bars_of(page, "To be, or not to b")
    page.wait_for_selector(".ghost")
    page.evaluate(_AXE.read_text())
    found, wide = {"write": _look(page, folder, f"write-{look}")}, {}
    for name, ready in _READY.items():
        page.locator(f"#tab-{name}").click()
        until(page, ready)
        if name == "generate":
            page.get_by_label("Seed").fill("7")
            page.get_by_role("button", name="Generate").click()
            until(
                page,
                "document.querySelectorAll('.outputs .note span:not(:empty)').length === 4",
            )
        found[name] = _look(page, folder, f"{name}-{look}")
        wide[name] = page.evaluate(_TOO_WIDE)
    return {"serious": found, "too_wide": wide}


_READY = {
    "compare": "document.querySelectorAll('.painted span').length === 10",
    "judge": "document.querySelector('#judge [role=status]')?.dataset.done === 'true'",
    "generate": "document.querySelector('.chart')?.ariaLabel",
    "inside": "document.querySelectorAll('.lit li').length === 10",
    "sessions": "document.querySelectorAll('.node').length === 1",
    "server": f"{ALL_CARDS} && document.querySelector('.latency td')",
}


def _look(page: Page, folder: str, name: str) -> list[str]:
    page.screenshot(path=Path(folder) / f"{name}.png")
    found: list[str] = page.evaluate(_SERIOUS)
    return found


def judged(stage: Stage, url: str, look: str, folder: str) -> dict[str, Any]:
    """Judge with verdicts, the first of them open."""
    page = stage.open(url, "judge", look=look)
    page.evaluate(_AXE.read_text())
    page.locator(".verdicts summary").first.click()
    serious = _look(page, folder, f"judged-{look}")
    return {"serious": serious, "too_wide": page.evaluate(_TOO_WIDE)}


def learning(stage: Stage, url: str, look: str, folder: str) -> dict[str, Any]:
    """The panels that learn their text, while they do."""
    page = stage.open(url, look=look)
    bars_of(page, "To be, or not to b")
    page.evaluate(_AXE.read_text())
    found, wide = {}, {}
    for name, ready in _LEARNED.items():
        page.locator(f"#tab-{name}").click()
        page.locator(f"#{name}").get_by_role("switch").check()
        until(page, ready)
        found[name] = _look(page, folder, f"{name}-learning-{look}")
        wide[name] = page.evaluate(_TOO_WIDE)
    return {"serious": found, "too_wide": wide}


_LEARNED = {
    "write": "document.querySelector('#write-gain').textContent.includes('become')",
    "compare": "document.querySelectorAll('.painted span').length === 10 "
    "&& document.querySelectorAll('.many th').length === 4",
    "generate": "document.querySelector('figcaption').textContent.includes('after learning')",
}
