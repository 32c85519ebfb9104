"""A backup is put back that no timeline tells of: what was sent since is found in Xero, and nothing is made twice."""

from collections.abc import Iterator

import pytest

from consumer.database import connect
from consumer.orders import ChangeKind
from consumer.sandbox.postgres import EmbeddedPostgres
from tests.cli.service import Service
from tests.sync.books import payment

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def backup(postgres_server: EmbeddedPostgres, service: Service) -> Iterator[str]:
    """Name of a database that the test may make as a copy of the service's."""
    name = f"{service.environment['DATABASE_URL'].rpartition('/')[2]}_backup"
    yield name
    postgres_server.drop_database(name)


@pytest.mark.parametrize("told_by", ["database", "group"])
def test_a_payment_made_since_the_backup_is_not_made_again(
    service: Service, postgres_server: EmbeddedPostgres, backup: str, told_by: str
) -> None:
    service.set_up()
    with service.start() as running:
        running.wait_for("partitions_assigned")
        service.send_invoice("order-1")
        service.wait_until_quiet()
        assert running.stop() == 0
    url, _, name = service.environment["DATABASE_URL"].rpartition("/")
    postgres_server.create_database(backup, template=name)
    with service.start() as running:
        running.wait_for("partitions_assigned")
        service.send("order-1", ChangeKind.PAYMENT_SAVED, {"payment": payment()})
        service.wait_until_quiet()
        assert running.stop() == 0
    assert len(service.simulator.control.ledger(service.tenant_id)["Payments"]) == 1
    service.environment["DATABASE_URL"] = f"{url}/{backup}"
    if told_by == "database":
        # Nobody in Kafka knows where we were.
        service.environment["KAFKA_GROUP_ID"] += "-new"
    else:
        # A copy of the server's files is in nothing another one.
        with connect(service.environment["DATABASE_URL"], name="test") as connection:
            connection.execute("update setback set fingerprint = ''")
    with service.start() as running:
        running.wait_for("partitions_assigned")
        service.wait_until_quiet()
        assert running.stop() == 0
    assert len(service.simulator.control.ledger(service.tenant_id)["Payments"]) == 1
    with connect(service.environment["DATABASE_URL"], name="test") as connection:
        reasons = connection.execute("select distinct reason from setback where reason <> 'first'").fetchall()
    assert reasons == [(told_by,)]
