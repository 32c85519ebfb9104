import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.fernet import Fernet
from psycopg import Connection

from consumer.configuration import Configuration, read_configuration
from consumer.database import connect
from consumer.operations import kafka as kafka_module
from consumer.operations import readiness
from consumer.operations.assembly import Assembly
from consumer.sandbox.broker import Broker


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection[Any]]:
    with connect(database_url, name="test") as opened:
        yield opened


@pytest.fixture
def offline(database_url: str) -> Configuration:
    """A configuration whose Kafka is not there."""
    return read_configuration(
        {
            "DATABASE_URL": database_url,
            "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
            "XERO_CLIENT_ID": "test",
            "TOKEN_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
        }
    )


@pytest.fixture
def online(database_url: str, kafka: Broker) -> Configuration:
    """A configuration with topics of the test's own, which don't exist yet."""
    mark = uuid.uuid4().hex[:8]
    return read_configuration(
        {
            "DATABASE_URL": database_url,
            "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
            "ORDERS_TOPIC": f"orders.{mark}",
            "RETRY_TOPIC": f"retry.{mark}",
            "SYNC_LOG_TOPIC": f"sync-log.{mark}",
            "DEAD_LETTER_TOPIC": f"dead-letter.{mark}",
        }
    )


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Brokers that aren't there are not waited for."""
    monkeypatch.setattr(kafka_module, "KAFKA_SECONDS", 0.2)
    monkeypatch.setattr(readiness, "_KAFKA_SECONDS", 0.2)


@pytest.fixture
def parts(offline: Configuration) -> Iterator[Assembly]:
    with Assembly(offline) as assembly:
        yield assembly
