"""A minute of everything at once, the same at every run; `make chaos` does it for as long as one likes."""

import tempfile
from pathlib import Path
from random import Random
from typing import Any

import pytest

from consumer.sandbox.postgres import EmbeddedPostgres
from consumer.sandbox.xero import XeroSimulator
from tests.chaos.arena import Arena
from tests.chaos.conftest import CLINICS, QUICK_GROUP
from tests.chaos.histories import make_history
from tests.chaos.storm import Storm, Weather
from tests.fixtures.kafka import ApacheKafka

pytestmark = pytest.mark.timeout(300)

_CALLS_PER_MINUTE = 600


@pytest.mark.parametrize("protocol", [{}, {"group.protocol": "consumer"}], ids=["classic", "KIP-848"])
def test_nothing_is_lost_and_nothing_doubled(
    own_kafka: ApacheKafka, own_postgres: EmbeddedPostgres, chaos_simulator: XeroSimulator, protocol: dict[str, Any]
) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        Arena(
            database_url=own_postgres.create_database("chaos"),
            bootstrap_servers=own_kafka.bootstrap_servers,
            simulator=chaos_simulator,
            folder=Path(folder),
            clinics=CLINICS,
            calls_per_minute=_CALLS_PER_MINUTE,
            safe_wait_seconds=4.0,
            kafka_config=protocol or QUICK_GROUP,
        ) as arena,
    ):
        storm = Storm(arena, Random(7), Weather(), broker=own_kafka, server=own_postgres)
        storm.rage(make_history(7, 120, CLINICS), 25.0)
        storm.heal()
        report = arena.check()
        assert report.is_clean, f"{report}\n{storm.tally}"
        assert storm.tally.died == []
        statistics = chaos_simulator.control.statistics()["tenants"]
        assert max(statistics[tenant_id]["fullest_minute"] for tenant_id in arena.tenant_ids) <= _CALLS_PER_MINUTE
