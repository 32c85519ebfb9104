import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from consumer.sandbox.broker import Broker
from consumer.sandbox.processes import free_port
from consumer.sandbox.xero import XeroSimulator
from tests.cli.service import Service, base_environment


@pytest.fixture
def service(kafka: Broker, empty_database_url: str, tmp_path: Path) -> Iterator[Service]:
    """A service of the test's own, with nothing set up yet."""
    with XeroSimulator() as simulator:
        simulator.control.set_app_limit(0)
        mark = uuid.uuid4().hex[:8]
        yield Service(
            environment=base_environment(
                DATABASE_URL=empty_database_url,
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
                LOG_LEVEL="info",
            ),
            simulator=simulator,
            folder=tmp_path,
        )
