"""Writes helm/nextchar/files/dashboard.json, a Grafana dashboard with queries over the table of metrics."""

import json
from typing import Any

from operations.panel import Panel
from operations.panels import ROWS

_WIDTH, _COLUMNS, _HEIGHT = 24, 3, 7
_DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}


def text() -> str:
    """Returns the text of the file."""
    return json.dumps(dashboard(), indent=1, ensure_ascii=False) + "\n"


def dashboard() -> dict[str, Any]:
    """Returns the dashboard as Grafana imports it."""
    panels: list[dict[str, Any]] = []
    y = 0
    for title, row in ROWS.items():
        panels.append(
            {
                "type": "row",
                "title": title,
                "collapsed": False,
                "panels": [],
                "id": len(panels) + 1,
                "gridPos": {"h": 1, "w": _WIDTH, "x": 0, "y": y},
            }
        )
        y += 1
        for index, panel in enumerate(row):
            place = {"x": index % _COLUMNS * (_WIDTH // _COLUMNS), "y": y + index // _COLUMNS * _HEIGHT}
            panels.append(_panel(panel, len(panels) + 1, {"h": _HEIGHT, "w": _WIDTH // _COLUMNS, **place}))
        y += -(-len(row) // _COLUMNS) * _HEIGHT
    return {
        "uid": "nextchar",
        "title": "nextchar",
        "tags": ["nextchar"],
        "timezone": "browser",
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": _variables()},
        "annotations": {"list": []},
        "panels": panels,
    }


def _panel(panel: Panel, number: int, place: dict[str, int]) -> dict[str, Any]:
    targets = [
        {"refId": chr(ord("A") + i), "expr": expr, "legendFormat": legend, "datasource": _DATASOURCE}
        for i, (legend, expr) in enumerate(panel.queries.items())
    ]
    return {
        "id": number,
        "type": "timeseries",
        "title": panel.title,
        "description": panel.text,
        "datasource": _DATASOURCE,
        "gridPos": place,
        "fieldConfig": {
            "defaults": {"unit": panel.unit, "min": 0, "custom": {"fillOpacity": 10, "showPoints": "never"}},
            "overrides": [],
        },
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
        "targets": targets,
    }


def _variables() -> list[dict[str, Any]]:
    chosen = [
        {
            "name": name,
            "label": name,
            "type": "query",
            "datasource": _DATASOURCE,
            "query": {"query": f"label_values(nextchar_model_info, {name})", "refId": name},
            "refresh": 2,
            "includeAll": True,
            "allValue": ".*",
            "multi": True,
            "current": {"text": "All", "value": "$__all"},
        }
        for name in ("job", "model")
    ]
    source = {"name": "datasource", "label": "datasource", "type": "datasource", "query": "prometheus"}
    return [source, *chosen]
