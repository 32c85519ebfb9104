"""What people do by commands is on record: who, what, why, and in each order's story."""

from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from consumer.cli.audit import record_orders
from consumer.database import connect
from tests.cli.service import Service

pytestmark = pytest.mark.timeout(180)

BY = ("--actor", "ann", "--reason", "asked by phone")


def acts(service: Service, action: str) -> list[dict[str, Any]]:
    with psycopg.connect(service.environment["DATABASE_URL"], row_factory=dict_row) as connection:
        return connection.execute(
            "select organisation_id, actor, detail from audit where action = %s order by id", [action]
        ).fetchall()


def story(service: Service, order_id: str) -> list[str]:
    moments = service.expect("timeline", order_id, "--json").json["moments"]
    return [moment["text"] for moment in moments if moment["kind"] == "act"]


def test_a_sync_is_on_record(office: Service) -> None:
    office.send_invoice("record-1")
    office.wait_until_quiet()
    office.expect("sync", "record-1", *BY)
    (act,) = [act for act in acts(office, "sync") if act["detail"]["order_id"] == "record-1"]
    assert (act["organisation_id"], act["actor"], act["detail"]["reason"]) == ("org-1", "ann", "asked by phone")
    assert story(office, "record-1") == ["ann: sync (asked by phone)"]


def test_a_sync_that_kafka_does_not_take_is_not_on_record(office: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consumer.operations.kafka.KAFKA_SECONDS", 0.2)
    office.send_invoice("record-2")
    office.wait_until_quiet()
    away = office.run("sync", "record-2", environment={"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"})
    assert away.code == 3
    assert story(office, "record-2") == []


def test_a_retry_that_kafka_does_not_take_is_not_on_record(office: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consumer.cli.retry._TIMEOUT_SECONDS", 0.5)
    office.send_invoice("record-6")
    office.wait_until_quiet()
    away = office.run("retry", "--order", "record-6", environment={"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"})
    assert away.code == 3
    assert "requests of 1 orders" in away.err
    assert story(office, "record-6") == []


def test_a_retry_is_on_record_with_what_it_was_asked_for(office: Service) -> None:
    for order_id in ("record-3", "record-4"):
        office.send_invoice(order_id, currency="ZZZ")
    office.wait_until_quiet()
    code = office.expect("logs", "--order", "record-3", "--outcome", "failed", "--json").lines[0]["problem"]
    before = len(acts(office, "retry"))
    office.expect("retry", "--problem", code, "--dry-run")
    assert len(acts(office, "retry")) == before
    office.expect("retry", "--problem", code, *BY)
    act = acts(office, "retry")[-1]
    assert {"record-3", "record-4"} <= set(act["detail"]["order_ids"])
    assert act["detail"]["filter"] == {"failed": True, "problem": code}
    assert (act["organisation_id"], act["actor"], act["detail"]["reason"]) == ("org-1", "ann", "asked by phone")
    assert any("ann: retry, with" in text for text in story(office, "record-4"))
    office.expect("retry", "--order", "record-3", "--actor", "bob")
    assert acts(office, "retry")[-1]["detail"] == {"order_id": "record-3"}


def test_a_swap_of_rebuilt_orders_is_on_record(office: Service) -> None:
    office.send_invoice("record-5")
    office.wait_until_quiet()
    with psycopg.connect(office.environment["DATABASE_URL"]) as connection:
        connection.execute("update orders set state = jsonb_set(state, '{notes}', '1') where order_id = 'record-5'")
    office.run("rebuild")
    assert acts(office, "rebuild") == []
    office.expect("rebuild", "--swap", *BY)
    (act,) = acts(office, "rebuild")
    assert (act["actor"], act["detail"]["reason"], act["detail"]["replaced"]) == ("ann", "asked by phone", 1)
    assert story(office, "record-5") == ["ann: rebuild replaced (asked by phone)"]
    office.wait_until_quiet()


def test_a_row_names_a_thousand_orders_of_one_organisation_at_most(database_url: str) -> None:
    orders = [(f"org-{number % 2}", f"order-{number:04}") for number in range(2_402)]
    with connect(database_url, name="test") as connection:
        record_orders(connection, "retry", orders, actor="ann", reason=None)
        rows = connection.execute(
            "select organisation_id, jsonb_array_length(detail -> 'order_ids') from audit order by id"
        ).fetchall()
    assert rows == [("org-0", 1_000), ("org-0", 201), ("org-1", 1_000), ("org-1", 201)]
