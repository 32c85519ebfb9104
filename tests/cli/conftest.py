import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from consumer.sandbox.broker import Broker
from consumer.sandbox.postgres import EmbeddedPostgres
from consumer.sandbox.processes import free_port
from consumer.sandbox.xero import XeroSimulator
from tests.cli.service import Running, Service, base_environment


@pytest.fixture
def service(kafka: Broker, empty_database_url: str, tmp_path: Path) -> Iterator[Service]:
    """A service of the test's own, with nothing set up yet."""
    with _service(kafka, empty_database_url, tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def blank_service(
    kafka: Broker, postgres_server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """A service with nothing set up, for all tests of a file: none of them may set up anything."""
    name = f"cli_{uuid.uuid4().hex[:8]}"
    url = postgres_server.create_database(name)
    with _service(kafka, url, tmp_path_factory.mktemp("service")) as made:
        yield made
    postgres_server.drop_database(name)


@pytest.fixture(scope="module")
def shared_service(
    kafka: Broker, postgres_server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Service, Running]]:
    """A service that is set up and runs, for all tests of a file: each uses orders of its own."""
    name = f"cli_{uuid.uuid4().hex[:8]}"
    url = postgres_server.create_database(name)
    with _service(kafka, url, tmp_path_factory.mktemp("service")) as made:
        made.set_up()
        with made.start() as running:
            running.wait_for("partitions_assigned")
            yield made, running
            assert running.stop() == 0, running.text
    postgres_server.drop_database(name)


@pytest.fixture
def office(shared_service: tuple[Service, Running]) -> Service:
    return shared_service[0]


@contextmanager
def _service(kafka: Broker, database_url: str, folder: Path) -> Iterator[Service]:
    with XeroSimulator() as simulator:
        simulator.control.set_app_limit(0)
        mark = uuid.uuid4().hex[:8]
        environment = base_environment(
            DATABASE_URL=database_url,
            KAFKA_BOOTSTRAP_SERVERS=kafka.bootstrap_servers,
            KAFKA_GROUP_ID=f"hearlink-xero-{mark}",
            KAFKA_CONFIG=json.dumps(dict(kafka.client_config)),
            ORDERS_TOPIC=f"orders.{mark}",
            RETRY_TOPIC=f"retry.{mark}",
            SYNC_LOG_TOPIC=f"sync-log.{mark}",
            DEAD_LETTER_TOPIC=f"dead-letter.{mark}",
            XERO_API_URL=simulator.url,
            XERO_IDENTITY_URL=simulator.url,
            XERO_LOGIN_URL=simulator.url,
            XERO_CLIENT_ID=simulator.client_id,
            XERO_CLIENT_SECRET=simulator.client_secret or "",
            XERO_REDIRECT_URI=f"http://localhost:{free_port()}/xero/callback",
            XERO_CALLS_PER_MINUTE="1000",
            TOKEN_ENCRYPTION_KEYS=Fernet.generate_key().decode(),
            HTTP_ADDRESS="127.0.0.1:0",
            LOG_FORMAT="json",
        )
        yield Service(environment, simulator, folder)
