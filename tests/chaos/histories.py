"""Random order histories, with what Xero must hold in the end: told by their author, not by any code of ours."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from consumer.orders import ChangeKind, OrderEvent

ORGANISATION = "org-1"
Json = dict[str, Any]

# Account and tax rate by category, as `settings_text` has them. Prices include tax, so a total is a plain sum.
MAPPING = {
    "HEARING_AIDS": ("210", "ZERORATEDOUTPUT"),
    "ACCESSORIES": ("220", "OUTPUT2"),
    "SERVICES": ("230", "EXEMPTOUTPUT"),
    "CUSTOM_ITEMS": ("200", "OUTPUT2"),
}
PAYMENT_ACCOUNT = "090"
_METHODS = ("CARD", "CASH", "BANK_TRANSFER", "FINANCE")
_FIRST_DAY = date(2026, 10, 1)
_EPOCH_US = 1_790_000_000_000_000
_SHARED_PATIENTS = 0.15
_ENDED = 0.06
_DOUBLED = 0.05


@dataclass(frozen=True)
class Clinic:
    """`tenant` counts the tenants of the run from 0."""

    clinic_id: str
    tenant: int
    draft: bool = False
    manual: bool = False


@dataclass
class Part:
    """A payment or credit note as it stands, in pence; `day` is its date."""

    pence: int
    method: str
    day: date
    number: str = ""
    lines: list[Json] = field(default_factory=list)


@dataclass
class Truth:
    """What one order has come to.

    `ended`: closed, or its invoice deleted: Xero may hold any state of it from before, or none. `versions` counts how
    many different contents each payment had: so often may Xero have been given it.
    """

    order_id: str
    clinic: Clinic
    patient_id: str
    number: str
    name: str = ""
    issued_on: date = _FIRST_DAY
    lines: list[Json] = field(default_factory=list)
    pence: int = 0
    payments: dict[str, Part] = field(default_factory=dict)
    notes: dict[str, Part] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    note_ids: set[str] = field(default_factory=set)
    was_applied: bool = False
    ended: bool = False
    sequence: int = 0

    @property
    def open_pence(self) -> int:
        """What is still to be paid."""
        return self.pence - sum(part.pence for part in (*self.payments.values(), *self.notes.values()))

    @property
    def invoice_id(self) -> str:
        return f"invoice-of-{self.order_id}"


@dataclass
class History:
    """`events` in the order of their publication, redeliveries among them; `truths` by order id."""

    events: list[OrderEvent]
    truths: dict[str, Truth]


def make_history(seed: int, orders: int, clinics: list[Clinic], *, prefix: str = "order") -> History:
    """Return `orders` orders; the same arguments give the same history."""
    rng = Random(seed)
    writers = [_Writer(rng, f"{prefix}-{number}", clinics[number % len(clinics)]) for number in range(orders)]
    _share_patients(rng, writers)
    for writer in writers:
        writer.write()
    return History(_interleaved(rng, writers), {writer.truth.order_id: writer.truth for writer in writers})


def settings_text(clinics: list[Clinic], tenant_ids: list[str]) -> str:
    """Return the settings that fit the histories."""
    lines = [
        f'[organisation]\nid = "{ORGANISATION}"\nsynchronisation_enabled = true\nmode = "auto"',
        f'invoice_status = "authorised"\npayment_account = "{PAYMENT_ACCOUNT}"',
    ]
    for category, (account, tax_type) in MAPPING.items():
        lines.append(f"[organisation.categories.{category.lower()}]")
        lines.append(f'revenue_account = "{account}"\ntax_type = "{tax_type}"')
    for clinic in clinics:
        lines.append(f'[[clinic]]\nid = "{clinic.clinic_id}"\ntenant_id = "{tenant_ids[clinic.tenant]}"')
        lines += ['invoice_status = "draft"'] if clinic.draft else []
        lines += ['mode = "manual"'] if clinic.manual else []
    return "\n".join(lines) + "\n"


def _share_patients(rng: Random, writers: list["_Writer"]) -> None:
    """Let some orders be of a patient who came before, under a name that then stays."""
    for index, writer in enumerate(writers):
        if index and rng.random() < _SHARED_PATIENTS:
            other = writers[rng.randrange(index)]
            writer.truth.patient_id, writer.last_name = other.truth.patient_id, other.last_name
            writer.is_shared = other.is_shared = True


def _interleaved(rng: Random, writers: list["_Writer"]) -> list[OrderEvent]:
    queues = [writer.events for writer in writers]
    # Orders come one after the other, and what happens to them mixes with what happens to some before and after.
    places = [
        (number * 6 + position * rng.randint(1, 40), number, position)
        for number, queue in enumerate(queues)
        for position in range(len(queue))
    ]
    order = sorted(range(len(places)), key=lambda index: places[index])
    taken = [0] * len(queues)
    events: list[OrderEvent] = []
    for index in order:
        number = places[index][1]
        events.append(queues[number][taken[number]])
        taken[number] += 1
        if rng.random() < _DOUBLED:
            events.append(events[rng.randrange(max(0, len(events) - 30), len(events))])
    return events


class _Writer:
    """Writes one order's history: each step is one event, and one change of the truth."""

    def __init__(self, rng: Random, order_id: str, clinic: Clinic) -> None:
        self._rng = rng
        self.truth = Truth(order_id, clinic, f"patient-of-{order_id}", f"N-{order_id}")
        self.last_name = f"Person {order_id}"
        self.is_shared = False
        self.events: list[OrderEvent] = []
        self._day = _FIRST_DAY + timedelta(days=rng.randrange(10))
        self._parts = 0

    def write(self) -> None:
        rng, truth = self._rng, self.truth
        truth.issued_on = self._day
        self._save_invoice()
        for _ in range(rng.choice((0, 1, 1, 2, 3, 4, 6))):
            self._day += timedelta(days=rng.choice((0, 1)))
            rng.choice(self._possible())()
        if rng.random() < _ENDED:
            truth.ended = True
            rng.choice((self._close, self._delete_invoice))()
        if truth.clinic.manual:
            self._request()
        truth.name = f"Test {self.last_name}"

    def _possible(self) -> list[Any]:
        truth = self.truth
        steps: list[Any] = [self._request]
        if truth.open_pence > 0:
            steps += [self._pay, self._pay, self._credit]
        if truth.payments:
            steps += [self._change_payment, self._delete_payment]
        if truth.notes:
            steps += [self._change_note, self._delete_note]
        if not truth.payments and not truth.notes:
            steps += [self._save_invoice, *([] if self.is_shared else [self._rename])]
        return steps

    def _save_invoice(self) -> None:
        rng, truth = self._rng, self.truth
        truth.lines = [self._line(position) for position in range(1, rng.choice((2, 2, 3, 5)))]
        truth.pence = sum(_pence(line) for line in truth.lines)
        self._event(
            ChangeKind.INVOICE_SAVED,
            {
                "invoice": {
                    "invoice_id": truth.invoice_id,
                    "number": truth.number,
                    "issued_on": truth.issued_on.isoformat(),
                    "due_on": None,
                    "currency": "GBP",
                    "prices_include_tax": True,
                    "reference": None,
                    "total": _amount(truth.pence),
                    "lines": truth.lines,
                }
            },
        )

    def _line(self, position: int) -> Json:
        rng = self._rng
        quantity, pence = rng.randint(1, 3), rng.randint(100, 200_000)
        return {
            "line_id": f"line-{position}",
            "category": rng.choice(sorted(MAPPING)),
            "description": f"Product {rng.randint(1, 50)}",
            "sku": None,
            "quantity": f"{quantity}.0000",
            "unit_price": _amount(pence),
            "discount": _amount(rng.randint(1, 50)) if rng.random() < 0.2 else None,
        }

    def _rename(self) -> None:
        self.last_name = f"Renamed {self._rng.randint(1, 9)} {self.truth.order_id}"
        self._save_invoice()

    def _pay(self) -> None:
        self._parts += 1
        payment_id = f"payment-{self._parts}-of-{self.truth.order_id}"
        self._save_payment(payment_id, self._share(self.truth.open_pence))

    def _change_payment(self) -> None:
        payment_id = self._rng.choice(sorted(self.truth.payments))
        old = self.truth.payments[payment_id]
        self._save_payment(payment_id, self._share(self.truth.open_pence + old.pence))

    def _save_payment(self, payment_id: str, pence: int) -> None:
        truth = self.truth
        part = Part(pence, self._rng.choice(_METHODS), self._day)
        truth.payments[payment_id] = part
        truth.versions[payment_id] = truth.versions.get(payment_id, 0) + 1
        truth.was_applied = True
        self._event(
            ChangeKind.PAYMENT_SAVED,
            {
                "payment": {
                    "payment_id": payment_id,
                    "amount": _amount(pence),
                    "paid_on": part.day.isoformat(),
                    "method": part.method,
                    "reference": None,
                }
            },
        )

    def _delete_payment(self) -> None:
        payment_id = self._rng.choice(sorted(self.truth.payments))
        del self.truth.payments[payment_id]
        self._event(ChangeKind.PAYMENT_DELETED, {"payment_id": payment_id})

    def _credit(self) -> None:
        self._parts += 1
        note_id = f"note-{self._parts}-of-{self.truth.order_id}"
        self._save_note(note_id, self._share(self.truth.open_pence))

    def _change_note(self) -> None:
        note_id = self._rng.choice(sorted(self.truth.notes))
        self._save_note(note_id, self._share(self.truth.open_pence + self.truth.notes[note_id].pence))

    def _save_note(self, note_id: str, pence: int) -> None:
        truth = self.truth
        old = truth.notes.get(note_id)
        line = {**self._line(1), "quantity": "1.0000", "unit_price": _amount(pence), "discount": None}
        part = Part(pence, "", old.day if old else self._day, old.number if old else f"CN-{note_id}", [line])
        truth.notes[note_id] = part
        truth.note_ids.add(note_id)
        truth.was_applied = True
        self._event(
            ChangeKind.CREDIT_NOTE_SAVED,
            {
                "credit_note": {
                    "credit_note_id": note_id,
                    "number": part.number,
                    "issued_on": part.day.isoformat(),
                    "reason": None,
                    "total": _amount(pence),
                    "lines": [line],
                }
            },
        )

    def _delete_note(self) -> None:
        note_id = self._rng.choice(sorted(self.truth.notes))
        del self.truth.notes[note_id]
        self._event(ChangeKind.CREDIT_NOTE_DELETED, {"credit_note_id": note_id})

    def _close(self) -> None:
        self._event(ChangeKind.ORDER_CLOSED, {"outcome": self._rng.choice(("CANCELLED", "WRITTEN_OFF"))})

    def _delete_invoice(self) -> None:
        self._event(ChangeKind.INVOICE_DELETED, {"invoice_id": self.truth.invoice_id})

    def _request(self) -> None:
        self._event(ChangeKind.SYNC_REQUESTED, {})

    def _share(self, pence: int) -> int:
        """A part of a sum, often all of it."""
        return pence if self._rng.random() < 0.4 else self._rng.randint(1, pence)

    def _event(self, kind: ChangeKind, change: Json) -> None:
        truth = self.truth
        truth.sequence += 1
        self.events.append(
            OrderEvent(
                event_id=f"{truth.order_id}-{truth.sequence}",
                organisation_id=ORGANISATION,
                clinic_id=truth.clinic.clinic_id,
                order_id=truth.order_id,
                sequence=truth.sequence,
                occurred_at_us=_EPOCH_US + truth.sequence * 1_000_000,
                actor="desk",
                patient=self._patient(),
                kind=kind,
                change=change,
            )
        )

    def _patient(self) -> Json:
        return {
            "patient_id": self.truth.patient_id,
            "first_name": "Test",
            "last_name": self.last_name,
            "email": f"{self.truth.patient_id}@example.com",
            "phone": "01632 960001",
            "address": None,
        }


def _pence(line: Json) -> int:
    amount = Decimal(line["quantity"]) * Decimal(line["unit_price"]) - Decimal(line["discount"] or 0)
    return int(amount * 100)


def _amount(pence: int) -> str:
    return f"{Decimal(pence) / 100:.4f}"
