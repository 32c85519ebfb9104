"""One arena for all tests of a module: broker, server and simulator are shared, topics and tables are its own."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from consumer.sandbox.broker import Broker
from consumer.sandbox.postgres import EmbeddedPostgres
from consumer.sandbox.xero import XeroSimulator
from tests.chaos.arena import Arena
from tests.chaos.histories import Clinic

# A draft clinic and a manual one beside those that are as most are.
CLINICS = [
    Clinic("clinic-1", 0),
    Clinic("clinic-2", 0, draft=True),
    Clinic("clinic-3", 1),
    Clinic("clinic-4", 1, manual=True),
]
# A killed member's partitions are given to others this soon.
QUICK_GROUP = {"session.timeout.ms": 1000, "heartbeat.interval.ms": 200}


@pytest.fixture(scope="session")
def chaos_simulator() -> Iterator[XeroSimulator]:
    with XeroSimulator() as simulator:
        yield simulator


@pytest.fixture(scope="module")
def arena(
    kafka: Broker, postgres_server: EmbeddedPostgres, chaos_simulator: XeroSimulator, request: pytest.FixtureRequest
) -> Iterator[Arena]:
    name = f"chaos_{request.module.__name__.rpartition('.')[2]}"
    with (
        tempfile.TemporaryDirectory() as folder,
        Arena(
            database_url=postgres_server.create_database(name),
            bootstrap_servers=kafka.bootstrap_servers,
            simulator=chaos_simulator,
            folder=Path(folder),
            clinics=CLINICS,
            kafka_config={**kafka.client_config, **QUICK_GROUP},
        ) as found,
    ):
        yield found
    postgres_server.drop_database(name)
