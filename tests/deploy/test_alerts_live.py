"""The real service, scraped by a real Prometheus with the project's own rules, while one thing after another fails."""

import json
import time
from functools import partial
from pathlib import Path

import pytest

from consumer.database import connect
from consumer.operations.collector import CACHE_SECONDS
from consumer.sandbox.processes import free_port
from tests.cli.service import Service
from tests.deploy.boards import BOARDS
from tests.deploy.fast_rules import fast_rules
from tests.deploy.faults import SHAKING, Faults, World, faults
from tests.deploy.grafana import render
from tests.deploy.prometheus import Prometheus
from tests.fixtures.proxy import TcpProxy

# 15 minutes become 7 seconds.
FACTOR = 120
# A rate needs a few scrapes.
SHORTEST_WINDOW_SECONDS = 4
# Until numbers from before are in no process's memory and in no scrape any more.
_SETTLING_SECONDS = CACHE_SECONDS + 3.0
pytestmark = pytest.mark.timeout(600)


def test_each_alert_fires_for_its_fault_and_for_nothing_else(service: Service, deploy: Path, tmp_path: Path) -> None:
    rules = fast_rules((deploy / "prometheus/alerts.yml").read_text(), FACTOR, SHORTEST_WINDOW_SECONDS)
    ports = [free_port(), free_port()]
    service.set_up()
    # Faults bring more calls than a clinic makes.
    service.simulator.control.set_limits(service.tenant_id, per_minute=0, per_day=0)
    direct_url = service.environment["DATABASE_URL"]
    with TcpProxy("127.0.0.1", service.database_port) as proxy, connect(direct_url, name="test") as connection:
        service.environment |= {
            "DATABASE_URL": service.database_url_by(proxy.port),
            "DIRECT_URL": direct_url,
            "HTTP_ADDRESS": f"127.0.0.1:{ports[1]}",
        }
        with service.start("--only", "push", "--only", "relay") as back:
            back.wait_for("started")
            service.environment["HTTP_ADDRESS"] = f"127.0.0.1:{ports[0]}"
            world = World(service, connection, proxy)
            world.front.wait_for("partitions_assigned")
            try:
                with Prometheus(tmp_path, rules, [f"127.0.0.1:{port}" for port in ports]) as prometheus:
                    panels = _Panels(prometheus)
                    found = _watch(prometheus, panels, world, faults(back))
            finally:
                world.front.process.kill()
                world.front.process.wait()
    assert set(panels.silent) == set()
    assert {alert: sorted(others) for alert, others in found.items() if others} == {}


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


def _watch(prometheus: Prometheus, panels: _Panels, world: World, all_faults: Faults) -> dict[str, set[str]]:
    """Return for each fault which alerts besides its own began to fire."""
    prometheus.wait(lambda: len(prometheus.query("hearlink_xero_build_info")) == 2, "both processes are scraped")
    world.send_orders()
    world.service.wait_until_quiet()
    world.service.expect("retry", "--order", "fault-1")
    seen = prometheus.firing()
    assert seen == set()
    found: dict[str, set[str]] = {}
    for alert, fault in all_faults.items():
        # Another fault's aftermath may have set it off: its own beginning would not be seen.
        prometheus.wait(partial(_is_silent, alert, prometheus), f"{alert} is silent before its own fault")
        with fault(world):
            try:
                prometheus.wait(partial(_began, alert, prometheus, seen), alert)
            except AssertionError as error:
                lines = world.front.text.splitlines()[-30:]
                error.add_note("\n".join([str(world.service.status()), "the process' last lines:", *lines]))
                raise
            panels.ask()
            found[alert] = {name for name, _ in prometheus.firing() - seen} - {alert}
        if alert in SHAKING:
            world.service.wait_until_quiet()
            time.sleep(_SETTLING_SECONDS)
        # What fires while it is mended is its aftermath.
        seen |= prometheus.firing()
        panels.ask()
    return found


def _is_silent(alert: str, prometheus: Prometheus) -> bool:
    return alert not in {name for name, _ in prometheus.firing()}


def _began(alert: str, prometheus: Prometheus, seen: set[tuple[str, str]]) -> bool:
    return alert in {name for name, _ in prometheus.firing() - seen}
