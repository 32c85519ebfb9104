"""Start-up time, and time, size and series of a scrape with five hundred tenants.

Options: --tenants N (500), --orders N a tenant (200), --samples N (10).
"""

import argparse
import statistics
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import requests
from cryptography.fernet import Fernet
from prometheus_client.parser import text_string_to_metric_families

from consumer.database import connect, load_queries, migrate
from consumer.operations.collector import CACHE_SECONDS
from consumer.sandbox.broker import EmbeddedBroker
from consumer.sandbox.postgres import EmbeddedPostgres
from consumer.sandbox.xero import XeroSimulator
from tests.cli.service import Running, Service, base_environment

_QUERIES = load_queries(__file__, "scrape.sql")


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="scrape")
    parser.add_argument("--tenants", type=int, default=500)
    parser.add_argument("--orders", type=int, default=200)
    parser.add_argument("--samples", type=int, default=10)
    options = parser.parse_args(arguments)
    with ExitStack() as stack:
        server = stack.enter_context(EmbeddedPostgres())
        broker = stack.enter_context(EmbeddedBroker())
        simulator = stack.enter_context(XeroSimulator())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = server.create_database("bench")
        migrate(url)
        environment = base_environment(
            DATABASE_URL=url,
            KAFKA_BOOTSTRAP_SERVERS=broker.bootstrap_servers,
            XERO_API_URL=simulator.url,
            XERO_CLIENT_ID=simulator.client_id,
            XERO_CLIENT_SECRET=simulator.client_secret or "",
            TOKEN_ENCRYPTION_KEYS=Fernet.generate_key().decode(),
            HTTP_ADDRESS="127.0.0.1:0",
            LOG_FORMAT="json",
        )
        service = Service(environment, simulator, folder)
        service.expect("topics", "ensure", "--partitions", "3")
        with connect(url, name="bench") as connection:
            for name in ("organisations", "orders", "calls"):
                connection.execute(_QUERIES[name], {"tenants": options.tenants, "orders": options.orders})
            connection.execute("vacuum analyze")
        _start_up(service, options.samples)
        with service.start() as running:
            _scrape(running, options.samples)
            running.stop()


def _start_up(service: Service, samples: int) -> None:
    listening, reading = [], []
    for _ in range(samples):
        started = time.monotonic()
        with service.start() as running:
            running.wait_for("http_listening")
            listening.append(time.monotonic() - started)
            running.wait_for("partitions_assigned")
            reading.append(time.monotonic() - started)
            running.stop()
    print(f"start to first probe         median {statistics.median(listening):.2f} s")
    print(f"start to reading events      median {statistics.median(reading):.2f} s, slowest {max(reading):.2f} s")


def _scrape(running: Running, samples: int) -> None:
    address = f"{running.url}/metrics"
    looked_up: list[float] = []
    cached: list[float] = []
    text = ""
    running.wait_for("partitions_assigned")
    for _ in range(samples):
        time.sleep(CACHE_SECONDS)
        for kind in (looked_up, cached):
            started = time.monotonic()
            text = requests.get(address, timeout=60).text
            kind.append(time.monotonic() - started)
    series = sum(len(family.samples) for family in text_string_to_metric_families(text))
    slowest = f"slowest {max(looked_up) * 1000:.0f} ms"
    print(f"scrape                       median {statistics.median(looked_up) * 1000:.0f} ms, {slowest}")
    print(f"  within {CACHE_SECONDS:.0f} s of another       median {statistics.median(cached) * 1000:.0f} ms")
    print(f"series                       {series:,} in {len(text) / 1024:.0f} KiB")
