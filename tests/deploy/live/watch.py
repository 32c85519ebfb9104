"""A real Prometheus with the project's own rules, in fast motion, while one fault after another befalls the service."""

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from consumer.database import connect
from consumer.operations.collector import CACHE_SECONDS
from consumer.sandbox.processes import free_port
from tests.cli.service import Service
from tests.deploy.live.fast_rules import fast_rules
from tests.deploy.live.world import Faults, World
from tests.deploy.prometheus import Prometheus
from tests.fixtures.proxy import TcpProxy

# 15 minutes become 7 seconds.
_FACTOR = 120
# A rate needs a few scrapes.
_SHORTEST_WINDOW_SECONDS = 4
# Until numbers from before are in no process's memory and in no scrape any more.
_SETTLING_SECONDS = CACHE_SECONDS + 3.0
_DEPLOY = Path(__file__).parents[3] / "deploy"


@contextmanager
def watched(service: Service, folder: Path, kafka: TcpProxy | None = None) -> Iterator[tuple[World, Prometheus]]:
    """Set the service up in two processes and a console, and a Prometheus that scrapes them."""
    rules = fast_rules((_DEPLOY / "prometheus/alerts.yml").read_text(), _FACTOR, _SHORTEST_WINDOW_SECONDS)
    ports = [free_port(), free_port(), free_port()]
    service.set_up()
    # Faults bring more calls than a clinic makes.
    service.simulator.control.set_limits(service.tenant_id, per_minute=0, per_day=0)
    direct_url = service.environment["DATABASE_URL"]
    with ExitStack() as stack:
        postgres = stack.enter_context(TcpProxy("127.0.0.1", service.database_port))
        connection = stack.enter_context(connect(direct_url, name="test"))
        service.environment |= {
            "DATABASE_URL": service.database_url_by(postgres.port),
            "DIRECT_URL": direct_url,
            "HTTP_ADDRESS": f"127.0.0.1:{ports[1]}",
            "CONSOLE_ADDRESS": f"127.0.0.1:{free_port()}",
            "CONSOLE_METRICS_ADDRESS": f"127.0.0.1:{ports[2]}",
        }
        if kafka is not None:
            service.environment["KAFKA_BOOTSTRAP_SERVERS"] = f"127.0.0.1:{kafka.port}"
        back = stack.enter_context(service.start("--only", "push", "--only", "relay"))
        back.wait_for("started")
        console = stack.enter_context(service.start_command("console"))
        stack.callback(console.kill)
        service.environment["HTTP_ADDRESS"] = f"127.0.0.1:{ports[0]}"
        world = World(service, connection, back=back, console=console, postgres=postgres, kafka=kafka)
        try:
            world.front.wait_for("partitions_assigned")
            addresses = [f"127.0.0.1:{port}" for port in ports]
            targets = {"hearlink-xero": addresses[:2], "hearlink-xero-console": addresses[2:]}
            prometheus = stack.enter_context(Prometheus(folder, rules, targets))
            prometheus.wait(lambda: len(prometheus.query("hearlink_xero_build_info")) == 3, "all are scraped")
            yield world, prometheus
        finally:
            world.front.process.kill()
            world.front.process.wait()


def others_fired(
    world: World,
    prometheus: Prometheus,
    faults: Faults,
    *,
    shaking: Collection[str],
    companions: Mapping[str, Collection[str]] | None = None,
    look: Callable[[], None] = lambda: None,
) -> dict[str, list[str]]:
    """Wait for each fault's alert; return which others began to fire meanwhile, by alert, where any did.

    `shaking`: after these the service must settle. `companions`: what may begin as well. `look` is called in each.
    """
    world.send_orders()
    world.service.wait_until_quiet()
    world.service.expect("retry", "--order", "fault-1")
    seen = prometheus.firing()
    assert seen == set()
    found: dict[str, list[str]] = {}
    for alert, fault in faults.items():
        # Another fault's aftermath may have set it off: its own beginning would not be seen.
        prometheus.wait(partial(_is_silent, prometheus, alert), f"{alert} before its own fault")
        with fault(world):
            try:
                prometheus.wait(partial(_began, prometheus, alert, seen), alert)
            except AssertionError as error:
                lines = world.front.text.splitlines()[-30:]
                error.add_note("\n".join([str(world.service.status()), "the process' last lines:", *lines]))
                raise
            look()
            others = _names(prometheus.firing() - seen) - {alert, *(companions or {}).get(alert, ())}
        if others:
            found[alert] = sorted(others)
        if alert in shaking:
            world.service.wait_until_quiet()
            time.sleep(_SETTLING_SECONDS)
        # What fires while it is mended is its aftermath.
        seen |= prometheus.firing()
        look()
    return found


def _is_silent(prometheus: Prometheus, alert: str) -> bool:
    return alert not in _names(prometheus.firing())


def _began(prometheus: Prometheus, alert: str, seen: set[tuple[str, str]]) -> bool:
    return alert in _names(prometheus.firing() - seen)


def _names(firing: set[tuple[str, str]]) -> set[str]:
    return {name for name, _ in firing}
