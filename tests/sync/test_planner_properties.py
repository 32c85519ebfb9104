"""What holds of every plan, whatever happened to the order."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.settings import InvoiceStatus
from consumer.sync.link import LinkKind, LinkStatus
from tests.sync.books import line, patient
from tests.sync.desk import Desk, remapped, with_settings

MONEY = st.integers(0, 2_000_000).map(lambda units: f"{units / 10_000:.4f}")
LINES = st.lists(
    st.builds(
        line,
        st.sampled_from(["a", "b", "c"]),
        category=st.sampled_from(["HEARING_AIDS", "ACCESSORIES", "SERVICES", "CUSTOM_ITEMS"]),
        quantity=st.sampled_from(["1.0000", "3.0000", "0.5000"]),
        unit_price=MONEY,
        discount=st.sampled_from([None, "0.0000", "0.0500"]),
    ),
    min_size=1,
    max_size=3,
)
PAYMENT_IDS = st.sampled_from(["pay-1", "pay-2"])
NOTE_IDS = st.sampled_from(["note-1", "note-2"])

Act = Callable[[Desk], Any]


def _save_invoice(number: str, lines: list[Any], included: bool, reference: str | None) -> Act:  # noqa: FBT001 -- drawn
    return lambda desk: desk.save_invoice(number, lines=lines, prices_include_tax=included, reference=reference)


def _save_payment(payment_id: str, amount: str, method: str) -> Act:
    return lambda desk: desk.save_payment(payment_id, amount=amount, method=method)


def _save_note(note_id: str, lines: list[Any]) -> Act:
    return lambda desk: desk.save_credit_note(note_id, lines=lines)


def _settings(choice: Any) -> Act:
    def act(desk: Desk) -> None:
        desk.settings = choice

    return act


def _patient(patient_id: str, last_name: str) -> Act:
    def act(desk: Desk) -> None:
        desk.patient = patient(patient_id, last_name=last_name)

    return act


def _gone(kind: LinkKind) -> Act:
    """Someone does away with something in Xero, and the sync has noticed."""

    def act(desk: Desk) -> None:
        for (known, local_id), link in list(desk.links.items()):
            if known is kind and link.status is not LinkStatus.REMOVED:
                desk.mark(known, local_id, LinkStatus.GONE)

    return act


ACTS: st.SearchStrategy[Act] = st.one_of(
    st.builds(
        _save_invoice, st.sampled_from(["WH1", "WH2"]), LINES, st.booleans(), st.sampled_from([None, "PO 1", "PO 2"])
    ),
    st.builds(_save_payment, PAYMENT_IDS, MONEY, st.sampled_from(["CARD", "CASH"])),
    st.builds(_save_note, NOTE_IDS, LINES),
    st.sampled_from(["invoice-WH1", "invoice-WH2"]).map(lambda key: lambda desk: desk.delete_invoice(key)),
    PAYMENT_IDS.map(lambda key: lambda desk: desk.delete_payment(key)),
    NOTE_IDS.map(lambda key: lambda desk: desk.delete_credit_note(key)),
    st.sampled_from(
        [
            with_settings(),
            with_settings(invoice_status=InvoiceStatus.DRAFT),
            with_settings(payment_account=None),
            remapped("services", revenue_account="270"),
            remapped("services", tax_type=None),
        ]
    ).map(_settings),
    st.builds(_patient, st.sampled_from(["patient-1", "patient-2"]), st.sampled_from(["One", "Two"])),
    st.sampled_from([LinkKind.INVOICE, LinkKind.PAYMENT, LinkKind.CREDIT_NOTE]).map(_gone),
    st.just(lambda desk: desk.push()),
)


def _after(acts: list[Act]) -> Desk:
    desk = Desk()
    desk.save_invoice()
    for act in acts:
        act(desk)
    return desk


@given(st.lists(ACTS, max_size=12))
@settings(max_examples=200, deadline=None)
def test_a_plan_that_was_carried_out_leaves_nothing_to_do(acts: list[Act]) -> None:
    desk = _after(acts)
    desk.push()
    assert desk.plan().steps == ()


@given(st.lists(ACTS, max_size=12))
@settings(max_examples=200, deadline=None)
def test_the_same_order_links_and_settings_give_the_same_plan(acts: list[Act]) -> None:
    desk = _after(acts)
    links = dict(desk.links)
    assert desk.plan() == desk.plan()
    assert desk.links == links


@given(st.lists(ACTS, max_size=12))
@settings(max_examples=200, deadline=None)
def test_nothing_of_an_order_is_made_twice(acts: list[Act]) -> None:
    desk = _after(acts)
    sent = desk.push()
    made = [(step.kind, step.local_id) for step in sent if step.stage.name.endswith("CREATE")]
    assert len(made) == len(set(made))


@pytest.mark.parametrize("copies", [1, 3])
def test_repeated_events_change_no_plan(copies: int) -> None:
    desk = Desk()
    for _ in range(copies):
        desk.save_invoice()
        desk.save_payment()
        desk.save_credit_note()
    assert len(desk.steps()) == 5
