"""A page of another origin that a person merely visits, and that tries to use the server."""

from typing import Any

from stage import Stage

_SIMPLE = """async (url) => {
  const said = {};
  const body = JSON.stringify({model: "shakespeare", session_id: "stolen"});
  const type = {"Content-Type": "text/plain"};
  const ways = {
    text: {method: "POST", mode: "no-cors", headers: type, body},
    untyped: {method: "POST", mode: "no-cors", body: new Blob([body])},
    bare: {method: "POST", mode: "no-cors"},
    json: {method: "POST", headers: {"Content-Type": "application/json"}, body},
    read: {method: "GET"},
  };
  for (const [name, way] of Object.entries(ways)) {
    try {
      const answer = await fetch(`${url}/v1/sessions`, way);
      said[name] = answer.type === "opaque" ? "opaque" : answer.status;
    } catch (error) {
      said[name] = error.name;
    }
  }
  return said;
}"""
_FORM = """(url) => {
  const form = document.createElement("form");
  Object.assign(form, {method: "POST", enctype: "text/plain", action: `${url}/v1/sessions`});
  const field = document.createElement("input");
  Object.assign(field, {name: '{"model": "shakespeare", "session_id": "stolen", "label": "', value: '"}'});
  form.append(field);
  document.body.append(form);
  form.submit();
}"""


def visit(stage: Stage, page_url: str, url: str) -> dict[str, Any]:
    """Everything a foreign page can send without being asked; then what a form of it is answered."""
    page = stage.window()
    page.goto(page_url)
    said = page.evaluate(_SIMPLE, url)
    with page.expect_navigation():
        page.evaluate(_FORM, url)
    form = page.locator("body").inner_text()
    link = page.goto(f"{url}/docs", referer=page_url)
    stage.trouble.clear()  # that it is refused is what is tried here
    return {"said": said, "form": form, "link": link.status if link else None}


def rebound(stage: Stage, url: str) -> dict[str, Any]:
    """A page under a name of its own, which it has turned to the address of the server."""
    page = stage.window()
    opened = page.goto(url)
    found = page.evaluate(
        """async () => {
          const headers = {"Content-Type": "application/json"};
          const body = JSON.stringify({model: "shakespeare", session_id: "stolen"});
          const made = await fetch("/v1/sessions", {method: "POST", headers, body});
          const read = await fetch("/v1/models");
          return {made: made.status, read: read.status, told: (await made.json()).error.message};
        }"""
    )
    stage.trouble.clear()
    return {"opened": opened.status if opened else None, **found}
