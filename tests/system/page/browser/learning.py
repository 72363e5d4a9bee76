"""Scenarios of the switches that make a text learned: in Write, Sessions, Compare and Generate."""

from pathlib import Path
from typing import Any

from compare import DONE, rows_of
from generate import ENDED, fill
from playwright.sync_api import Locator, Page
from stage import Stage, bars_of, until
from write import PLACES

_START = "To be, or not to b"
_AREA = ".editor textarea"
_GAIN = "document.querySelector('#write-gain').textContent === arg"
_KNOWN = "document.querySelector('.ink').dataset.known === String(arg)"
# Each bar: how far its filling and its outline reach, in shares of the track, and what it is named.
_BARS = """bars => bars.map(bar => {
  const [, filled] = /scaleX\\((.*)\\)/.exec(bar.querySelector(".fill").style.transform);
  const [, outlined] = /translateX\\((.*)%\\)/.exec(bar.querySelector(".own").style.transform);
  const seen = getComputedStyle(bar.querySelector(".own")).display !== "none";
  return [Number(filled), seen ? 1 + Number(outlined) / 100 : null, bar.ariaLabel ?? bar.title];
})"""


def _switch(page: Page, panel: str) -> Locator:
    return page.locator(f"#{panel}").get_by_role("switch")


def _switched(page: Page, text: str) -> dict[str, Any]:
    """Presses the switch of Write by the keyboard: what is drawn then."""
    page.evaluate("forget()")
    _switch(page, "write").focus()
    page.keyboard.press("Space")
    drawn = bars_of(page, text)
    until(page, _KNOWN, len(text))
    bars = page.locator(".bars .bar").evaluate_all(_BARS)
    return {"drawn": drawn, "bars": bars, "legend": page.locator(".legend").is_visible()}


def write(stage: Stage, url: str, text: str, gains: dict[str, str]) -> dict[str, Any]:
    """The switch on and off; what is said to be gained of a text, with a key more, and edited in its middle.

    `gains` are the sentences to wait for, by text.
    """
    page = stage.open(url)
    bars_of(page, _START)
    page.fill(_AREA, text)
    bars_of(page, text)
    on = _switched(page, text)
    until(page, _GAIN, gains[text])
    until(page, "document.querySelector('.looked-at').textContent.includes('expected')")
    found = {"on": on, "looked": page.locator(".looked-at").inner_text()}
    found["tints"] = page.locator(".ink span:not(.ghost)").evaluate_all(
        "spans => spans.map(s => s.className)"
    )
    found["described"] = _switch(page, "write").evaluate(
        "box => document.getElementById(box.getAttribute('aria-describedby')).textContent"
    )
    _, typed, edited = gains
    page.locator(_AREA).focus()
    found["places"] = [page.evaluate(PLACES)]
    page.keyboard.type(typed[-1])
    found["typed"] = bars_of(page, typed)
    until(page, _GAIN, gains[typed])
    found["places"].append(page.evaluate(PLACES))
    page.locator(_AREA).evaluate("area => area.setSelectionRange(12, 12)")
    page.keyboard.press("Backspace")
    until(page, _GAIN, gains[edited])
    page.keyboard.press("Control+End")
    found["edited"] = bars_of(page, edited)
    until(page, "JSON.parse(sessionStorage.getItem('nextchar-sessions')).some(([, one]) => one.learns)")
    found["sessions"] = page.evaluate("JSON.parse(sessionStorage.getItem('nextchar-sessions'))")
    found["off"] = _switched(page, edited)
    until(page, _GAIN, "")
    _switched(page, edited)
    page.reload()
    bars_of(page, edited)
    found["on_after_reload"] = _switch(page, "write").is_checked()
    found["stored"] = page.evaluate("Object.keys({...sessionStorage, ...localStorage})")
    return found


def lines(stage: Stage, url: str, model: str) -> dict[str, Any]:
    """A model of lines, chosen while the switch is on; the end of a line with the switch on and off."""
    page = stage.open(url)
    bars_of(page, _START)
    _switched(page, _START)
    page.select_option("#model", model)
    bars_of(page, "nextch")
    page.fill(_AREA, "example\nnext")
    drawn = bars_of(page, "next")
    until(page, _KNOWN, 12)
    says = page.locator("#write .sentence").inner_text()
    for learns, told in ((True, "↵ 0.00 bits (0.00 by the network alone)"), (False, "↵ 0.00 bits")):
        _switch(page, "write").set_checked(learns)
        page.locator(_AREA).evaluate("area => area.setSelectionRange(8, 8)")
        until(page, "document.querySelector('.looked-at').textContent === arg", told)
    return {"drawn": drawn, "says": says}


def sessions(stage: Stage, url: str, folder: str) -> dict[str, Any]:
    """A session that learns, forked, and put into a file and read from it: each is continued as it is."""
    page = stage.open(url)
    bars_of(page, _START)
    _switched(page, _START)
    page.locator("#tab-sessions").click()
    until(page, "document.querySelectorAll('.node').length === 2")
    plain, learning = page.locator(".node").nth(0), page.locator(".node").nth(1)
    learning.get_by_role("button", name="Fork").click()
    until(page, "document.querySelectorAll('.node').length === 3")
    with page.expect_download() as saved:
        learning.get_by_role("button", name="Export").click()
    path = Path(folder) / saved.value.suggested_filename
    saved.value.save_as(path)
    page.set_input_files("#sessions input[type=file]", path)
    until(page, "document.querySelectorAll('.node').length === 4")
    found: dict[str, Any] = {"heads": page.locator(".node .note:first-child").all_inner_texts()}
    for name, node in (
        ("plain", plain),
        ("forked", page.locator(".node").nth(2)),
        ("imported", page.locator(".node").nth(3)),
    ):
        page.locator("#tab-sessions").click()
        node.get_by_role("button", name="Continue in Write").click()
        page.evaluate("forget()")
        page.locator(_AREA).focus()
        page.keyboard.type("e")
        found[name] = bars_of(page, _START + "e")
        found[f"{name} is on"] = _switch(page, "write").is_checked()
    return found


def compare(stage: Stage, url: str, strings: list[str], before: str, other: str) -> dict[str, Any]:
    """Strings after a text, with and without learning; with it, of two models, coloured and in a file."""
    page = stage.open(url, "compare")
    page.get_by_label("Strings, one per line").fill("\n".join(strings))
    page.get_by_label("Text before each string").fill(before)
    _shown(page, len(strings), 3)
    off = rows_of(page)
    _switch(page, "compare").check()
    _shown(page, len(strings), 4)
    until(page, "[...document.querySelectorAll('.painted')].every(text => text.children.length)")
    tints = page.locator(".painted").evaluate_all(
        "texts => texts.map(text => [text.textContent, [...text.children].map(s => s.className)])"
    )
    page.get_by_label("Second model").select_option(other)
    _shown(page, len(strings), 6)
    both = rows_of(page)
    head = page.locator(".many th").all_inner_texts()
    with page.expect_download() as saved:
        page.get_by_role("button", name="Download CSV").click()
    return {
        "off": off,
        "tints": tints,
        "both": both,
        "head": head,
        "csv": Path(saved.value.path()).read_text(),
    }


def _shown(page: Page, num_strings: int, num_columns: int) -> None:
    rows = "[...document.querySelectorAll('.many tbody tr:not(.space)')]"
    until(
        page,
        f"{DONE} && {rows}.length === arg[0] && {rows}.every(row => row.children.length === arg[1] "
        "&& [...row.children].every(cell => cell.textContent))",
        [num_strings, num_columns],
    )


def generate(stage: Stage, url: str, prompt: str, fields: dict[str, str]) -> dict[str, Any]:
    """Four samples after a prompt that is learned; the commands that give the first one; the chart."""
    page = stage.open(url, "generate")
    page.get_by_label("Prompt", exact=True).fill(prompt)
    fill(page, **fields)
    _switch(page, "generate").check()
    until(page, "document.querySelector('figcaption').textContent.includes('after learning the prompt')")
    page.get_by_role("button", name="Generate").click()
    until(page, f"document.querySelectorAll('.outputs article').length === 4 && {ENDED}")
    texts = page.locator(".outputs .drawn").evaluate_all("spans => spans.map(s => s.textContent)")
    commands = {}
    for name in ("curl", "Python", "grpcurl"):
        page.get_by_role("button", name=name, exact=True).click()
        commands[name] = page.locator("#generate pre").inner_text()
    chart = page.locator(".chart > div").evaluate_all("columns => columns.map(c => c.title)")
    return {"texts": texts, "commands": commands, "chart": chart}
