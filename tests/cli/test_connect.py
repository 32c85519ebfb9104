"""Connecting: by consent, refused, to other books than before; and what waited for it."""

import pytest

from consumer.database import connect
from tests.cli.service import Service

pytestmark = pytest.mark.timeout(180)


def test_a_refused_consent_changes_nothing(service: Service) -> None:
    service.simulator.control.demo_tenant("Harbour Hearing")
    service.expect("migrate")
    service.simulator.control.set_consent(deny=True)
    answer = service.connect()
    assert answer.code == 1
    assert "refused in Xero" in answer.err
    assert service.status_without_kafka()["connections"] == []


def test_other_books_than_before_have_to_be_confirmed(service: Service) -> None:
    control = service.simulator.control
    first, second = control.demo_tenant("Harbour Hearing"), control.demo_tenant("Valley Hearing")
    service.expect("migrate")
    service.apply_settings(first)
    control.set_consent(tenant_ids=[second])
    refused = service.connect()
    assert refused.code == 1
    assert first in refused.err
    assert service.status_without_kafka()["connections"] == []
    confirmed = service.connect("org-1", "--confirm-other-organisation")
    assert confirmed.code == 0, confirmed.err
    assert second in confirmed.out
    assert "Valley Hearing" in confirmed.out


def test_orders_wait_for_the_connection_and_go_once_it_is_back(service: Service) -> None:
    tenant_id = service.set_up()
    with service.start() as running:
        running.wait_for("partitions_assigned")
        service.simulator.control.revoke_tokens()
        service.send_invoice("order-1")
        found = service.wait_for_status(lambda status: status["waiting_for"].get("connection") == 1)
        assert found["connections"][0]["state"] == "disconnected"
        assert "Xero is disconnected for org-1" in service.expect("status").out
        assert "Xero is disconnected" in service.expect("plan", "order-1").out
        waiting = service.run("sync", "order-1", "--wait")
        assert waiting.code == 1
        assert "goes once it is connected again" in waiting.out

        answer = service.connect()
        assert answer.code == 0, answer.err
        assert "1 orders that waited" in answer.out
        assert service.wait_until_quiet()["failed"] == 0
        assert len(service.simulator.control.ledger(tenant_id)["Invoices"]) == 1
        assert running.stop() == 0


def test_a_role_that_is_too_low_is_told_and_ends_once_it_is_mended_in_xero(service: Service) -> None:
    tenant_id = service.set_up()
    service.simulator.control.set_role(tenant_id, "read_only")
    with service.start() as running:
        running.wait_for("partitions_assigned")
        service.send_invoice("order-1")
        found = service.wait_for_status(lambda status: status["waiting_for"].get("connection") == 1)
        assert [(entry["code"], entry["tenant_id"]) for entry in found["access"]] == [("permission_missing", tenant_id)]
        assert found["connections"][0]["state"] == "connected"
        shown = service.expect("status").out
        assert "does not have enough rights there" in shown
        assert "permission missing" in shown
        assert "does not have enough rights there" in service.expect("plan", "order-1").out
        assert "permission_missing" in service.run("settings", "check", "--organisation", "org-1").out

        service.simulator.control.set_role(tenant_id, "standard")
        # It would be tried again within the minute.
        with connect(service.environment["DATABASE_URL"], name="test") as connection:
            connection.execute("update xero_refusal set retry_at = now()")
        assert service.wait_until_quiet()["access"] == []
        assert len(service.simulator.control.ledger(tenant_id)["Invoices"]) == 1
        assert running.stop() == 0
