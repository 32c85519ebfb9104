"""Grafana's boards as code: what a board is made of, and the JSON that Grafana reads."""

import json
from typing import Any, NamedTuple

_WIDTH = 24
_HEIGHT = 8
_PREFIX = "hearlink_xero_"


class Panel(NamedTuple):
    """`queries`: expression (`M_` stands for our prefix) and legend; `unit` as Grafana calls it."""

    title: str
    unit: str
    description: str
    queries: tuple[tuple[str, str], ...]
    kind: str = "timeseries"
    stacked: bool = False


class Board(NamedTuple):
    """`rows`: a question, and the panels that answer it. `by_tenant`: the board has a choice of tenants."""

    uid: str
    title: str
    rows: tuple[tuple[str, tuple[Panel, ...]], ...]
    by_tenant: bool = False


def quantile(metric: str, share: float, by: str = "") -> str:
    """Return the expression of a quantile of our histogram `metric`, by the labels `by`."""
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({share}, sum by ({labels}) (rate(M_{metric}_bucket[$__rate_interval])))"


def render(board: Board) -> str:
    """Return the JSON that Grafana reads."""
    panels: list[dict[str, Any]] = []
    y = 0
    for question, row in board.rows:
        panels.append(_row(len(panels) + 1, question, y))
        y += 1
        width = _WIDTH // min(len(row), 3)
        for index, panel in enumerate(row):
            place = {"x": index % 3 * width, "y": y + index // 3 * _HEIGHT, "w": width, "h": _HEIGHT}
            panels.append(_panel(len(panels) + 1, panel, place))
        y += -(-len(row) // 3) * _HEIGHT
    document = {
        "uid": board.uid,
        "title": board.title,
        "tags": ["hearlink-xero"],
        "schemaVersion": 39,
        "editable": False,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "timezone": "browser",
        "links": [{"type": "dashboards", "tags": ["hearlink-xero"], "title": "Boards", "asDropdown": False}],
        "templating": {"list": [_tenant_choice()] if board.by_tenant else []},
        "panels": panels,
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _row(number: int, question: str, y: int) -> dict[str, Any]:
    return {
        "id": number,
        "type": "row",
        "title": question,
        "collapsed": False,
        "panels": [],
        "gridPos": {"x": 0, "y": y, "w": _WIDTH, "h": 1},
    }


def _panel(number: int, panel: Panel, place: dict[str, int]) -> dict[str, Any]:
    source = {"type": "prometheus", "uid": "prometheus"}
    custom = {"stacking": {"mode": "normal"}, "fillOpacity": 30} if panel.stacked else {}
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "datasource": source,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0, "custom": custom}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}} if panel.kind == "timeseries" else {},
        "targets": [
            {
                "refId": chr(ord("A") + index),
                "datasource": source,
                "expr": expression.replace("M_", _PREFIX),
                "legendFormat": legend,
            }
            for index, (expression, legend) in enumerate(panel.queries)
        ],
    }


def _tenant_choice() -> dict[str, Any]:
    query = f"label_values({_PREFIX}tenant_connected, tenant)"
    return {
        "name": "tenant",
        "label": "Tenant",
        "type": "query",
        "datasource": {"type": "prometheus", "uid": "prometheus"},
        "query": {"query": query, "refId": "tenant"},
        "definition": query,
        "refresh": 2,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "sort": 1,
    }
