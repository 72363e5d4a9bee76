"""Scenarios of Inside."""

from typing import Any

from stage import Stage, until


def units(stage: Stage, url: str, text: str) -> dict[str, Any]:
    """A text, a character of it, a unit: what lights up, and where it does."""
    page = stage.open(url, "inside")
    page.get_by_label("Text to inspect").fill(text)
    until(page, "document.querySelectorAll('.paint span').length === arg", len(text))
    page.locator(".paint span").nth(3).click()
    lit = page.locator(".lit li").all_inner_texts()
    page.locator(".lit button").nth(1).click()
    painted = page.locator(".paint span").evaluate_all("spans => spans.map(s => [s.title, s.className])")
    unit = page.get_by_role("spinbutton", name="Unit").input_value()
    canvas = page.locator(".heatmap canvas")
    size = canvas.evaluate("c => [c.clientWidth, c.clientHeight]")
    drawn = canvas.evaluate("c => new Set(c.getContext('2d').getImageData(0, 30, c.width, 200).data).size")
    canvas.focus()
    page.keyboard.press("ArrowRight")
    said = canvas.get_attribute("aria-label")
    canvas.click(position={"x": 13 * 5 + 6, "y": 40})
    moved = page.locator(".inside [role=status]").inner_text()
    page.get_by_label("State").select_option("cell")
    until(page, "document.querySelectorAll('.paint span').length === arg", len(text))
    page.get_by_label("most active units first").uncheck()
    return {
        "lit": lit,
        "painted": painted,
        "unit": unit,
        "size": size,
        "colours": drawn,
        "said": said,
        "moved": moved,
    }


def gates(stage: Stage, url: str, text: str, gate: str) -> dict[str, Any]:
    """What can be chosen of three cells, and how a text is painted by one unit of a gate of the first."""
    page = stage.open(url, "inside")
    choices = page.get_by_label("State or gate")
    page.get_by_label("Text to inspect").fill(text)
    until(page, "document.querySelectorAll('.paint span').length === arg", len(text))
    offered = {"shakespeare": choices.locator("option").all_inner_texts()}
    titles = "[...document.querySelectorAll('.paint span')].map(span => span.title).join()"
    before = page.evaluate(titles)
    choices.select_option(gate)
    until(page, f"{titles} !== arg", before)
    unit = page.get_by_role("spinbutton", name="Unit")
    unit.fill("7")
    until(page, "document.querySelector('.heatmap canvas').ariaLabel.includes('unit 7 ')")
    painted = page.locator(".paint span").evaluate_all("spans => spans.map(s => [s.title, s.className])")
    for model in ("shakespeare-gru", "shakespeare-rnn"):
        with page.expect_response("**/v1/inspect"):
            page.get_by_label("Model", exact=True).select_option(model)
        offered[model] = choices.locator("option").all_inner_texts()
    return {"offered": offered, "painted": painted}
