"""What can't be true of an event that could be read. Pure; texts name fields and ids, never a patient's data."""

from collections.abc import Iterator
from typing import Any

import msgspec

from consumer.contract.conversion import EARLIEST, LATEST
from consumer.orders import ChangeKind, ImpossibleEventError, OrderEvent

# Ids stand in database indexes, whose entries have a size limit, and in Xero's fields, which have one as well.
ID_CHARACTERS_MAX = 255
SEQUENCE_MAX = 2**63 - 1
_DAY_US = 86_400_000_000
_EPOCH_ORDINAL = 719_163
_EARLIEST_US = (EARLIEST.toordinal() - _EPOCH_ORDINAL) * _DAY_US
_LATEST_US = (LATEST.toordinal() - _EPOCH_ORDINAL + 1) * _DAY_US - 1
_ENCODE = msgspec.json.Encoder().encode

_DELETED_IDS = {
    ChangeKind.INVOICE_DELETED: "invoice_id",
    ChangeKind.PAYMENT_DELETED: "payment_id",
    ChangeKind.CREDIT_NOTE_DELETED: "credit_note_id",
}


def check(event: OrderEvent, key: bytes | None, *, texts: bool = True) -> None:
    """Refuse what can't be true of `event`, which came under the message key `key`.

    Negative unit prices, quantities and invoice totals pass: the sync explains to the clinic why they can't be sent.
    With `texts` false, `check_texts` is left out: it takes as long as all the rest, and who writes to Postgres learns
    from it that there is something to look for.

    Raises:
        ImpossibleEventError: the text names the order, the field and what to do.
    """
    order_id = event.order_id
    if key is None or key != order_id.encode("utf-8", "surrogatepass"):
        raise _impossible(event, _key_fault(key))
    if not (
        0 < len(order_id) <= ID_CHARACTERS_MAX
        and 0 < len(event.organisation_id) <= ID_CHARACTERS_MAX
        and 0 < len(event.clinic_id) <= ID_CHARACTERS_MAX
        and 0 < len(event.event_id) <= ID_CHARACTERS_MAX
        and 0 < len(event.patient["patient_id"]) <= ID_CHARACTERS_MAX
    ):
        raise _impossible(event, _envelope_fault(event))
    _check_change(event, event.kind, event.change)
    if not 1 <= event.sequence <= SEQUENCE_MAX:
        raise _impossible(event, f"its sequence is {event.sequence}; sequences count 1, 2, 3 ...")
    if not _EARLIEST_US <= event.occurred_at_us <= _LATEST_US:
        raise _impossible(
            event,
            f"occurred_at is {event.occurred_at_us} microseconds after 1970, outside of the years 1900 to 2999",
        )
    if texts:
        check_texts(event)


def check_texts(event: OrderEvent) -> None:
    """Refuse texts with a NUL or half a surrogate pair, which Postgres doesn't take.

    Raises:
        ImpossibleEventError: the text names the order and the field.
    """
    try:
        encoded = _ENCODE(event)
    except UnicodeEncodeError:
        encoded = b"\\u0000"
    if b"\\u0000" not in encoded:
        return
    # Found in one quick look at everything; now the field, if it wasn't a text that speaks of \u0000.
    for name, text in _texts(msgspec.structs.asdict(event)):
        if "\x00" in text:
            raise _impossible(event, f"the text {name} holds the character NUL")
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise _impossible(event, f"the text {name} holds half a surrogate pair")


def _texts(document: dict[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    for name, value in document.items():
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, dict):
                yield from _texts(part, f"{path}{name}.")
            elif isinstance(part, str):
                yield f"{path}{name}", part


def _check_change(event: OrderEvent, kind: ChangeKind, change: dict[str, Any]) -> None:
    if kind is ChangeKind.PAYMENT_SAVED:
        payment = change["payment"]
        _check_id(event, "payment.payment_id", payment["payment_id"])
        _not_negative(event, "payment.amount", payment["amount"])
    elif kind is ChangeKind.INVOICE_SAVED:
        invoice = change["invoice"]
        _check_id(event, "invoice.invoice_id", invoice["invoice_id"])
        _check_number(event, "invoice.number", invoice["number"])
        _check_discounts(event, "invoice", invoice["lines"])
    elif kind is ChangeKind.CREDIT_NOTE_SAVED:
        note = change["credit_note"]
        _check_id(event, "credit_note.credit_note_id", note["credit_note_id"])
        _check_number(event, "credit_note.number", note["number"])
        _not_negative(event, "credit_note.total", note["total"])
        _check_discounts(event, "credit_note", note["lines"])
    elif kind in _DELETED_IDS:
        _check_id(event, _DELETED_IDS[kind], change[_DELETED_IDS[kind]])


def _check_id(event: OrderEvent, name: str, value: str) -> None:
    if not 0 < len(value) <= ID_CHARACTERS_MAX:
        raise _impossible(event, _id_fault(name, value))


def _check_number(event: OrderEvent, name: str, value: str) -> None:
    # A number may be missing while a document is a draft; the sync explains that.
    if len(value) > ID_CHARACTERS_MAX:
        raise _impossible(event, _id_fault(name, value))


def _check_discounts(event: OrderEvent, part: str, lines: list[dict[str, Any]]) -> None:
    for line in lines:
        discount = line["discount"]
        if discount is not None and discount[0] == "-":
            _not_negative(event, f"{part}.lines.discount (line {line['line_id'][:40]})", discount)


def _not_negative(event: OrderEvent, name: str, amount: str) -> None:
    if amount[0] == "-":
        raise _impossible(event, f"{name} is {amount}, a negative amount")


def _envelope_fault(event: OrderEvent) -> str:
    ids = {
        "order_id": event.order_id,
        "organisation_id": event.organisation_id,
        "clinic_id": event.clinic_id,
        "event_id": event.event_id,
        "patient.patient_id": event.patient["patient_id"],
    }
    return next(_id_fault(name, value) for name, value in ids.items() if not 0 < len(value) <= ID_CHARACTERS_MAX)


def _key_fault(key: bytes | None) -> str:
    if key is None:
        return "the message has no key"
    try:
        key.decode()
    except UnicodeDecodeError:
        return f"the message key ({len(key)} bytes) is no UTF-8"
    return "the message key is another one"


def _id_fault(name: str, value: str) -> str:
    if not value:
        return f"{name} is empty"
    return f"{name} has {len(value)} characters; at most {ID_CHARACTERS_MAX} are allowed"


def _impossible(event: OrderEvent, fault: str) -> ImpossibleEventError:
    advice = "The key must be the order id." if "key" in fault else "Correct it at its source."
    return ImpossibleEventError(
        f"Event {_shown(event.event_id)} ({event.kind}) of order {_shown(event.order_id)}: {fault}. "
        f"{advice} Then publish the event again."
    )


def _shown(value: str) -> str:
    """Return an id fit for a sentence and a database's text, whatever was put into it."""
    short = value if len(value) <= ID_CHARACTERS_MAX else value[:40] + "..."
    return "".join(character if character.isprintable() else "?" for character in short) or "(empty)"
