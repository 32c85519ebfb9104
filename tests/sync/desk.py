"""An order on paper: events fold into it, plans are made for it, and a Xero that accepts everything takes them."""

import itertools
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import msgspec

from consumer.orders import ChangeKind, Order, OrderEvent, ProjectedOrder, apply_event, read_order
from consumer.settings import CategorySettings, ClinicSettings, InvoiceStatus, Mode
from consumer.sync.link import Link, LinkKind, Links, LinkStatus
from consumer.sync.outcome import link_after
from consumer.sync.planner import Circumstances, make_plan
from consumer.sync.step import Plan, Stage, Step
from tests.sync import books

TENANT = "tenant-1"
ORDER = "order-1"
NEW_INVOICE = [(Stage.CONTACT_CREATE, "patient-1"), (Stage.INVOICE_CREATE, "invoice-WH1")]

SETTINGS = ClinicSettings(
    organisation_id=books.ORGANISATION,
    clinic_id=books.CLINIC,
    synchronisation_enabled=True,
    mode=Mode.AUTO,
    invoice_status=InvoiceStatus.AUTHORISED,
    tenant_id=TENANT,
    payment_account="090",
    categories={
        "hearing_aids": CategorySettings("200", "ZERORATEDOUTPUT"),
        "accessories": CategorySettings("210", "OUTPUT2"),
        "services": CategorySettings("260", "OUTPUT2"),
        "custom_items": CategorySettings("270", "OUTPUT2"),
    },
)


def remapped(category: str, **changes: str | None) -> ClinicSettings:
    """The usual settings with another account or tax rate for one category."""
    mapping = msgspec.structs.replace(SETTINGS.categories[category], **changes)
    return msgspec.structs.replace(SETTINGS, categories={**SETTINGS.categories, category: mapping})


def with_settings(**changes: Any) -> ClinicSettings:
    return msgspec.structs.replace(SETTINGS, **changes)


@dataclass
class Desk:
    settings: ClinicSettings = SETTINGS
    circumstances: Circumstances = field(
        default_factory=lambda: Circumstances(hearlink_url="https://app.example", base_currency="GBP")
    )
    patient: books.Json = field(default_factory=books.patient)
    order_id: str = ORDER
    links: dict[tuple[LinkKind, str], Link] = field(default_factory=dict)
    _projected: ProjectedOrder = field(default_factory=lambda: ProjectedOrder(ORDER, books.ORGANISATION))
    _numbers: Any = field(default_factory=lambda: itertools.count(1))

    # What HearLink says.

    def save_invoice(self, number: str = "WH1", **changes: Any) -> None:
        self.event(ChangeKind.INVOICE_SAVED, {"invoice": books.invoice(number, **changes)})

    def delete_invoice(self, invoice_id: str = "invoice-WH1") -> None:
        self.event(ChangeKind.INVOICE_DELETED, {"invoice_id": invoice_id})

    def save_payment(self, payment_id: str = "pay-1", **changes: Any) -> None:
        self.event(ChangeKind.PAYMENT_SAVED, {"payment": books.payment(payment_id, **changes)})

    def delete_payment(self, payment_id: str = "pay-1") -> None:
        self.event(ChangeKind.PAYMENT_DELETED, {"payment_id": payment_id})

    def save_credit_note(self, credit_note_id: str = "note-1", **changes: Any) -> None:
        self.event(ChangeKind.CREDIT_NOTE_SAVED, {"credit_note": books.credit_note(credit_note_id, **changes)})

    def delete_credit_note(self, credit_note_id: str = "note-1") -> None:
        self.event(ChangeKind.CREDIT_NOTE_DELETED, {"credit_note_id": credit_note_id})

    def close(self, outcome: str = "CANCELLED") -> None:
        self.event(ChangeKind.ORDER_CLOSED, {"outcome": outcome})

    def event(self, kind: ChangeKind, change: books.Json) -> None:
        sequence = self._projected.sequence + 1
        apply_event(
            self._projected,
            OrderEvent(
                event_id=f"event-{sequence}",
                organisation_id=books.ORGANISATION,
                clinic_id=books.CLINIC,
                order_id=ORDER,
                sequence=sequence,
                occurred_at_us=sequence,
                actor=None,
                patient=self.patient,
                kind=kind,
                change=change,
            ),
        )

    # What the planner makes of it.

    def order(self) -> Order:
        return read_order(
            order_id=self.order_id,
            organisation_id=books.ORGANISATION,
            clinic_id=books.CLINIC,
            revision=self._projected.revision,
            state=msgspec.json.encode(self._projected.state),
        )

    def plan(self) -> Plan:
        return make_plan(self.order(), Links(self.links.values()), self.settings, self.circumstances)

    def steps(self) -> list[tuple[Stage, str]]:
        """What would be sent, as (stage, HearLink's id)."""
        return [(step.stage, step.local_id) for step in self.plan().steps]

    def codes(self) -> list[str]:
        """What is not sent, by the codes of the problem catalogue."""
        plan = self.plan()
        return [finding.code for finding in (*plan.failures, *plan.skips)]

    def step(self, stage: Stage) -> Step:
        (step,) = (step for step in self.plan().steps if step.stage is stage)
        return step

    def push(self) -> list[Step]:
        """Send stage by stage, each plan made anew, until nothing is left; return what was sent."""
        sent: list[Step] = []
        while (plan := self.plan()).next_stage is not None:
            for step in plan.steps:
                if step.stage is plan.next_stage:
                    self.accept(step)
                    sent.append(step)
            assert len(sent) < 100, "The plan never ends."
        return sent

    def accept(self, step: Step, **document: Any) -> Link:
        """Remember `step` as Xero's answer would have it."""
        known = self.links.get((step.kind, step.local_id))
        link = link_after(
            step,
            tenant_id=TENANT,
            organisation_id=books.ORGANISATION,
            xero_id=step.target_id or f"{step.kind}-id-{next(self._numbers)}",
            document={**_answer(step, known, self._numbers), **document},
        )
        # Xero tells no id of an allocation that it made.
        if step.stage is Stage.ALLOCATE:
            link = msgspec.structs.replace(link, xero_id=None)
        self.links[step.kind, step.local_id] = link
        return link

    def mark(self, kind: LinkKind, local_id: str, status: LinkStatus) -> None:
        """Have Xero's users do away with something, or us."""
        self.links[kind, local_id] = msgspec.structs.replace(self.links[kind, local_id], status=status)

    def believe(self, **changes: Any) -> None:
        self.circumstances = msgspec.structs.replace(self.circumstances, **changes)

    def copy(self) -> "Desk":
        return replace(self, links=dict(self.links))


def pushed_desk(**invoice: Any) -> Desk:
    desk = Desk()
    desk.save_invoice(**invoice)
    desk.push()
    return desk


def _answer(step: Step, known: Link | None, numbers: Any) -> dict[str, Any]:
    """What of Xero's answer the sync looks at: status, lines' ids, and a total without tax."""
    status = step.body.get("Status") or (known.status.upper() if known is not None else "AUTHORISED")
    if "LineItems" not in step.body:
        return {"Status": status}
    lines = [
        {**line, "LineItemID": line.get("LineItemID") or f"line-id-{next(numbers)}"} for line in step.body["LineItems"]
    ]
    amounts = [line["Quantity"] * line["UnitAmount"] - line.get("DiscountAmount", 0) for line in lines]
    return {
        "Status": status,
        "LineItems": lines,
        "Total": sum(amounts, Decimal(0)).quantize(Decimal("0.01")),
    }
