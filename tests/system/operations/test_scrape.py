"""A real Prometheus scrapes a real server under load: no error, nothing empty.

A few scrapes here; `make scrape` takes two minutes.
"""

import os
import subprocess
from pathlib import Path
from typing import Any

import httpx
from load import Load
from operations.alerts import ALERTS
from operations.panels import ROWS
from operations.recordings import RECORDINGS
from prometheus_server import Prometheus, prometheus
from support.live_server import TLS, live_server
from support.tools import debian_program
from support.waiting import until

# promtool takes the bit of information for a measure of storage; the name is what clients' dashboards know.
_BITS = {
    f'{name} use base unit "bytes" instead of "bits"'
    for name in ("nextchar_score_bits_per_char", "nextchar_adaptive_bits_total")
}
_NUM_SCRAPES = int(os.environ.get("SCRAPE_SECONDS", "4"))  # one a second
# A machine that is busy for a second makes a scrape late, which says nothing about what was scraped.
_FAILED_IN_TIME = "count_over_time((up == 0 and scrape_duration_seconds < 1)[1h:500ms])"


def test_a_prometheus_scrapes_a_server_under_load(models: Path, tmp_path: Path) -> None:
    with live_server(models, data_dir=tmp_path / "server") as server, Load(server).running() as load:
        target = server.metrics_url.removeprefix("http://").removesuffix("/metrics")
        with prometheus(tmp_path, target) as watching:
            until(lambda: _num_scrapes(watching) >= _NUM_SCRAPES, seconds=60 + 5 * _NUM_SCRAPES)
            _wait_until_none_is_empty(watching)
            until(lambda: {rule["health"] for rule in _rules(watching)} == {"ok"})
            failed, rules = watching.query(_FAILED_IN_TIME), _rules(watching)
        exposed = httpx.get(server.metrics_url, verify=TLS).content
    assert load.failures == []
    assert failed == []
    assert {rule["name"] for rule in rules} == {*RECORDINGS, *ALERTS}
    assert [rule["name"] for rule in rules if rule.get("state") == "firing"] == []
    assert set(_lint(exposed).splitlines()) == _BITS


def _lint(exposed: bytes) -> str:
    program = debian_program("promtool", "prometheus")
    done = subprocess.run([program, "check", "metrics"], input=exposed, capture_output=True, check=False)
    return (done.stdout + done.stderr).decode()


def _num_scrapes(watching: Prometheus) -> float:
    return sum(float(series["value"][1]) for series in watching.query("sum_over_time(up[1h])"))


def _rules(watching: Prometheus) -> list[dict[str, Any]]:
    return [rule for group in watching.get("rules")["groups"] for rule in group["rules"]]


def _queries() -> dict[str, str]:
    """Returns the queries of panels and recordings by name."""
    panels = [panel for row in ROWS.values() for panel in row]
    queries = {f"{panel.title}, {key}": query for panel in panels for key, query in panel.queries.items()}
    replaced = (("$__rate_interval", "10s"), ("$job", ".*"), ("$model", ".*"))
    for word, meant in replaced:
        queries = {name: query.replace(word, meant) for name, query in queries.items()}
    return queries | {name: name for name in RECORDINGS}


def _wait_until_none_is_empty(watching: Prometheus) -> None:
    left = _queries()

    def none_is_left() -> bool:
        for name in list(left):
            if watching.query(left[name]):
                del left[name]
        return not left

    try:
        until(none_is_left)
    except AssertionError as error:
        raise AssertionError(f"there are no series of {list(left)}") from error
