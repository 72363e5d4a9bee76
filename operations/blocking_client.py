"""Makes the blocking client of the asynchronous one: the same text without `async` and `await`.

The files of `nextchar/client/blocking` are written by `make docs`; what is changed is changed in
`nextchar/client/asynchronous`.
"""

import re
import subprocess
import sys
from pathlib import Path

_CLIENT = Path(__file__).parents[1] / "server" / "nextchar" / "client"
MODULES = ("client", "session", "rest_transport", "grpc_transport")
_HEADER = "# Made of nextchar/client/asynchronous/{module}.py by `make docs`; change it there.\n"

# What is replaced, in this order, as whole words.
_REPLACED = {
    r"async (def|for|with) ": r"\1 ",
    r"\[(part) async for": r"[\1 for",
    r"\[part for part in (.+?)\]\)": r"list(\1))",
    r"await ": "",
    r"Awaitable\[(\w+)\]": r"\1",
    r"grpc\.aio\.": "grpc.",
    r"asyncio import (Lock|Semaphore)": r"threading import \1",
    r"asyncio": "time",
    r"nextchar\.client\.asynchronous": "nextchar.client.blocking",
    r"(Abstract)?Async([A-Z]\w*)": r"\1\2",
    r"a(closing|close|read|iter_bytes)\b": r"\1",
    r"__a(enter|exit)__": r"__\1__",
    r"programs that run an event loop; each client belongs to one loop": (
        "programs that block; threads may share one"
    ),
}


def text(module: str) -> str:
    """The blocking twin of a module."""
    found = (_CLIENT / "asynchronous" / f"{module}.py").read_text(encoding="utf-8")
    for pattern, replacement in _REPLACED.items():
        found = re.sub(rf"\b{pattern}" if pattern[0].isalpha() else pattern, replacement, found)
    return _formatted(_HEADER.format(module=module) + found)


def _formatted(source: str) -> str:
    """The source with sorted imports, as ruff writes it."""
    for command in (["check", "--quiet", "--fix-only", "--unsafe-fixes"], ["format", "--quiet"]):
        name = ["--stdin-filename", str(_CLIENT / "blocking" / "made.py"), "-"]
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, *name],
            input=source,
            capture_output=True,
            check=True,
            encoding="utf-8",
        )
        source = done.stdout
    return source
