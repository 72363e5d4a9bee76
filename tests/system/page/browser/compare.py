"""Scenarios of Compare."""

from pathlib import Path
from typing import Any

from playwright.sync_api import Page
from stage import HeldAnswers, Stage, frame, until

_ROWS = ".many tbody tr:not(.space)"
DONE = "document.querySelector('#compare [role=status]').dataset.done === 'true'"


def rows_of(page: Page) -> list[list[str]]:
    frame(page)
    rows: list[list[str]] = page.locator(_ROWS).evaluate_all(
        "rows => rows.map(row => [...row.children].map(cell => cell.textContent))"
    )
    return rows


def table(stage: Stage, url: str, strings: list[str], other: str, part: str) -> dict[str, Any]:
    """The table as it starts; strings by two models; sorted, filtered, downloaded."""
    page = stage.open(url, "compare")
    until(page, DONE)
    until(page, "document.querySelectorAll('.painted span').length === 10")
    start = rows_of(page)
    tints = page.locator(".painted span").evaluate_all("spans => spans.map(s => s.className)")
    page.get_by_label("Strings, one per line").fill("\n".join(strings))
    until(page, f"{DONE} && document.querySelectorAll('{_ROWS}').length === arg", len(strings))
    page.get_by_label("Second model").select_option(other)
    until(
        page,
        f"{DONE} && [...document.querySelectorAll('{_ROWS}')].every(row => row.children.length === 7) "
        "&& [...document.querySelectorAll('.many td:last-child')].every(cell => cell.textContent)",
    )
    both = rows_of(page)
    page.get_by_role("button", name="log ratio").click()
    ratio = [row[6] for row in rows_of(page)]
    sort = page.locator("th[aria-sort=descending]").inner_text()
    page.get_by_role("button", name="log ratio").click()
    rising = [row[6] for row in rows_of(page)]
    with page.expect_download() as saved:
        page.get_by_role("button", name="Download CSV").click()
    csv = Path(saved.value.path()).read_text()
    page.get_by_label("Filter").fill(part)
    until(page, "document.querySelectorAll(arg).length === 1", _ROWS)
    return {
        "start": start,
        "tints": tints,
        "both": both,
        "ratio": ratio,
        "sort": sort,
        "rising": rising,
        "csv": csv,
        "filtered": rows_of(page),
    }


def opened(stage: Stage, url: str, folder: str, contents: list[str]) -> dict[str, list[str]]:
    """Files with bytes given in hexadecimal: the strings that are read of each, or what is said of it."""
    found: dict[str, list[str]] = {"strings": [], "errors": []}
    shown = "document.querySelector('#compare .painted, #compare .error:not([hidden])')"
    for content in contents:
        path = Path(folder) / "strings.txt"
        path.write_bytes(bytes.fromhex(content))
        page = stage.open(url, "compare")
        until(page, f"{DONE} && {shown}")
        page.get_by_label("Strings, one per line").fill("")
        until(page, f"!{shown}")  # the strings that are there at first are gone
        page.set_input_files("#compare input[type=file]", path)
        until(page, shown)
        found["strings"].append(page.get_by_label("Strings, one per line").input_value())
        error = page.locator("#compare .error:not([hidden])")
        found["errors"].append(error.inner_text() if error.count() else "")
    return found


_PASTE = """(strings) => {
  const data = new DataTransfer();
  data.setData("text/plain", strings.join("\\n"));
  seen.tasks.length = 0;
  seen.progress = [];
  const status = document.querySelector("#compare [role=status]");
  new MutationObserver(() => seen.progress.push(status.textContent)).observe(status, {childList: true});
  const area = document.querySelector("#compare textarea");
  area.dispatchEvent(new ClipboardEvent("paste", {clipboardData: data, bubbles: true, cancelable: true}));
}"""


_SAYS = "document.querySelector('#compare [role=status]').textContent === arg"
_FIRST_SCORED = (20, 220, 420)  # of the first batches


def held(stage: Stage, url: str, model: str, strings: list[str]) -> list[str]:
    """Strings pasted while the server takes its time: what is said of each batch, and the page answers."""
    page = stage.open(url, "compare")
    page.select_option("#model", model)
    until(page, DONE)
    answers = HeldAnswers(page, "**/v1/score", but='"return_chars":true')
    page.evaluate(_PASTE, strings)
    for scored in (0, *_FIRST_SCORED):
        answers.wait()
        until(page, _SAYS, f"{len(strings)} strings, {scored} scored")
        if scored:
            page.get_by_label("Filter").fill(strings[scored - 1])
            until(page, _SAYS, f"{len(strings)} strings, {scored} scored, 1 shown")
            page.get_by_label("Filter").fill("")
        answers.let()
    page.unroute("**/v1/score")
    until(page, f"{DONE} && {_SAYS}", f"{len(strings)} strings")
    return page.evaluate("seen.progress")


def many(stage: Stage, url: str, model: str, strings: list[str]) -> dict[str, Any]:
    """Many strings pasted: how they come in, the rows in their middle, and what held the main thread."""
    page = stage.open(url, "compare")
    page.select_option("#model", model)
    until(page, DONE)
    page.evaluate(_PASTE, strings)
    until(page, f"{DONE} && {_SAYS}", f"{len(strings):,} strings")
    page.locator(".scroller").evaluate("element => (element.scrollTop = element.scrollHeight / 2)")
    until(
        page,
        "Number(document.querySelector('.many tbody tr:not(.space)').ariaRowIndex ?? "
        "document.querySelector('.many tbody tr:not(.space)').getAttribute('aria-rowindex')) > arg",
        len(strings) // 4,
    )
    seen = page.evaluate("({tasks: seen.tasks, progress: seen.progress})")
    return {**seen, "rows_made": page.locator(_ROWS).count(), "middle": rows_of(page)}
