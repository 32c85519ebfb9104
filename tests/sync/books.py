"""A clinic's books for tests: events go in, passes run by hand, the simulator's ledger comes out."""

import dataclasses
import itertools
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from psycopg import Connection, sql
from psycopg.rows import dict_row

from consumer import projection
from consumer.contract import RetryRequest
from consumer.database import load_queries
from consumer.orders import ChangeKind, OrderEvent, ProjectedOrder, apply_event
from consumer.projection.rows import Folded, columns, from_row
from consumer.results import open_problems, ring
from consumer.sandbox.xero import Fault, XeroSimulator
from consumer.sync import exchange, queue
from consumer.sync.lease import Presence, acquire
from consumer.sync.services import Services
from consumer.sync.tenant_pass import TenantPass

ORGANISATION = "org-1"
CLINIC = "clinic-1"

Json = dict[str, Any]


def line(line_id: str = "line-1", **changes: Any) -> Json:
    return {
        "line_id": line_id,
        "category": "SERVICES",
        "description": "Hearing test",
        "sku": None,
        "quantity": "1.0000",
        "unit_price": "40.0000",
        "discount": None,
        **changes,
    }


def lines(price: str) -> Json:
    """One line of this price, and the total that it makes."""
    return {"lines": [line(unit_price=price)], "total": price}


def invoice(number: str = "WH1", **changes: Any) -> Json:
    return {
        "invoice_id": f"invoice-{number}",
        "number": number,
        "issued_on": "2026-10-01",
        "due_on": None,
        "currency": "GBP",
        "prices_include_tax": True,
        "reference": None,
        "total": "40.0000",
        "lines": [line()],
        **changes,
    }


def payment(payment_id: str = "pay-1", **changes: Any) -> Json:
    return {
        "payment_id": payment_id,
        "amount": "40.0000",
        "paid_on": "2026-10-02",
        "method": "CARD",
        "reference": None,
        **changes,
    }


def credit_note(credit_note_id: str = "note-1", **changes: Any) -> Json:
    return {
        "credit_note_id": credit_note_id,
        "number": f"CN-{credit_note_id}",
        "issued_on": "2026-10-03",
        "reason": None,
        "total": "40.0000",
        "lines": [line()],
        **changes,
    }


def patient(patient_id: str = "patient-1", **changes: Any) -> Json:
    return {
        "patient_id": patient_id,
        "first_name": "Test",
        "last_name": f"Person {patient_id}",
        "email": f"{patient_id}@example.com",
        "phone": "01632 960001",
        "address": {
            "line1": "1 High Street",
            "line2": None,
            "city": "Leeds",
            "region": None,
            "postal_code": "LS1 1AA",
            "country": "GB",
        },
        **changes,
    }


_PROJECTION = load_queries(projection.__file__, "queries.sql")


class KilledError(BaseException):
    """The process ends here, as by kill -9."""


@dataclass
class Books:
    """One organisation's orders, settings and Xero. `tenant_id` is the one that its settings name at first.

    Patients and clinics of orders are looked up by order id when an event is written; `sequences` counts the events.
    """

    connection: Connection[Any]
    database_url: str
    simulator: XeroSimulator
    services: Services
    tenant_id: str
    connect: Callable[..., None]
    patients: dict[str, Json] = field(default_factory=dict)
    clinics: dict[str, str] = field(default_factory=dict)
    sequences: Counter[str] = field(default_factory=Counter)
    events: list[OrderEvent] = field(default_factory=list)
    _clock: Any = field(default_factory=lambda: itertools.count(1_700_000_000_000_000, 1_000_000))

    # What HearLink says.

    def save_invoice(self, order_id: str = "order-1", **changes: Any) -> None:
        number = changes.pop("number", f"WH-{order_id}")
        self.event(order_id, ChangeKind.INVOICE_SAVED, {"invoice": invoice(number, **changes)})

    def delete_invoice(self, order_id: str = "order-1") -> None:
        self.event(order_id, ChangeKind.INVOICE_DELETED, {"invoice_id": f"invoice-WH-{order_id}"})

    def save_payment(self, order_id: str = "order-1", payment_id: str = "pay-1", **changes: Any) -> None:
        self.event(order_id, ChangeKind.PAYMENT_SAVED, {"payment": payment(payment_id, **changes)})

    def delete_payment(self, order_id: str = "order-1", payment_id: str = "pay-1") -> None:
        self.event(order_id, ChangeKind.PAYMENT_DELETED, {"payment_id": payment_id})

    def save_credit_note(self, order_id: str = "order-1", credit_note_id: str = "note-1", **changes: Any) -> None:
        self.event(order_id, ChangeKind.CREDIT_NOTE_SAVED, {"credit_note": credit_note(credit_note_id, **changes)})

    def delete_credit_note(self, order_id: str = "order-1", credit_note_id: str = "note-1") -> None:
        self.event(order_id, ChangeKind.CREDIT_NOTE_DELETED, {"credit_note_id": credit_note_id})

    def close(self, order_id: str = "order-1", outcome: str = "CANCELLED") -> None:
        self.event(order_id, ChangeKind.ORDER_CLOSED, {"outcome": outcome})

    def request_sync(self, order_id: str = "order-1") -> None:
        self.event(order_id, ChangeKind.SYNC_REQUESTED, {})

    def event(self, order_id: str, kind: ChangeKind, change: Json) -> None:
        """Project one event, as the projection does."""
        self.sequences[order_id] += 1
        event = OrderEvent(
            event_id=f"event-{order_id}-{self.sequences[order_id]}",
            organisation_id=ORGANISATION,
            clinic_id=self.clinics.get(order_id, CLINIC),
            order_id=order_id,
            sequence=self.sequences[order_id],
            occurred_at_us=next(self._clock),
            actor="user-1",
            patient=self.patients.get(order_id, patient(f"patient-of-{order_id}")),
            kind=kind,
            change=change,
        )
        self.events.append(event)
        self.redeliver(event)

    def redeliver(self, event: OrderEvent) -> None:
        """Fold `event` into its order's row, by the projection's own statements."""
        row = self.connection.execute(_PROJECTION["load"], {"order_ids": [event.order_id]}).fetchone()
        order = from_row(row) if row is not None else ProjectedOrder(event.order_id, ORGANISATION)
        base_revision = order.revision
        apply_event(order, event)
        if order.first_change_at_us is None:
            return
        self.connection.execute(
            _PROJECTION["register_clinics"],
            {"organisation_ids": [ORGANISATION], "clinic_ids": [event.clinic_id]},
        )
        self.connection.execute(_PROJECTION["upsert"], columns([Folded(order, base_revision, event.actor)]))
        # Edits in quick succession wait two seconds for each other; no test has to.
        self.connection.execute(
            "update orders set due_at = now() where order_id = %s and hold is null and due_at > now()",
            [event.order_id],
        )

    def retry(self, *order_ids: str) -> None:
        """An operator asks for these orders, by the retry topic's message."""
        now = datetime.now(tz=UTC)
        requests = [
            RetryRequest(
                order_id=order_id, organisation_id=ORGANISATION, requested_at=now, trigger="manual", actor="operator-1"
            )
            for order_id in order_ids or ("order-1",)
        ]
        ring(self.connection, requests)

    # What the service does.

    def push(self, *, passes: int = 40) -> int:
        """Run passes until nothing is ready; return how many ran."""
        with Presence(self.database_url, "test") as presence:
            for count in range(passes):
                if not self.run_pass(presence):
                    return count
        raise AssertionError(f"After {passes} passes there is still something ready.")

    def push_once(self) -> None:
        """Run one pass."""
        with Presence(self.database_url, "test") as presence:
            assert self.run_pass(presence)

    def die_at(self, monkeypatch: pytest.MonkeyPatch, stage: str, *, committed: bool) -> None:
        """Push, and have the process end around the call of `stage`: before it left, or after Xero carried it out."""
        send = exchange.send

        def die(*args: Any, **more: Any) -> Any:
            if args[1][0].stage.name.lower() != stage:
                return send(*args, **more)
            if committed:
                send(*args, **more)
            raise KilledError

        with monkeypatch.context() as patched:
            patched.setattr(exchange, "send", die)
            with pytest.raises(KilledError):
                self.push()

    def run_pass(self, presence: Presence) -> bool:
        """Serve the tenant that waits longest; whether there was one."""
        ready = [book for book in queue.next_books(self.connection) if book.wait_seconds <= 0]
        if not ready:
            return False
        book = ready[0]
        # The database may need a moment to see that a worker is dead.
        while (lease := acquire(self.connection, book.book, presence, "test")) is None:
            time.sleep(0.01)
        TenantPass(self.connection, lease, book.organisation_id, book.clinic_ids, self.services, lambda: False).run()
        lease.release(self.connection)
        return True

    def hasten(self) -> None:
        """Have all waits be over: for a retry, a limit, a look-up."""
        self.connection.execute("update orders set due_at = now() where due_at > now()")
        self.connection.execute("update xero_intent set look_up_at = now() where state = 'open' and look_up_at > now()")
        self.connection.execute("update xero_budget set frozen_until = '-infinity'")
        self.connection.execute("update xero_lease set rest_until = '-infinity'")

    def settle(self, *, rounds: int = 20) -> None:
        """Push, and let waits be over, until nothing waits by itself any more."""
        for _ in range(rounds):
            self.push()
            waiting = self.connection.execute(
                "select count(*) from orders where due_at is not null or hold = 'in_doubt'"
            ).fetchone()
            if waiting == (0,):
                return
            self.hasten()
        raise AssertionError(f"After {rounds} rounds there is still something that waits.")

    def settings(self, *, clinic_id: str | None = None, wake: bool = False, **columns: Any) -> None:
        """Change settings of the organisation, or of one clinic, by their columns."""
        table, where = sql.Identifier("organisation"), sql.SQL("organisation_id = {}").format(ORGANISATION)
        if clinic_id is not None:
            table = sql.Identifier("clinic_override")
            where = sql.SQL("{} and clinic_id = {}").format(where, clinic_id)
            self.connection.execute(
                "insert into clinic_override (organisation_id, clinic_id) values (%s, %s) on conflict do nothing",
                [ORGANISATION, clinic_id],
            )
        for column, value in columns.items():
            self.connection.execute(
                sql.SQL("update {} set {} = {} where {}").format(table, sql.Identifier(column), value, where)
            )
        if wake:
            queue.wake_after_settings(self.connection, ORGANISATION)

    def reconnect(self) -> None:
        """Someone connects Xero again, and what waited for it may go."""
        self.connect()
        queue.wake_after_connect(self.connection, ORGANISATION)

    def use(self, **changes: Any) -> None:
        """Go on with other parts: `metrics`, `patience`, `budget` ..."""
        self.services = dataclasses.replace(self.services, **changes)

    def add_tenant(self, tenant_id: str, name: str) -> None:
        """Have the organisation's connection reach another tenant as well."""
        self.connect(also=[tenant_id])
        self.connection.execute("update xero_tenant set name = %s where tenant_id = %s", [name, tenant_id])

    def strike(self, kind: str, **more: Any) -> None:
        """Have a fault strike the next call that fits."""
        self.simulator.control.add_fault(Fault(kind=kind, tenant_id=self.tenant_id, **more))  # type: ignore[arg-type]

    def strike_all(self, kind: str, **more: Any) -> None:
        """Have a fault strike a call to any tenant."""
        self.simulator.control.add_fault(Fault(kind=kind, **more))  # type: ignore[arg-type]

    # What is there.

    def ledger(self, tenant_id: str | None = None) -> Json:
        return self.simulator.control.ledger(tenant_id or self.tenant_id)

    def invoice(self, number: str = "WH-order-1") -> Json:
        (found,) = (row for row in self.ledger()["Invoices"] if row["InvoiceNumber"] == number)
        return dict(found)

    def contact(self, patient_id: str = "patient-of-order-1") -> Json:
        (found,) = (row for row in self.ledger()["Contacts"] if row.get("ContactNumber") == patient_id)
        return dict(found)

    def note(self, note_id: str = "note-1") -> Json:
        (found,) = (row for row in self.ledger()["CreditNotes"] if row["Reference"] == note_id)
        return dict(found)

    def payments(self) -> list[tuple[str, float]]:
        """The payments that stand, as (reference, amount)."""
        rows = (row for row in self.ledger()["Payments"] if row["Status"] != "DELETED")
        return sorted((row.get("Reference", ""), float(row["Amount"])) for row in rows)

    def log(self, order_id: str | None = None) -> list[Json]:
        with self.connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(
                "select * from sync_log where %s::text is null or order_id = %s order by id", [order_id, order_id]
            ).fetchall()

    def told(self, order_id: str | None = None) -> list[tuple[str, str, str | None]]:
        return [(row["operation"], row["outcome"], row["problem"]) for row in self.log(order_id)]

    def failures(self, order_id: str | None = None) -> list[Json]:
        return [row for row in self.log(order_id) if row["outcome"] == "failed"]

    def failure(self, order_id: str | None = None) -> Json:
        (row,) = self.failures(order_id)
        return row

    def order(self, order_id: str = "order-1") -> Json:
        with self.connection.cursor(row_factory=dict_row) as cursor:
            row = cursor.execute("select * from orders where order_id = %s", [order_id]).fetchone()
        assert row is not None
        return row

    def open_problems(self) -> list[tuple[str, int]]:
        """The open problems, as (code, how many orders they hold)."""
        return [(problem.code, problem.order_count) for problem in open_problems(self.connection, ORGANISATION)]

    def calls(self) -> list[Json]:
        return [call for call in self.simulator.control.calls(self.tenant_id) if "/api.xro/" in call["path"]]

    def writes(self) -> list[Json]:
        return [call for call in self.calls() if call["method"] != "GET"]

    def writes_everywhere(self) -> list[Json]:
        calls = self.simulator.control.calls()
        return [call for call in calls if call["method"] != "GET" and "/api.xro/" in call["path"]]

    def forget_calls(self) -> None:
        self.simulator.control.clear_calls()
