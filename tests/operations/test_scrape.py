"""A real Prometheus scrapes a real server under load: no error, nothing empty.

A few seconds here; `make scrape` takes two minutes.
"""

import os
import subprocess
import time
from pathlib import Path

import httpx
from load import Load
from operations.alerts import ALERTS
from operations.panels import ROWS
from operations.recordings import RECORDINGS
from prometheus_server import Prometheus, prometheus
from support.live_server import live_server
from support.tools import debian_program

# promtool takes the bit of information for a measure of storage; the name is what clients' dashboards know.
_BITS = 'nextchar_score_bits_per_char use base unit "bytes" instead of "bits"\n'
SECONDS = float(os.environ.get("SCRAPE_SECONDS", "8"))


def test_a_prometheus_scrapes_a_server_under_load(models: Path, tmp_path: Path) -> None:
    with live_server(models, data_dir=tmp_path / "server") as server, Load(server).running() as load:
        target = server.metrics_url.removeprefix("http://").removesuffix("/metrics")
        with prometheus(tmp_path, target) as watching:
            _wait_until_seen(watching)
            started = time.monotonic()
            empty = _watch(watching, until=started + SECONDS)
            scrapes, worst = (watching.query(f"{f}_over_time(up[10m])") for f in ("count", "min"))
            targets = watching.get("targets")["activeTargets"]
            rules = [rule for group in watching.get("rules")["groups"] for rule in group["rules"]]
        exposed = httpx.get(server.metrics_url).content
    assert empty == {}
    assert load.failures == []
    assert float(scrapes[0]["value"][1]) >= 0.7 * SECONDS
    assert worst[0]["value"][1] == "1"
    assert [(t["health"], t["lastError"]) for t in targets] == [("up", "")]
    assert {rule["name"] for rule in rules} == {*RECORDINGS, *ALERTS}
    assert [rule["name"] for rule in rules if rule["health"] != "ok"] == []
    assert [rule["name"] for rule in rules if rule.get("state") == "firing"] == []
    assert _lint(exposed) == _BITS


def _lint(exposed: bytes) -> str:
    program = debian_program("promtool", "prometheus")
    done = subprocess.run([program, "check", "metrics"], input=exposed, capture_output=True, check=False)
    return (done.stdout + done.stderr).decode()


def _wait_until_seen(watching: Prometheus) -> None:
    until = time.monotonic() + 30
    while not watching.query("up == 1"):
        assert time.monotonic() < until


def _watch(watching: Prometheus, *, until: float) -> dict[str, str]:
    """The queries of panels and recordings that have no series even at the end."""
    panels = [panel for row in ROWS.values() for panel in row]
    queries = {f"{panel.title}, {key}": query for panel in panels for key, query in panel.queries.items()}
    replaced = (("$__rate_interval", "10s"), ("$job", ".*"), ("$model", ".*"))
    for word, meant in replaced:
        queries = {name: query.replace(word, meant) for name, query in queries.items()}
    queries |= {name: name for name in RECORDINGS}
    empty = queries
    while time.monotonic() < until or (empty and time.monotonic() < until + 30):
        empty = {name: query for name, query in queries.items() if not watching.query(query)}
    return empty
