"""Rules, dashboard and runbook hold together; each alert fires when it should and only then."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from alert_cases import ALL, CASES, HEALTHY, Case
from operations import promql
from operations.alerts import ALERTS
from operations.dashboard import dashboard
from operations.panels import ROWS
from support.tools import debian_program

from nextchar.telemetry.metric_table import METRICS

_ROOT = Path(__file__).parents[3]
_RULES = _ROOT / "helm/nextchar/files/rules.yaml"


def promtool(*arguments: str) -> str:
    """promtool's output; fails with it if promtool is not content."""
    program = debian_program("promtool", "prometheus")
    done = subprocess.run([program, *arguments], capture_output=True, check=False, timeout=300)
    output = (done.stdout + done.stderr).decode()
    assert done.returncode == 0, output
    return output


def test_the_rules_are_well_formed() -> None:
    assert "SUCCESS" in promtool("check", "rules", str(_RULES))


def test_every_alert_fires_when_it_should_and_no_other_does(tmp_path: Path) -> None:
    files = []
    for interval in {case.interval for case in CASES.values()}:
        tests = [_test(name, case) for name, case in CASES.items() if case.interval == interval]
        content = {"rule_files": [str(_RULES)], "evaluation_interval": interval, "tests": tests}
        files.append(tmp_path / f"{interval}.yaml")  # JSON is YAML
        files[-1].write_text(json.dumps(content))
    assert promtool("test", "rules", *map(str, files)).count("SUCCESS") == len(files)


def _test(name: str, case: Case) -> dict[str, Any]:
    values = {**HEALTHY, **case.changed}
    return {
        "name": name,
        "interval": case.interval,
        "input_series": [
            {"series": s, "values": v.replace(ALL, f"x{case.num_samples}")}
            for s, v in values.items()
            if v is not None
        ],
        "promql_expr_test": [
            {
                "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
                "eval_time": case.at,
                "exp_samples": [
                    {"labels": f'{{alertname="{alert}"}}', "value": 1} for alert in sorted(case.fires)
                ],
            }
        ],
    }


def test_there_is_a_case_for_every_alert() -> None:
    assert set().union(*(case.fires for case in CASES.values())) == set(ALERTS)


def test_every_alert_has_a_section_in_the_runbook() -> None:
    sections = re.findall(r"^### (Nextchar\w+)$", (_ROOT / "docs/operations.md").read_text(), re.MULTILINE)
    assert sections == list(ALERTS)


SENTENCE = re.compile(r"([A-Z]|\{\{).*[^.]\.")


def test_alerts_and_panels_are_described_in_whole_sentences() -> None:
    texts = [text for alert in ALERTS.values() for text in (alert.summary, alert.description)]
    texts += [panel.text for row in ROWS.values() for panel in row]
    assert [text for text in texts if not SENTENCE.fullmatch(text) or len(text.split()) < 4] == []


def test_every_metric_is_in_a_panel_and_every_panel_is_of_known_metrics() -> None:
    queries = " ".join(query for row in ROWS.values() for panel in row for query in panel.queries.values())
    assert [name for name in METRICS if name not in queries] == []
    assert set(re.findall(r"nextchar_\w+", queries)) <= {
        name + suffix for name in METRICS for suffix in ("", "_bucket", "_sum", "_count")
    }


def test_a_query_cannot_name_what_does_not_exist() -> None:
    with pytest.raises(AssertionError, match="no metric nextchar_nothing"):
        promql.rate("nextchar_nothing", "5m")
    with pytest.raises(AssertionError, match="no label colour"):
        promql.rate("nextchar_requests_total", "5m", by=("colour",))
    with pytest.raises(AssertionError, match="outcome is never good"):
        promql.rate("nextchar_requests_total", "5m", outcome="~good|error")
    with pytest.raises(AssertionError, match=r"no bound 0\.3"):
        promql.count_rate("nextchar_request_duration_seconds", "5m", le="0.3")


def test_panels_do_not_overlap_and_have_ids_of_their_own() -> None:
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24
