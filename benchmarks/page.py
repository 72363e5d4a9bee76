"""Measures what the page at `/` adds to a feed call, and how long it is held up by many strings.

Key to bars is measured beside the bare call, in one browser.

Needs `make tools` and Debian's chromium; tests/system/page/browser/ has the scenarios.
"""

import json
import shutil
import statistics
import subprocess
from pathlib import Path
from typing import Any

import httpx

from benchmarks.servers import our_server

_ROOT = Path(__file__).parents[1]
_PORT = 18391
_MODEL, _NUM_CHARS, _NUM_KEYS, _KEYS_PER_SECOND = "shakespeare", 5000, 400, 30.0
_NUM_STRINGS = 10_000


def installed() -> bool:
    """Returns whether a browser and its driver are installed."""
    return (_ROOT / ".tools/browser/.ok").exists() and shutil.which("chromium") is not None


def measure(*, rounds: int) -> dict[str, Any]:
    """Returns the medians over rounds of the milliseconds that 50% and 95% of calls stay below."""
    found: dict[str, list[float]] = {}
    url = f"http://127.0.0.1:{_PORT}"
    with our_server(_ROOT / "models", _PORT):
        text = _play(url)
        given, typed = text[:_NUM_CHARS], text[_NUM_CHARS : _NUM_CHARS + _NUM_KEYS]
        order = {"url": url, "text": given, "typed": typed, "keys_per_second": _KEYS_PER_SECOND}
        for k in range(rounds):
            session = {"model": _MODEL, "session_id": f"bare-{k}", "prime": given}
            httpx.post(url + "/v1/sessions", json=session).raise_for_status()
            seen = _run("pace.beside", **order, session_id=f"bare-{k}")
            for name, times in (("bare feed", seen["bare"]), ("key to bars", key_to_bars(seen))):
                found.setdefault(f"{name}, half below", []).append(statistics.median(times))
                found.setdefault(f"{name}, 95% below", []).append(statistics.quantiles(times, n=20)[-1])
    result = {name: statistics.median(values) for name, values in found.items()}
    pairs = zip(found["key to bars, 95% below"], found["bare feed, 95% below"], strict=True)
    return {**result, "ratio of the 95%": statistics.median(key / bare for key, bare in pairs)}


def longest_tasks(*, rounds: int) -> dict[str, float]:
    """Returns the median over rounds of the longest that the page is held up while 10,000 strings come in.

    It is 0 where that is less than 50 ms, which a browser does not tell.
    """
    strings = [f"{number * 7919 % 10_007:05}-{number:x}" for number in range(_NUM_STRINGS)]
    with our_server(_ROOT / "models", _PORT):
        order = {"url": f"http://127.0.0.1:{_PORT}", "model": "domains", "strings": strings}
        found = [max(_run("compare.many", **order)["tasks"], default=0.0) for _ in range(rounds)]
    return {"longest task": statistics.median(found)}


def key_to_bars(seen: dict[str, Any]) -> list[float]:
    """Returns the milliseconds from each key to the first bars that include it."""
    drawn = [(len(one["text"]), one["at"]) for one in seen["drawn"]]
    return [min(at for length, at in drawn if length >= key["length"]) - key["at"] for key in seen["inputs"]]


def _play(url: str) -> str:
    body = {"model": _MODEL, "prompt": "ROMEO:\n", "max_tokens": _NUM_CHARS + _NUM_KEYS, "seed": 1}
    answer = httpx.post(url + "/v1/completions", json=body, timeout=60).json()
    text: str = answer["choices"][0]["text"]
    return text


def _run(scenario: str, **arguments: Any) -> Any:
    driver = _ROOT / "tests/system/page/browser/driver.py"
    command = [_ROOT / ".tools/browser/bin/python", driver, shutil.which("chromium") or ""]
    order = json.dumps({"scenario": scenario, "arguments": arguments})
    done = subprocess.run(command, input=order, capture_output=True, text=True, check=True)
    answer = json.loads(done.stdout)
    assert "failure" not in answer, answer["failure"]
    return answer["result"]
