"""The fold: one state, however the events of an order are doubled, delayed or brought out of order."""

import itertools
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.orders import (
    SEQUENCE_JUMP_MAX,
    ChangeKind,
    FoldOutcome,
    ImpossibleEventError,
    OrderEvent,
    ProjectedOrder,
    apply_event,
    read_order,
)
from tests.contract.samples import CHANGES, PATIENT, sample_event


class Change(NamedTuple):
    """What an event does to one of three parts, named "a", "b" and "c"."""

    kind: ChangeKind
    part: str


_IDS = {
    ChangeKind.INVOICE_SAVED: ("invoice", "invoice_id"),
    ChangeKind.PAYMENT_SAVED: ("payment", "payment_id"),
    ChangeKind.CREDIT_NOTE_SAVED: ("credit_note", "credit_note_id"),
    ChangeKind.INVOICE_DELETED: (None, "invoice_id"),
    ChangeKind.PAYMENT_DELETED: (None, "payment_id"),
    ChangeKind.CREDIT_NOTE_DELETED: (None, "credit_note_id"),
}
_INVOICE = (ChangeKind.INVOICE_SAVED, ChangeKind.INVOICE_DELETED)
# Invoices replace each other, which is what may go wrong: more of them than of the rest.
_CHANGES = st.one_of(
    st.builds(Change, st.sampled_from(_INVOICE), st.sampled_from("abc")),
    st.builds(Change, st.sampled_from(list(ChangeKind)), st.sampled_from("ab")),
)
_SAVED_A, _SAVED_B = (Change(ChangeKind.INVOICE_SAVED, part) for part in "ab")
_DELETED_A, _DELETED_B = (Change(ChangeKind.INVOICE_DELETED, part) for part in "ab")


def history(*changes: Change) -> list[OrderEvent]:
    """The events of `changes`, in sequence; each saving is an edit, with a reference of its own."""
    return [event(sequence, change) for sequence, change in enumerate(changes, start=1)]


def event(sequence: int, change: Change) -> OrderEvent:
    document: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(CHANGES[change.kind]))
    name, key = _IDS.get(change.kind, (None, None))
    if key is not None:
        part = document if name is None else document[name]
        part[key] = change.part
        if name is not None:
            part["reference"] = f"edit {sequence}"
    return sample_event(change.kind, sequence=sequence, event_id=f"event-{sequence}", change=document)


def fold(events: list[OrderEvent], state: dict[str, Any] | None = None) -> ProjectedOrder:
    """The order after `events`, its state as Postgres gives it back after each of them."""
    order = ProjectedOrder("order-1", "org-1")
    if state is not None:
        order.state = msgspec.json.decode(msgspec.json.encode(state))
        order.missing, order.sequence = [(1, 100)], 100
    for each in events:
        apply_event(order, each)
        order.state = msgspec.json.decode(msgspec.json.encode(order.state))
    return order


def standing(order: ProjectedOrder) -> str | None:
    """The id of the invoice that stands, as the sync sees it."""
    encoded = msgspec.json.encode({**order.state, "patient": PATIENT})
    invoice = read_order(order_id="o", organisation_id="o", clinic_id="c", revision=1, state=encoded).invoice
    return None if invoice is None else invoice.invoice_id


@settings(max_examples=150, deadline=None)
@given(st.lists(_CHANGES, min_size=2, max_size=5))
def test_a_history_folds_to_one_state_in_whatever_order_it_comes(changes: list[Change]) -> None:
    events = history(*changes)
    expected = fold(events)
    for order in itertools.permutations(events):
        folded = fold(list(order))
        assert folded.state == expected.state, [each.sequence for each in order]
        assert folded.missing == []
        assert folded.seen.stored() == expected.seen.stored()


@settings(max_examples=150, deadline=None)
@given(st.lists(_CHANGES, max_size=12), st.data())
def test_events_that_are_doubled_change_nothing(changes: list[Change], data: st.DataObject) -> None:
    events = history(*changes)
    delivered = data.draw(st.permutations(events + events)) if events else []
    assert fold(list(delivered)).state == fold(events).state


@settings(max_examples=300, deadline=None)
@given(st.lists(st.builds(Change, st.sampled_from(_INVOICE), st.sampled_from("abc")), max_size=8), st.data())
def test_the_invoice_saved_last_stands_unless_it_was_deleted_after_that(
    changes: list[Change], data: st.DataObject
) -> None:
    saved = [change.part for change in changes if change.kind is ChangeKind.INVOICE_SAVED]
    expected = None
    if saved:
        last = max(index for index, change in enumerate(changes) if change.kind is ChangeKind.INVOICE_SAVED)
        if Change(ChangeKind.INVOICE_DELETED, saved[-1]) not in changes[last:]:
            expected = saved[-1]
    events = history(*changes)
    assert standing(fold(list(data.draw(st.permutations(events))) if events else [])) == expected


def test_an_invoice_that_was_replaced_and_then_deleted_takes_nothing_with_it() -> None:
    first, second, third = history(_SAVED_A, _SAVED_B, _DELETED_A)
    assert standing(fold([first, third, second])) == "b"


def test_an_invoice_whose_saving_comes_after_its_deletion_stays_deleted_but_can_be_read() -> None:
    first, second, third = history(_SAVED_B, _SAVED_A, _DELETED_A)
    order = fold([first, third, second])
    assert standing(order) is None
    assert order.state["invoice"]["value"]["reference"] == "edit 2"


def test_the_usual_invoice_carries_nothing_but_what_it_always_did() -> None:
    order = fold(history(_SAVED_A, _DELETED_A, _SAVED_B, _DELETED_A, _SAVED_B))
    assert set(order.state["invoice"]) == {"sequence", "deleted", "value"}


def test_states_of_former_versions_are_gone_on_with() -> None:
    """They tell neither when what is deleted was saved, nor which invoice it was where they saw no more of it."""
    empty = ProjectedOrder("order-1", "org-1").state
    value = history(_SAVED_A)[0].change["invoice"]
    deleted = {**empty, "invoice": {"sequence": 5, "deleted": True, "value": value}}
    unseen = {**empty, "invoice": {"sequence": 5, "deleted": True, "value": None}}
    for state in (deleted, unseen):
        assert standing(fold([event(3, _SAVED_B)], state)) is None
        assert standing(fold([event(7, _SAVED_B)], state)) == "b"
        assert standing(fold([event(7, _DELETED_B), event(3, _SAVED_A)], state)) is None
    paid = {**empty, "payments": {"a": {"sequence": 5, "deleted": True, "value": {"payment_id": "a"}}}}
    late = event(3, Change(ChangeKind.PAYMENT_SAVED, "a"))
    assert fold([late], paid).state["payments"] == paid["payments"]


@settings(max_examples=150, deadline=None)
@given(st.lists(_CHANGES, min_size=1, max_size=8), st.data())
def test_another_event_of_a_sequence_changes_nothing_whenever_it_comes(
    changes: list[Change], data: st.DataObject
) -> None:
    events = history(*changes)
    expected = fold(events)
    first = data.draw(st.sampled_from(events))
    other = msgspec.structs.replace(
        event(first.sequence, data.draw(_CHANGES)), event_id="another", clinic_id="another", occurred_at_us=1
    )
    rest = list(data.draw(st.permutations([one for one in events if one is not first])))
    cut = data.draw(st.integers(0, len(rest)))
    after = data.draw(st.integers(cut, len(rest)))
    order = ProjectedOrder("order-1", "org-1")
    outcomes = {}
    for each in [*rest[:cut], first, *rest[cut:after], other, *rest[after:], first, other]:
        outcomes[each.event_id] = apply_event(order, each)
    assert outcomes["another"] is FoldOutcome.CONFLICT
    assert outcomes[first.event_id] is FoldOutcome.REPEATED
    assert (order.state, order.seen.stored(), order.revision) == (expected.state, expected.seen.stored(), len(events))
    assert order.clinic_id == "clinic-1"


@pytest.mark.parametrize("sequence", [SEQUENCE_JUMP_MAX + 3, 1_770_000_000_000_000, 2**63 - 1])
def test_a_sequence_absurdly_far_ahead_is_refused_and_freezes_nothing(sequence: int) -> None:
    first, second = history(_SAVED_A, _SAVED_B)
    order = fold([first])
    before = (order.state, order.seen.stored())
    with pytest.raises(ImpossibleEventError, match=f"its sequence is {sequence}, and the highest before it is 1"):
        apply_event(order, event(sequence, _SAVED_B))
    assert (order.sequence, order.missing, order.revision) == (1, [], 1)
    assert (order.state, order.seen.stored()) == before
    assert apply_event(order, second) is FoldOutcome.APPLIED


def test_so_many_events_may_be_lost_and_still_come() -> None:
    order = fold([event(1, _SAVED_A), event(SEQUENCE_JUMP_MAX + 2, _SAVED_B)])
    assert order.missing == [(2, SEQUENCE_JUMP_MAX + 2)]
    assert apply_event(order, event(2, _SAVED_A)) is FoldOutcome.LATE
