from typing import Any

import msgspec
import pytest
from psycopg import Connection, sql

from consumer.operations import verification
from consumer.operations.verification import Finding, load_list, verify_links
from tests.operations.rows import TENANT, insert, insert_order


def link(connection: Connection[Any], kind: str, order_id: str, local_id: str) -> None:
    insert(
        connection,
        "xero_link",
        tenant_id=TENANT,
        kind=kind,
        order_id=order_id,
        local_id=local_id,
        organisation_id="org-1",
        xero_id=f"xero-{local_id}",
        status="active",
        content_hash="",
    )


def test_what_is_linked_for_an_order_that_is_not_there_is_an_orphan(connection: Connection[Any]) -> None:
    insert_order(connection, "order-1")
    link(connection, "invoice", "order-1", "invoice-1")
    link(connection, "invoice", "order-2", "invoice-2")
    assert verify_links(connection).findings == [Finding("orphan", "order-2", "invoice invoice-2")]


def test_the_contact_of_a_patient_that_was_merged_into_another_is_none(connection: Connection[Any]) -> None:
    insert_order(connection, "order-1", patient_id="merged-into")
    link(connection, "contact", "", "merged-into")
    link(connection, "contact", "", "merged-away")
    assert verify_links(connection).findings == []


def order_in_step(connection: Connection[Any], order_id: str, **changes: Any) -> None:
    """An order with an invoice, a payment of 10.00 and a credit note, pushed as it is; nothing is linked."""
    state = {
        "closed": None,
        "invoice": {"deleted": False, "value": {}},
        "payments": {"pay": {"deleted": False, "value": {"amount": "10.0000"}}},
        "credit_notes": {"note": {"deleted": False, "value": {"total": "5.0000"}}},
        **changes,
    }
    insert_order(connection, order_id)
    connection.execute(
        "update orders set state = %s, synced_revision = revision, tenant_id = %s, invoice_id = 'inv', hold = null,"
        " problem_id = null where order_id = %s",
        [msgspec.json.encode(state).decode(), TENANT, order_id],
    )


def link_whole(connection: Connection[Any], order_id: str) -> None:
    for kind, local_id in (("invoice", "inv"), ("payment", "pay"), ("credit_note", "note"), ("allocation", "note")):
        link(connection, kind, order_id, local_id)
    connection.execute(
        "update xero_link set xero_id = order_id || local_id, detail = case kind when 'payment' then"
        " '{\"amount\": \"10.00\"}'::jsonb else '{}' end where order_id = %s",
        [order_id],
    )


def change_links(connection: Connection[Any], **changes: Any) -> None:
    for name, value in changes.items():
        statement = sql.SQL("update xero_link set {} = %s where kind = 'payment'").format(sql.Identifier(name))
        connection.execute(statement, [value])


def test_an_order_that_is_linked_whole_fits_and_counts(connection: Connection[Any]) -> None:
    order_in_step(connection, "order-1")
    link_whole(connection, "order-1")
    found = verify_links(connection)
    assert found.findings == []
    (totals,) = found.totals
    assert (totals.orders, totals.invoices_linked, totals.payments, totals.payments_linked) == (1, 1, 1, 1)
    assert (totals.payment_amount, totals.linked_amount) == ("10.00", "10.00")
    assert (totals.credit_notes, totals.credit_notes_linked) == (1, 1)


@pytest.mark.parametrize(
    ("changes", "finding"),
    [
        ({"status": "removed"}, Finding("not_linked", "order-1", "payment pay")),
        ({"local_id": "other"}, Finding("linked_too_much", "order-1", "payment other")),
        ({"detail": '{"amount": "9.00"}'}, Finding("amount_differs", "order-1", "pay: 10.00 in HearLink, 9.00 linked")),
        # What people did away with in Xero stays away.
        ({"status": "gone"}, None),
    ],
)
def test_a_link_that_does_not_fit_is_told(
    connection: Connection[Any], changes: dict[str, str], finding: Finding | None
) -> None:
    order_in_step(connection, "order-1")
    link_whole(connection, "order-1")
    change_links(connection, **changes)
    assert (finding in verify_links(connection).findings) is (finding is not None)


def test_a_credit_note_of_nothing_needs_no_allocation_and_may_have_one(connection: Connection[Any]) -> None:
    notes = {"note": {"deleted": False, "value": {"total": "0.0000"}}}
    order_in_step(connection, "order-1", credit_notes=notes)
    link_whole(connection, "order-1")
    assert verify_links(connection).findings == []
    connection.execute("delete from xero_link where kind = 'allocation'")
    assert verify_links(connection).findings == []


def test_pages_add_up_to_the_whole(connection: Connection[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(7):
        order_in_step(connection, f"order-{number}")
        link_whole(connection, f"order-{number}")
    for order_id in ("a-before-all", "order-3-between", "z-after-all"):
        link(connection, "invoice", order_id, "inv")
    connection.execute("update orders set missing = '{[1,2)}' where order_id = 'order-6'")
    whole = verify_links(connection)
    told: list[tuple[int, int]] = []
    monkeypatch.setattr(verification, "_PAGE_ORDERS", 2)
    assert verify_links(connection, progress=lambda *done: told.append(done)) == whole
    assert told == [(2, 7), (4, 7), (6, 7), (7, 7)]
    assert [finding.code for finding in whole.findings] == [
        "events_missing",
        "linked_twice",
        "orphan",
        "orphan",
        "orphan",
    ]
    assert whole.totals[0].payment_amount == "70.00"


def test_hearlinks_own_list_tells_what_never_came(connection: Connection[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "_PAGE_ORDERS", 2)
    for order_id, sequence in (("a", 3), ("b", 3), ("c", 3), ("d", 3)):
        insert_order(connection, order_id, sequence=sequence)
    connection.execute(
        'insert into dead_letter (topic, partition, "offset", order_id, reason, detail)'
        " values ('orders', 0, 1, 'b', 'impossible', 'd')"
    )
    assert verify_links(connection).cannot_know[0] == verification.NEVER_CAME
    # The list may name an order more than once, in any order.
    load_list(connection, [("a", 3), ("b", 4), ("e", 7), ("c", 2), ("b", 5), ("0", 1)])
    found = verify_links(connection, with_list=True)
    assert found.findings == [
        Finding("behind", "b", "sequence 3 here, 5 at HearLink; 1 among the dead letters"),
        Finding("not_arrived", "0", "1 at HearLink"),
        Finding("not_arrived", "e", "7 at HearLink"),
    ]
    assert found.against == verification.ListComparison(listed=5, equal=1, ahead=1, behind=1, not_arrived=2, unlisted=1)
    assert found.cannot_know[0] == verification.SINCE_THE_LIST
