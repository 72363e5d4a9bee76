"""Scenarios of Write."""

from typing import Any

from stage import HeldAnswers, Stage, bars_of, until

_AREA = ".editor textarea"


def first_look(stage: Stage, url: str) -> dict[str, Any]:
    """What a stranger sees, and what the first keys do."""
    page = stage.open(url)
    start = bars_of(page, "To be, or not to b")
    page.wait_for_selector(".ghost")
    ghost = page.locator(".ghost").evaluate("element => element.firstChild.textContent")
    shown = page.locator(".bars").inner_text().split("\n")
    labels = page.locator(".bar[aria-label]").evaluate_all("bars => bars.map(bar => bar.ariaLabel)")
    tints = page.locator(".ink span[class^=s]").evaluate_all("spans => spans.map(s => s.className)")
    page.keyboard.press("Tab")
    accepted = bars_of(page, "To be, or not to b" + ghost)
    page.wait_for_selector(".ghost")
    page.keyboard.press("Escape")
    page.wait_for_selector(".ghost", state="detached")
    page.keyboard.press("Tab")
    focus = page.evaluate("document.activeElement.className")
    page.locator(".bar").first.click()
    text = page.locator(_AREA).input_value()
    bars_of(page, text)
    return {
        "start": start,
        "ghost": ghost,
        "accepted": accepted,
        "shown": shown,
        "labels": labels,
        "tints": tints,
        "focus_after_escape": focus,
        "after_click": text,
    }


def hover(stage: Stage, url: str) -> dict[str, str]:
    """The number of the character under the pointer, and of the one before the caret."""
    page = stage.open(url)
    bars_of(page, "To be, or not to b")
    until(page, "document.querySelector('.ink').dataset.known === '18'")
    until(page, "document.querySelector('.looked-at').textContent.includes('expected')")
    before = page.locator(".looked-at").inner_text()
    box = page.locator(".ink span").nth(5).bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    until(page, "/^,.*expected/.test(document.querySelector('.looked-at').textContent)")
    return {"caret": before, "pointer": page.locator(".looked-at").inner_text()}


def edits(stage: Stage, url: str, text: str, places: list[int]) -> list[dict[str, Any]]:
    """A character typed, and one taken back, at each place of a text; what is drawn after each."""
    page = stage.open(url)
    bars_of(page, "To be, or not to b")
    page.fill(_AREA, text)
    found = [bars_of(page, text)]
    for place in places:
        page.locator(_AREA).evaluate("(area, at) => area.setSelectionRange(at, at)", place)
        found.append(bars_of(page, text[:place]))
        page.keyboard.type("x")
        found.append(bars_of(page, text[:place] + "x"))
        page.keyboard.press("Backspace")
        found.append(bars_of(page, text[:place]))
        page.keyboard.press("Backspace")
        text = text[: place - 1] + text[place:]
        found.append(bars_of(page, text[: place - 1]))
    until(page, "document.querySelector('.ink').dataset.known === String(arg)", len(text))
    tints = page.locator(".ink span").evaluate_all("spans => spans.map(s => s.className)")
    return [*found, {"text": text, "tints": tints}]


# What may not move while somebody types.
PLACES = """[...document.querySelectorAll("[role=tab], .bars, #reading, #write-hint")].map((element) => {
  const { x, y } = element.getBoundingClientRect();
  return [element.id || element.className, x, y];
})"""


def typing(stage: Stage, url: str, text: str, blocks: list[str]) -> dict[str, Any]:
    """A long text, then keys: the first of a block makes a call, the others come before its answer does.

    At last a key is taken back before the answer to it has come.
    """
    page = stage.open(url)
    bars_of(page, "To be, or not to b")
    page.fill(_AREA, text)
    bars_of(page, text)
    until(page, "document.querySelector('.ink').dataset.known === String(arg)", len(text))
    until(page, "document.querySelector('.looked-at').textContent.includes('expected')")  # comes at rest
    page.evaluate("forget()")
    answers = HeldAnswers(page, "**/feed")
    places = [page.evaluate(PLACES)]
    for block in blocks:
        page.keyboard.type(block[0])
        answers.wait()
        page.keyboard.type(block[1:])
        answers.let()
        text += block
        if len(block) > 1:
            answers.wait()
            answers.let()
        bars_of(page, text)
        places.append(page.evaluate(PLACES))
    page.keyboard.type("x")
    answers.wait()
    page.keyboard.press("Backspace")
    answers.let()
    bars_of(page, text + "x")
    bars_of(page, text)
    drawn = page.evaluate("seen.drawn")
    known = page.locator(_AREA).input_value()
    return {"drawn": drawn, "calls": answers.count, "places": places, "text": known}


def lines(stage: Stage, url: str, model: str) -> dict[str, Any]:
    """A model of lines reads each line for itself."""
    page = stage.open(url)
    bars_of(page, "To be, or not to b")
    page.select_option("#model", model)
    bars_of(page, "nextch")  # its own first text is there: it would come between selecting all and filling in
    page.fill(_AREA, "example\nnext")
    drawn = bars_of(page, "next")
    until(page, "document.querySelector('.ink').dataset.known === '12'")
    until(page, "document.querySelector('#reading').textContent.includes(arg)", "12 characters")
    return {"drawn": drawn, "sum": page.locator("#reading").inner_text()}
