"""Writes helm/nextchar/files/rules.yaml: recording rules and alerts for Prometheus and a PrometheusRule."""

from typing import Any

from operations.alerts import ALERTS, Alert
from operations.recordings import RECORDINGS
from operations.yaml_text import to_yaml

_HEAD = "# Made by `make docs` from operations/alerts.py and recordings.py; do not edit it here.\n"


def text() -> str:
    """Returns the text of the file."""
    return _HEAD + to_yaml({"groups": groups()})


def groups() -> list[dict[str, Any]]:
    """Returns the groups of rules."""
    recordings = [{"record": name, "expr": expr} for name, expr in RECORDINGS.items()]
    return [
        {"name": "nextchar-recordings", "rules": recordings},
        {"name": "nextchar-alerts", "rules": [_rule(alert) for alert in ALERTS.values()]},
    ]


def _rule(alert: Alert) -> dict[str, Any]:
    return {
        "alert": alert.name,
        "expr": alert.expr,
        "for": alert.lasting,
        "labels": {"severity": alert.severity},
        "annotations": {
            "summary": alert.summary,
            "description": alert.description,
            "runbook": f"docs/operations.md#{alert.name.lower()}",
        },
    }
