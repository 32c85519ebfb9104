"""Random histories of many orders, patients, clinics and settings: in the end every tenant holds what the model says.

HearLink alone acts here, under lost answers and limits, and the books must equal the model after every push. What a
bookkeeper does meanwhile is in `test_histories_bookkept.py`.
"""

import dataclasses
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from tests.sync import model
from tests.sync.books import Json, line, patient
from tests.sync.conftest import COUNTED, OpenBooks, add_tenant
from tests.sync.model import Clinic, Held, Line, Order, Payment

ORDERS = tuple(f"order-{number}" for number in range(1, 5))
PATIENTS = ("p-1", "p-2", "p-3", "p-4")
NAMES = ("One", "Two", "Three")
FAULTS = (
    "drop_before",
    "drop_after",
    "internal_error_before",
    "internal_error_after",
    "rate_limit_minute",
    "rate_limit_concurrent",
    "unavailable",
)

orders = st.sampled_from(ORDERS)
lines = st.lists(
    st.builds(
        Line,
        st.sampled_from(["HEARING_AIDS", "SERVICES"]),
        st.sampled_from([10, 20, 50]),
        st.sampled_from([0, 0, 10]),
    ).filter(lambda one: one.price > one.discount),
    min_size=1,
    max_size=2,
).map(tuple)
notes = st.builds(Line, st.sampled_from(["HEARING_AIDS", "SERVICES"]), st.sampled_from([10, 20, 50]))
amounts = st.sampled_from([0, 5, 10, 20, 60])
payment_keys = st.sampled_from(["a", "b"])


class Histories(RuleBasedStateMachine):
    """What HearLink's people do, and the service's passes."""

    open_books: OpenBooks

    @initialize(drafts=st.booleans(), manual=st.booleans())
    def start(self, drafts: bool, manual: bool) -> None:  # noqa: FBT001 -- drawn
        COUNTED["histories"] += 1
        self.books = self.open_books()
        other = add_tenant(self.books.simulator, "Moor Hearing")
        self.books.add_tenant(other, "Moor Hearing")
        self.clinics = {
            "clinic-1": Clinic(self.books.tenant_id),
            "clinic-2": Clinic(
                self.books.tenant_id,
                invoice_status="draft" if drafts else "authorised",
                mode="manual" if manual else "auto",
            ),
            "clinic-3": Clinic(other),
        }
        for clinic_id, clinic in self.clinics.items():
            self.apply_settings(clinic_id, clinic)
        self.orders = {
            order_id: Order(order_id, f"clinic-{1 + number % 3}", PATIENTS[number % 4])
            for number, order_id in enumerate(ORDERS)
        }
        self.names = {patient_id: NAMES[number % 2] for number, patient_id in enumerate(PATIENTS)}
        self.known_names: dict[str, set[str]] = {patient_id: set() for patient_id in PATIENTS}
        self.used_notes: set[str] = set()
        # Rows of the log that were there before the order's newest change.
        self.log_marks: dict[str, int] = dict.fromkeys(ORDERS, 0)
        for order_id in ORDERS[1:]:
            self.save_invoice(order_id, (Line("SERVICES", 50), Line("HEARING_AIDS", 20)), inclusive=True, reference="")

    # HearLink.

    @rule(order_id=orders, value=lines, inclusive=st.booleans(), reference=st.sampled_from(["", "PO 1"]))
    def save_invoice(self, order_id: str, value: tuple[Line, ...], inclusive: bool, reference: str) -> None:  # noqa: FBT001 -- drawn
        order = self.speak(order_id)
        order.lines, order.inclusive, order.reference = value, inclusive, reference
        self.books.save_invoice(
            order_id, prices_include_tax=inclusive, reference=reference or None, lines=_hearlink_lines(value)
        )

    @rule(order_id=orders)
    def delete_invoice(self, order_id: str) -> None:
        self.speak(order_id).lines = None
        self.books.delete_invoice(order_id)

    @rule(order_id=orders, key=payment_keys, amount=amounts, method=st.sampled_from(["CARD", "CASH"]))
    def save_payment(self, order_id: str, key: str, amount: int, method: str) -> None:
        order = self.speak(order_id)
        order.payments.pop(key, None)
        order.payments[key] = Payment(amount, method)
        self.books.save_payment(order_id, key, amount=f"{amount}.0000", method=method)

    @rule(order_id=orders, key=payment_keys)
    def delete_payment(self, order_id: str, key: str) -> None:
        self.speak(order_id).payments.pop(key, None)
        self.books.delete_payment(order_id, key)

    @rule(order_id=orders, note=notes, edit=st.booleans())
    def save_credit_note(self, order_id: str, note: Line, edit: bool) -> None:  # noqa: FBT001 -- drawn
        order = self.speak(order_id)
        key = next(iter(order.notes), None) if edit else None
        if key is None:
            # A note's number stays taken in Xero after it was voided.
            key = f"{order_id}/{len(self.used_notes)}"
            self.used_notes.add(key)
        order.notes.pop(key, None)
        order.notes[key] = note
        self.books.save_credit_note(
            order_id, key, lines=_hearlink_lines((note,)), total=f"{_total(note, inclusive=order.inclusive):.4f}"
        )

    @rule(order_id=orders)
    def delete_credit_note(self, order_id: str) -> None:
        order = self.orders[order_id]
        if order.notes:
            key = next(iter(order.notes))
            self.speak(order_id).notes.pop(key)
            self.books.delete_credit_note(order_id, key)

    @rule(order_id=st.sampled_from(ORDERS[:1]))
    def close(self, order_id: str) -> None:
        self.speak(order_id).closed = True
        self.books.close(order_id)

    @rule(order_id=orders)
    def request_sync(self, order_id: str) -> None:
        self.speak(order_id).requested = True
        self.books.request_sync(order_id)

    @rule(order_id=orders)
    def operator_retries(self, order_id: str) -> None:
        if self.books.sequences[order_id]:
            self.mark(order_id)
            order = self.orders[order_id]
            order.changed = order.requested = True
            self.books.retry(order_id)

    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        """Kafka gives an event once more."""
        if self.books.events:
            self.books.redeliver(data.draw(st.sampled_from(self.books.events)))

    @rule(patient_id=st.sampled_from(PATIENTS), name=st.sampled_from(NAMES))
    def rename(self, patient_id: str, name: str) -> None:
        """It shows with the next event of one of the patient's orders."""
        self.names[patient_id] = name

    @rule(order_id=orders, patient_id=st.sampled_from(PATIENTS))
    def merge(self, order_id: str, patient_id: str) -> None:
        """The order moves to another patient; the next event says so."""
        self.orders[order_id].patient_id = patient_id
        self.request_sync(order_id)

    # Settings.

    @rule(
        clinic_id=st.sampled_from(["clinic-1", "clinic-2"]),
        change=st.sampled_from(
            [
                {"mode": "auto"},
                {"mode": "manual"},
                {"enabled": False},
                {"enabled": True},
                {"enabled": True},
                {"invoice_status": "draft"},
                {"accounts": (("HEARING_AIDS", "200"), ("SERVICES", "260"))},
                {"accounts": (("HEARING_AIDS", "200"), ("SERVICES", "270"))},
                {"accounts": (("HEARING_AIDS", "200"), ("SERVICES", model.ARCHIVED_ACCOUNT))},
            ]
        ),
    )
    def change_settings(self, clinic_id: str, change: dict[str, Any]) -> None:
        self.clinics[clinic_id] = dataclasses.replace(self.clinics[clinic_id], **change)
        self.apply_settings(clinic_id, self.clinics[clinic_id], wake=True)
        for order in self.orders.values():
            clinic = self.clinics[order.clinic_id]
            if order.settings_problem and not order.changed and clinic.enabled and clinic.mode == "auto":
                order.changed = True
                self.mark(order.order_id)

    # The service.

    @rule()
    def push_in_peace(self) -> None:
        self.push([], 1)

    @rule(kinds=st.lists(st.sampled_from(FAULTS), max_size=4), first=st.integers(1, 6))
    def push(self, kinds: list[str], first: int) -> None:
        COUNTED["pushes"] += 1
        COUNTED["faults set"] += len(kinds)
        before = self.held()
        for number, kind in enumerate(kinds):
            self.books.strike_all(kind, path="/api.xro/", nth=first + number)
        self.books.settle(rounds=60)
        self.books.simulator.control.clear_faults()
        for order_id, order in self.orders.items():
            held = before[order_id]
            if order.changed and self.books.sequences[order_id]:
                model.push(order, held, self.clinics[order.clinic_id])
        self.check(before)

    def teardown(self) -> None:
        if not hasattr(self, "books"):
            return
        self.push([], 1)
        for order_id in self.asked():
            self.request_sync(order_id)
        self.push([], 1)
        asked = self.asked()
        self.books.forget_calls()
        for order_id in asked:
            self.request_sync(order_id)
        self.push([], 1)
        assert self.books.writes_everywhere() == [], "an unchanged resync sends nothing"
        COUNTED["orders resynced"] += len(asked)

    def asked(self) -> list[str]:
        return [
            order_id
            for order_id, order in self.orders.items()
            if order.standing == "in_step" and self.books.sequences[order_id] and self.clinics[order.clinic_id].enabled
        ]

    # Bookkeeping of the test.

    def speak(self, order_id: str) -> Order:
        """An event of this order is about to be written."""
        COUNTED["events"] += 1
        order = self.orders[order_id]
        order.changed = True
        self.mark(order_id)
        name = self.names[order.patient_id]
        self.known_names[order.patient_id].add(f"Test {name}")
        self.books.clinics[order_id] = order.clinic_id
        self.books.patients[order_id] = patient(order.patient_id, last_name=name)
        return order

    def mark(self, order_id: str) -> None:
        self.log_marks[order_id] = len(self.books.log(order_id))

    def apply_settings(self, clinic_id: str, clinic: Clinic, *, wake: bool = False) -> None:
        self.books.settings(
            clinic_id=clinic_id,
            wake=wake,
            tenant_id=clinic.tenant_id,
            synchronisation_enabled=clinic.enabled,
            mode=clinic.mode,
            invoice_status=clinic.invoice_status,
            services_revenue_account=clinic.account("SERVICES"),
        )

    def held(self) -> dict[str, Held]:
        ledgers = {clinic.tenant_id: self.books.ledger(clinic.tenant_id) for clinic in self.clinics.values()}
        return {
            order_id: model.read_held(ledgers[self.clinics[order.clinic_id].tenant_id], order_id)
            for order_id, order in self.orders.items()
        }

    def check(self, expected: dict[str, Held]) -> None:
        found = self.held()
        for order_id, order in self.orders.items():
            if not self.books.sequences[order_id]:
                continue
            assert found[order_id] == expected[order_id], f"{order_id} ({order.standing})"
            row = self.books.order(order_id)
            assert row["requested_revision"] is None
            assert row["due_at"] is None
            if order.standing == "in_step":
                assert (row["hold"], row["synced_revision"], row["problem_id"]) == (None, row["revision"], None)
            elif order.standing == "failed":
                COUNTED["refused"] += 1
                assert row["hold"] == "problem"
                assert row["problem_id"] is not None
                newest = self.books.log(order_id)[self.log_marks[order_id] :]
                assert [one for one in newest if one["outcome"] == "failed" and one["problem"]]
            elif order.standing == "still_failed":
                assert (row["hold"], row["problem_id"] is None) == ("problem", False)
            else:
                assert row["hold"] == order.standing
        self.check_contacts()
        self.check_problems()

    def check_contacts(self) -> None:
        for clinic in self.clinics.values():
            contacts = self.books.ledger(clinic.tenant_id)["Contacts"]
            for field in ("ContactNumber", "Name"):
                values = [row[field] for row in contacts]
                assert len(values) == len(set(values))
            for row in contacts:
                known = self.known_names[row["ContactNumber"]]
                assert row["Name"].removesuffix(f" (HL-{row['ContactNumber']})") in known

    def check_problems(self) -> None:
        """A problem is open for as long as it holds an order, and no longer."""
        assert all(count > 0 for _, count in self.books.open_problems())


def _hearlink_lines(value: tuple[Line, ...]) -> list[Json]:
    return [
        line(f"line-{number}", category=one.category, unit_price=f"{one.price}.0000", discount=f"{one.discount}.0000")
        for number, one in enumerate(value)
    ]


def _total(note: Line, *, inclusive: bool) -> float:
    rate = float(model.RATES[note.category][1])
    return note.price * (1 if inclusive else 1 + rate)


def test_histories(open_books: OpenBooks) -> None:
    run(Histories, open_books, examples=70)


def run(machine: type[Histories], open_books: OpenBooks, *, examples: int) -> None:
    """Run `machine`: the same `examples` at every run, or what the chosen profile says."""
    made = type(machine.__name__, (machine,), {"open_books": staticmethod(open_books)})
    profile = settings()
    quick = profile.derandomize
    run_state_machine_as_test(
        made,
        settings=settings(
            profile,
            max_examples=examples if quick else profile.max_examples,
            stateful_step_count=50 if quick else profile.stateful_step_count,
        ),
    )
