"""A browser window that writes down what goes wrong in it: console errors, failed requests, page errors."""

import json
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, Route

LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light", "viewport": {"width": 1280, "height": 860}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1280, "height": 860}},
    "phone": {
        "color_scheme": "light",
        "viewport": {"width": 390, "height": 844},
        "device_scale_factor": 2,
        "has_touch": True,
    },
}

_PATIENCE_MS = 20_000
_WATCH = Path(__file__).with_name("watch.js")


class Stage:
    """Windows for one scenario; `trouble` is what nobody expected."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._contexts: list[BrowserContext] = []
        self.trouble: list[str] = []

    def window(self, look: str = "light", **options: Any) -> Page:
        context = self._browser.new_context(**LOOKS[look], **options)
        context.set_default_timeout(_PATIENCE_MS)
        self._contexts.append(context)
        context.add_init_script(path=_WATCH)
        page = context.new_page()
        page.on("console", lambda m: self._note(m.type in ("error", "warning"), f"console: {m.text}"))
        page.on("pageerror", lambda error: self._note(True, f"page error: {error}"))
        page.on("dialog", lambda dialog: (self._note(True, f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on(
            "requestfailed", lambda r: self._note(_unexpected(r), f"failed: {r.method} {r.url} {r.failure}")
        )
        page.on("response", lambda r: self._note(r.status >= 400, f"{r.status} {r.url}"))
        return page

    def open(self, url: str, panel: str = "write", look: str = "light", **options: Any) -> Page:
        page = self.window(look, **options)
        page.goto(f"{url}/#{panel}")
        page.wait_for_selector(f"#{panel} h2")
        return page

    def _note(self, unexpected: bool, what: str) -> None:
        if unexpected:
            self.trouble.append(what)

    def close(self) -> None:
        for context in self._contexts:
            context.close()


class HeldAnswers:
    """Holds the calls to a path: each goes to the server only when a scenario lets it.

    Those whose body has the text `but` in it go at once.
    """

    def __init__(self, page: Page, path: str, *, but: str | None = None) -> None:
        self._page, self._but = page, but
        self._held: list[Route] = []
        self.count = 0
        page.route(path, self._hold)

    def _hold(self, route: Route) -> None:
        if self._but is not None and self._but in (route.request.post_data or ""):
            route.continue_()
            return
        self._held.append(route)
        self.count += 1

    def wait(self) -> None:
        """Returns when a call is held; there is never a second one beside it."""
        late = time.monotonic() + _PATIENCE_MS / 1000
        while not self._held:
            assert time.monotonic() < late, "no call was made"
            frame(self._page)
        assert len(self._held) == 1

    def let(self) -> None:
        """Lets the held call go on."""
        (route,) = self._held
        self._held.clear()
        route.continue_()


# Every served model has been asked for and drawn.
ALL_CARDS = (
    "document.querySelector('.card') && "
    "document.querySelectorAll('.card').length === document.querySelectorAll('#model option').length"
)


def _unexpected(request: Any) -> bool:
    """A request that the page itself gave up is none that failed."""
    return "ERR_ABORTED" not in (request.failure or "")


def bars_of(page: Page, text: str) -> dict[str, Any]:
    """What is drawn for a text, once it is, and nothing newer."""
    until(page, "seen.drawn.at(-1)?.text === arg", text)
    found: dict[str, Any] = page.evaluate("seen.drawn.at(-1)")
    return found


def frame(page: Page) -> None:
    """Wait until what was asked for is drawn."""
    page.evaluate("new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")


def until(page: Page, condition: str, arg: Any = None) -> None:
    """Wait until an expression over `arg` holds. Playwright's own way of it is an eval, which the page's
    policy forbids.
    """
    page.evaluate(
        f"""arg => new Promise((resolve, reject) => {{
          const late = performance.now() + {_PATIENCE_MS};
          const look = () => ({condition}) ? resolve() : performance.now() > late
            ? reject(new Error({json.dumps(condition)})) : setTimeout(look, 10);
          look();
        }})""",
        arg,
    )
