"""The doorbell: what a retry request does to an order, and all that it must not do."""

import itertools
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from psycopg import Connection
from psycopg.rows import dict_row

from consumer.contract import RetryRequest
from consumer.database import connect
from consumer.results import Rung, ring
from tests.results.conftest import InsertOrder

NOW = datetime.now(UTC)
# However long the tests take, none of it comes meanwhile.
SOON = NOW + timedelta(hours=2)
LATER = NOW + timedelta(hours=4)
MUCH_LATER = NOW + timedelta(hours=8)


def manual(order_id: str = "order-1", **fields: Any) -> RetryRequest:
    return RetryRequest(order_id=order_id, requested_at=NOW, trigger="manual", **fields)


def retry(order_id: str = "order-1", **fields: Any) -> RetryRequest:
    return RetryRequest(order_id=order_id, requested_at=NOW, **{"attempt": 9, **fields})


def test_a_request_without_an_attempt_is_a_persons(connection: Connection[Any], insert_order: InsertOrder) -> None:
    insert_order("order-1", hold="manual")
    assert ring(connection, [retry(attempt=None, actor="kcat")]).due == ("order-1",)
    row = read(connection)
    assert (row["hold"], row["priority"], row["actor"]) == (None, 0, "kcat")


def read(connection: Connection[Any], order_id: str = "order-1") -> dict[str, Any]:
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(
            """
            select due_at, due_at <= now() as is_due, hold, priority, trigger, requested_revision, actor, attempts,
                problem_id
            from orders where order_id = %s
            """,
            [order_id],
        ).fetchone()
    assert row is not None
    return row


def leave_in_doubt(
    connection: Connection[Any], *, kind: str = "invoice", order_id: str = "order-1", local_id: str = "invoice-1"
) -> None:
    """A call to the tenant of all clinics, whose answer was lost."""
    connection.execute(
        """
        insert into organisation (organisation_id, synchronisation_enabled, mode, invoice_status, tenant_id)
        values ('org-1', true, 'auto', 'draft', 'tenant-1');
        insert into clinic (organisation_id, clinic_id) values ('org-1', 'clinic-1');
        insert into xero_intent (
            tenant_id, organisation_id, lease_epoch, stage, method, path, idempotency_key, body_hash
        )
        values ('tenant-1', 'org-1', 1, 'invoices', 'PUT', '/Invoices', 'key-1', 'hash')
        """
    )
    connection.execute(
        """
        insert into xero_intent_element (intent_id, position, operation, kind, order_id, local_id)
        select id, 0, 'create', %s, %s, %s from xero_intent
        """,
        [kind, order_id, local_id],
    )


@pytest.mark.parametrize("hold", ["manual", "problem", "connection", "retry", "limit", None])
def test_a_persons_request_makes_the_order_due_before_all_else(
    connection: Connection[Any], insert_order: InsertOrder, hold: str | None
) -> None:
    insert_order("order-1", revision=4, synced_revision=2, hold=hold, due_at=LATER, attempts=9, priority=2)
    assert ring(connection, [manual(actor="user-1")]) == Rung(("order-1",), ())
    row = read(connection)
    assert row["is_due"]
    assert row["hold"] is None
    assert row["priority"] == 0
    assert row["requested_revision"] == 4
    assert row["actor"] == "user-1"
    # Given up no sooner than one that was never tried.
    assert row["attempts"] == 9
    assert row["trigger"] == ("retry" if hold in {"problem", "retry", "connection"} else "manual")


def test_a_request_for_an_order_with_a_problem_is_a_retry_of_it(
    connection: Connection[Any], insert_order: InsertOrder
) -> None:
    insert_order("order-1", problem_id=5, hold="problem")
    ring(connection, [manual()])
    assert read(connection)["trigger"] == "retry"
    assert read(connection)["problem_id"] == 5


def test_a_request_works_on_an_order_that_is_in_step(connection: Connection[Any], insert_order: InsertOrder) -> None:
    insert_order("order-1")
    assert ring(connection, [manual()]).due == ("order-1",)
    assert read(connection)["is_due"]


def test_an_order_in_doubt_stays_so_and_remembers_the_request(
    connection: Connection[Any], insert_order: InsertOrder
) -> None:
    insert_order("order-1", revision=3, hold="in_doubt", due_at=LATER)
    leave_in_doubt(connection)
    ring(connection, [manual(actor="user-1"), retry()])
    row = read(connection)
    assert (row["hold"], row["due_at"]) == ("in_doubt", LATER)
    assert (row["requested_revision"], row["actor"], row["priority"]) == (3, "user-1", 0)


def test_a_plain_retry_leaves_an_order_in_doubt_alone(connection: Connection[Any], insert_order: InsertOrder) -> None:
    insert_order("order-1", revision=3, synced_revision=1, hold="in_doubt", due_at=LATER)
    leave_in_doubt(connection)
    before = read(connection)
    assert ring(connection, [retry()]) == Rung((), ())
    assert before == read(connection)


@pytest.mark.parametrize(("local_id", "hold"), [("patient-1", "in_doubt"), ("patient-2", None)])
def test_an_order_is_in_doubt_for_its_patients_contact_and_no_other(
    connection: Connection[Any], insert_order: InsertOrder, local_id: str, hold: str | None
) -> None:
    """Its patient may have become another one since it was held."""
    insert_order("order-1", hold="in_doubt", patient_id="patient-1")
    leave_in_doubt(connection, kind="contact", order_id="order-2", local_id=local_id)
    ring(connection, [manual()])
    row = read(connection)
    assert (row["hold"], row["is_due"]) == (hold, None if hold else True)


def test_a_plain_retry_brings_the_time_forward_and_nothing_else(
    connection: Connection[Any], insert_order: InsertOrder
) -> None:
    insert_order(
        "order-1", revision=3, synced_revision=1, hold="retry", due_at=LATER, attempts=4, priority=2, trigger="auto"
    )
    before = read(connection)
    assert ring(connection, [retry(attempt=4, not_before=SOON)]).due == ("order-1",)
    assert read(connection) == before | {"due_at": SOON}


def test_a_plain_retry_never_moves_the_time_back(connection: Connection[Any], insert_order: InsertOrder) -> None:
    insert_order("order-1", revision=3, synced_revision=1, hold="retry", due_at=SOON)
    assert ring(connection, [retry(not_before=LATER)]).due == ()
    assert read(connection)["due_at"] == SOON


def test_a_retry_without_a_time_is_due_at_once(connection: Connection[Any], insert_order: InsertOrder) -> None:
    insert_order("order-1", hold="problem")
    ring(connection, [retry()])
    assert read(connection)["is_due"]


@pytest.mark.parametrize(
    ("not_before", "earliest", "latest"),
    [
        (datetime(1900, 1, 1, tzinfo=UTC), timedelta(), timedelta(hours=1)),
        (datetime(2999, 12, 31, tzinfo=UTC), timedelta(days=1), timedelta(days=8)),
    ],
)
def test_a_retry_is_due_between_now_and_a_few_days_whatever_it_says(
    connection: Connection[Any], insert_order: InsertOrder, not_before: datetime, earliest: timedelta, latest: timedelta
) -> None:
    insert_order("order-1", hold="problem")
    ring(connection, [retry(not_before=not_before)])
    assert NOW + earliest <= read(connection)["due_at"] <= NOW + latest


@pytest.mark.parametrize(("attempt", "due_at"), [(3, LATER), (4, SOON), (5, SOON)])
def test_a_retry_older_than_the_last_attempt_changes_nothing(
    connection: Connection[Any], insert_order: InsertOrder, attempt: int, due_at: datetime
) -> None:
    insert_order("order-1", revision=3, synced_revision=1, hold="retry", due_at=LATER, attempts=4)
    ring(connection, [retry(attempt=attempt, not_before=SOON)])
    assert read(connection)["due_at"] == due_at
    assert read(connection)["attempts"] == 4


@pytest.mark.parametrize(("revision", "due"), [(2, ()), (3, ("order-1",)), (4, ("order-1",)), (None, ("order-1",))])
def test_a_retry_older_than_the_last_change_changes_nothing(
    connection: Connection[Any], insert_order: InsertOrder, revision: int | None, due: tuple[str, ...]
) -> None:
    insert_order("order-1", revision=3, synced_revision=1, hold="problem", attempts=1)
    assert ring(connection, [retry(attempt=7, revision=revision)]).due == due
    assert read(connection)["is_due"] == (True if due else None)


def test_a_retry_of_an_order_that_needs_nothing_changes_nothing(
    connection: Connection[Any], insert_order: InsertOrder
) -> None:
    insert_order("order-1")
    assert ring(connection, [retry()]) == Rung((), ())
    assert read(connection)["due_at"] is None


def test_unknown_orders_are_reported(connection: Connection[Any], insert_order: InsertOrder) -> None:
    insert_order("order-1", hold="problem")
    rung = ring(connection, [manual("stranger"), retry("order-1"), retry("other-stranger"), retry("stranger")])
    assert rung == Rung(("order-1",), ("other-stranger", "stranger"))
    assert ring(connection, []) == Rung((), ())


def test_many_requests_for_one_order_act_as_one(connection: Connection[Any], insert_order: InsertOrder) -> None:
    insert_order("order-1", revision=3, synced_revision=1, hold="retry", due_at=MUCH_LATER, attempts=4)
    ring(connection, [retry(attempt=4, not_before=LATER), retry(attempt=2), retry(attempt=4, not_before=SOON)])
    assert read(connection)["due_at"] == SOON
    ring(connection, [manual(actor="first"), retry(attempt=4, not_before=LATER), manual(actor="last")])
    assert read(connection)["is_due"]
    assert read(connection)["actor"] == "last"


def test_retries_commute(connection: Connection[Any], insert_order: InsertOrder) -> None:
    requests = [retry(attempt=4, not_before=LATER), retry(attempt=3), retry(attempt=5, not_before=SOON)]
    seen = set()
    for number, order in enumerate(itertools.permutations(requests)):
        order_id = f"order-{number}"
        insert_order(order_id, revision=3, synced_revision=1, hold="retry", due_at=MUCH_LATER, attempts=4)
        for request in order:
            ring(connection, [retry(order_id, attempt=request.attempt, not_before=request.not_before)])
        seen.add(tuple(read(connection, order_id).values()))
    assert len(seen) == 1


def test_a_doubled_request_does_no_harm(connection: Connection[Any], insert_order: InsertOrder) -> None:
    insert_order("order-1", revision=3, synced_revision=1, hold="retry", due_at=LATER, attempts=4)
    ring(connection, [retry(attempt=4, not_before=SOON)])
    once = read(connection)
    ring(connection, [retry(attempt=4, not_before=SOON)] * 3)
    assert once == read(connection)


def test_many_orders_in_one_statement(connection: Connection[Any], insert_order: InsertOrder) -> None:
    for number in range(300):
        insert_order(f"order-{number:03}", hold="problem")
    rung = ring(connection, [manual(f"order-{number:03}") for number in reversed(range(300))])
    assert list(rung.due) == [f"order-{number:03}" for number in range(300)]


def test_two_that_ring_for_the_same_orders_do_not_block_each_other(
    connection: Connection[Any], database_url: str, insert_order: InsertOrder
) -> None:
    order_ids = [f"order-{number:03}" for number in range(100)]
    for order_id in order_ids:
        insert_order(order_id, hold="problem")
    failures: list[Exception] = []

    def work(requests: list[RetryRequest]) -> None:
        try:
            with connect(database_url, name="test") as own:
                for _ in range(20):
                    ring(own, requests)
        except Exception as error:  # noqa: BLE001 - judged below, in the test's own thread.
            failures.append(error)

    upwards = [manual(order_id) for order_id in order_ids]
    threads = [threading.Thread(target=work, args=[requests]) for requests in (upwards, upwards[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert failures == []
    assert connection.execute("select count(*) from orders where due_at <= now()").fetchone() == (100,)
