"""Runs a real Chromium, driven by Playwright in an environment of its own (page/browser/)."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.tools import debian_program, tool_python

_DRIVER = Path(__file__).parent / "browser" / "driver.py"
SCREENSHOTS = Path(__file__).parent / ".screenshots"


class Browser:
    """Runs scenarios of `browser/`, each in windows of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(self, scenario: str, **arguments: Any) -> Any:
        """Runs a scenario; returns its result and asserts that nothing went wrong in its windows."""
        self.start(scenario, **arguments)
        return self.finish()

    def start(self, scenario: str, **arguments: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"scenario": scenario, "arguments": arguments}) + "\n")
        self._process.stdin.flush()

    def finish(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the browser's driver has ended"
        answer = json.loads(line)
        assert "failure" not in answer, answer["failure"] + "\n".join(answer["trouble"])
        assert not answer["trouble"], "\n".join(answer["trouble"])
        return answer["result"]


@contextmanager
def chromium() -> Iterator[Browser]:
    """Runs a browser for as long as the context lasts; skips the test if none is installed."""
    program = debian_program("chromium", "chromium")
    command = [str(tool_python("browser")), str(_DRIVER), str(program)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Browser(process)
        assert process.stdin is not None
        process.stdin.close()
