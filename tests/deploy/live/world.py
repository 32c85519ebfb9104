"""The service while its alerts are watched, and what is done with it."""

import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

import requests
from confluent_kafka import Producer
from psycopg import Connection

from consumer.orders import ChangeKind
from consumer.sandbox.xero.control import Control
from tests.cli.service import PATIENCE_SECONDS, Running, Service
from tests.fixtures.proxy import TcpProxy
from tests.sync.books import invoice

if TYPE_CHECKING:
    from tests.contract.test_registry import FakeRegistry


class World:
    """The service under test: `front` runs all roles, `back` pushes and relays, `console` serves pages.

    `registry`, where they use one.

    `connection` goes past the proxies that the service's own connections to Postgres and Kafka pass.
    """

    def __init__(
        self,
        service: Service,
        connection: Connection[Any],
        *,
        back: Running,
        console: subprocess.Popen[str],
        postgres: TcpProxy,
        kafka: TcpProxy | None,
    ) -> None:
        self.service = service
        self.connection = connection
        self.postgres = postgres
        self.kafka = kafka
        self.back = back
        self.console = console
        self.front: Running = service.start()
        self.registry: FakeRegistry | None = None
        self._orders = 0

    @property
    def control(self) -> Control:
        """Xero's."""
        return self.service.simulator.control

    def send_orders(self, count: int = 1, *, late_every: int = 0) -> None:
        """Publish so many new orders at once; one of each `late_every` (0 = none) was saved an hour ago."""
        lines = [self._order_line(is_late=bool(late_every) and number % late_every == 0) for number in range(count)]
        self.service.expect("events", "send", "-", stdin="\n".join(lines) + "\n")

    def _order_line(self, *, is_late: bool) -> str:
        self._orders += 1
        order_id = f"fault-{self._orders}"
        change = {"invoice": invoice(f"F-{order_id}")}
        line = json.loads(self.service.event_line(order_id, ChangeKind.INVOICE_SAVED, change))
        if is_late:
            line["occurred_at"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 3_600))
        return json.dumps(line)

    def visit_order(self, order_id: str) -> int:
        """Look at an order's page in the console; return the answer's status."""
        url = f"http://localhost:{self.service.environment['CONSOLE_ADDRESS'].rpartition(':')[2]}"
        return requests.get(f"{url}/organisations/org-1/orders/{order_id}", timeout=30).status_code

    def send_poison(self, count: int) -> None:
        """Publish what is no event."""
        producer = Producer({"bootstrap.servers": self.service.environment["KAFKA_BOOTSTRAP_SERVERS"]})
        for _ in range(count):
            producer.produce(self.service.environment["ORDERS_TOPIC"], key=b"poison", value=b"not Avro", partition=0)
        assert producer.flush(30) == 0

    @contextmanager
    def repeatedly(self, act: Callable[[], None], pause_seconds: float) -> Iterator[None]:
        """Do `act` again and again, in a thread of its own."""
        stop = threading.Event()

        def repeat() -> None:
            while not stop.wait(pause_seconds):
                act()

        thread = threading.Thread(target=repeat)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def supervised(self) -> AbstractContextManager[None]:
        """Start the front again whenever it ended, as Kubernetes does."""

        def look() -> None:
            if self.front.process.poll() is not None:
                self.front = self.service.start()

        return self.repeatedly(look, 0.2)

    def wait(self, is_reached: Callable[[], bool], what: str) -> None:
        """Wait for something that must happen."""
        until = time.monotonic() + PATIENCE_SECONDS
        while not is_reached():
            assert time.monotonic() < until, f"in vain: {what}"
            time.sleep(0.05)


Fault = Callable[[World], AbstractContextManager[None]]
# Each alert with the fault that must set it off.
Faults = dict[str, Fault]
