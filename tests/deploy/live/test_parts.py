"""Each alert fires for its fault and for nothing else; meanwhile every panel of the boards gets an answer."""

import json
from pathlib import Path

import pytest

from tests.cli.service import Service
from tests.deploy.boards import BOARDS
from tests.deploy.grafana import render
from tests.deploy.live.part_faults import FAULTS, SHAKING
from tests.deploy.live.watch import others_fired, watched
from tests.deploy.prometheus import Prometheus

pytestmark = pytest.mark.timeout(600)


def test_each_alert_fires_when_its_part_fails_and_no_other_does(service: Service, tmp_path: Path) -> None:
    with watched(service, tmp_path) as (world, prometheus):
        panels = _Panels(prometheus)
        found = others_fired(world, prometheus, FAULTS, shaking=SHAKING, look=panels.ask)
    assert set(panels.silent) == set()
    assert found == {}


class _Panels:
    """What the panels of the boards ask, asked of the real Prometheus as the faults pass."""

    def __init__(self, prometheus: Prometheus) -> None:
        self._prometheus = prometheus
        self.silent: dict[str, list[str]] = {}
        for board in BOARDS:
            for panel in json.loads(render(board))["panels"]:
                if panel["type"] != "row":
                    queries = [target["expr"] for target in panel["targets"]]
                    self.silent[f"{board.title}: {panel['title']}"] = [_as_grafana_asks(query) for query in queries]

    def ask(self) -> None:
        """Ask those that had no answer yet."""
        self.silent = {
            title: queries for title, queries in self.silent.items() if not any(map(self._prometheus.query, queries))
        }


def _as_grafana_asks(query: str) -> str:
    return query.replace("$__rate_interval", "1m").replace("$tenant", ".*")
