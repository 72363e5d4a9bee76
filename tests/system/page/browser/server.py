"""Scenarios of Server."""

from typing import Any

from stage import ALL_CARDS, Stage, until


def figures(stage: Stage, url: str) -> dict[str, Any]:
    """The figures, and what `/metrics` said when they were drawn; the cards."""
    page = stage.window()
    page.goto("about:blank")
    answers: list[str] = []
    page.on("response", lambda r: answers.append(r.text()) if r.url.endswith("/metrics") else None)
    page.goto(f"{url}/#server")
    until(page, "document.querySelectorAll('.latency tbody tr').length > 0")
    until(page, ALL_CARDS)
    pairs = page.locator(".figures > div").evaluate_all(
        "all => all.map(({children: [name, value]}) => [name.textContent, Number(value.dataset.value)])"
    )
    latency = page.locator(".latency tbody tr").evaluate_all(
        "rows => rows.map(row => [...row.children].map(cell => cell.textContent))"
    )
    return {
        "shown": dict(pairs),
        "latency": latency,
        "metrics": answers[0],
        "cards": page.locator(".card").all_inner_texts(),
    }
