"""One Chromium, told what to do line by line: {"scenario", "arguments"} in, {"result"} or {"failure"} out.

Runs in the environment of `.tools/browser`, which has Playwright; nothing of the project is imported here.
"""

import importlib
import json
import sys
import traceback

from playwright.sync_api import sync_playwright
from stage import Stage

_FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage"),
    "--host-resolver-rules=MAP evil.example 127.0.0.1",  # as its owner's name server would say
)


def main(chromium: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(_FLAGS))
        for line in sys.stdin:
            order = json.loads(line)
            module, _, name = order["scenario"].partition(".")
            stage = Stage(browser)
            try:
                result = getattr(importlib.import_module(module), name)(stage, **order["arguments"])
                answer = {"result": result, "trouble": stage.trouble}
            except Exception:  # noqa: BLE001 (the test that asked hears of it)
                answer = {"failure": traceback.format_exc(), "trouble": stage.trouble}
            finally:
                stage.close()
            print(json.dumps(answer), flush=True)
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1])
