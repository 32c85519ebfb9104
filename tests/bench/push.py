"""Time from an event to its invoice at light load, and Xero calls an order under load: the whole service at work.

Options: --samples N (200), --orders N (1000), --broker apache|embedded (apache where it is available).
"""

import argparse
import statistics
import tempfile
import time
import uuid
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from confluent_kafka import Producer
from cryptography.fernet import Fernet

from consumer.contract import Encoder, Schemas, event_from_json
from consumer.orders import ChangeKind
from consumer.resources import schemas_folder
from consumer.sandbox.broker import Broker, EmbeddedBroker
from consumer.sandbox.postgres import EmbeddedPostgres
from consumer.sandbox.processes import free_port
from consumer.sandbox.xero import XeroSimulator
from tests.cli.service import Service
from tests.fixtures import apache_kafka
from tests.fixtures.apache_kafka import KafkaBroker
from tests.sync.books import invoice, payment

_ORDERS = "hearlink.orders.v1"
# One order each so often is light load: each travels alone.
_PAUSE_SECONDS = 0.35


class _Bench:
    def __init__(self, service: Service, producer: Producer) -> None:
        self.service = service
        self.tenant_id = service.set_up()
        self._producer = producer
        self._schemas = Schemas.load(schemas_folder())
        self._encoder = Encoder(self._schemas)

    def produce(self, order_id: str, kind: ChangeKind, change: Any) -> None:
        event = event_from_json(self.service.event_line(order_id, kind, change), self._schemas)
        self._producer.produce(_ORDERS, self._encoder.encode_event(_ORDERS, event), order_id.encode())

    def flush(self) -> None:
        self._producer.flush()

    def calls(self) -> list[dict[str, Any]]:
        return self.service.simulator.control.calls(self.tenant_id)


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="push")
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--orders", type=int, default=1000)
    parser.add_argument("--broker", choices=["apache", "embedded"], default="apache")
    options = parser.parse_args(arguments)
    with ExitStack() as stack:
        use_apache = options.broker != "embedded" and apache_kafka.is_available()
        broker: Broker = stack.enter_context(KafkaBroker()) if use_apache else stack.enter_context(EmbeddedBroker())
        server = stack.enter_context(EmbeddedPostgres())
        simulator = stack.enter_context(XeroSimulator())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        environment = {
            "PATH": "/usr/bin:/bin",
            "DATABASE_URL": server.create_database("bench"),
            "KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
            "XERO_API_URL": simulator.url,
            "XERO_IDENTITY_URL": simulator.url,
            "XERO_LOGIN_URL": simulator.url,
            "XERO_CLIENT_ID": simulator.client_id,
            "XERO_CLIENT_SECRET": simulator.client_secret or "",
            "XERO_REDIRECT_URI": f"http://localhost:{free_port()}/xero/callback",
            "XERO_CALLS_PER_MINUTE": "100000",
            "XERO_CALLS_PER_DAY": "1000000",
            "TOKEN_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
            "HTTP_ADDRESS": "127.0.0.1:0",
            "LOG_FORMAT": "json",
        }
        # The broker goes first at the end, of which the client would tell at length.
        quiet = {"log_level": 0}
        producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "linger.ms": 0, "acks": "all", **quiet})
        bench = _Bench(Service(environment, simulator, folder), producer)
        simulator.control.set_app_limit(0)
        simulator.control.set_limits(bench.tenant_id, per_minute=0, per_day=0)
        running = stack.enter_context(bench.service.start())
        running.wait_for("http_listening")
        print(f"broker                       {broker.description}")
        _latency(bench, options.samples)
        _calls(bench, options.orders)


def _latency(bench: _Bench, samples: int) -> None:
    """Produce orders one at a time; the simulator's own clock says when each invoice came."""
    bench.produce("warm-up", ChangeKind.INVOICE_SAVED, {"invoice": invoice("warm-up")})
    bench.flush()
    bench.service.wait_until_quiet()
    seconds = []
    for number in range(samples):
        before = len(bench.calls())
        order_id = f"single-{number}"
        started = time.time()
        bench.produce(order_id, ChangeKind.INVOICE_SAVED, {"invoice": invoice(f"S-{number}")})
        bench.flush()
        time.sleep(_PAUSE_SECONDS)
        seconds.append(_invoice_at(bench, before) - started)
    seconds.sort()
    print(f"event to invoice             median {statistics.median(seconds) * 1000:.0f} ms")
    print(f"  99th percentile            {seconds[int(len(seconds) * 0.99) - 1] * 1000:.0f} ms of {samples} orders")


def _invoice_at(bench: _Bench, before: int) -> float:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        for call in bench.calls()[before:]:
            if call["method"] == "PUT" and call["path"].endswith("/Invoices"):
                return float(call["at_seconds"])
        time.sleep(0.01)
    raise TimeoutError("An invoice did not come within ten seconds.")


def _calls(bench: _Bench, orders: int) -> None:
    run = uuid.uuid4().hex[:6]

    def load(words: str, kinds: list[tuple[ChangeKind, Any]], prefix: str) -> None:
        before = len(bench.calls())
        started = time.monotonic()
        for number in range(orders):
            for kind, change in kinds:
                bench.produce(f"{prefix}-{number}", kind, change(number))
        bench.flush()
        bench.service.wait_until_quiet()
        took = time.monotonic() - started
        calls = bench.calls()[before:]
        writes = [call for call in calls if call["method"] != "GET"]
        by_path = Counter(f"{call['method']} {call['path'].split('/')[3]}" for call in writes)
        print(f"{words:28} {len(writes) / orders:.3f} write calls an order, {took:.1f} s, {dict(by_path)}")

    saved = ChangeKind.INVOICE_SAVED
    paid = ChangeKind.PAYMENT_SAVED
    load("new orders", [(saved, lambda n: {"invoice": invoice(f"A{run}-{n}")})], f"plain-{run}")
    load(
        "new orders, paid",
        [
            (saved, lambda n: {"invoice": invoice(f"B{run}-{n}")}),
            (paid, lambda n: {"payment": payment(f"p-{n}", amount="10.0000")}),
        ],
        f"paid-{run}",
    )
    load(
        "the same, one edit each",
        [(saved, lambda n: {"invoice": invoice(f"B{run}-{n}", reference="x")})],
        f"paid-{run}",
    )
