"""Answers of Xero, read: the document, and the outcome of each element. Pure."""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from consumer.xero.error_body import listed_messages
from consumer.xero.errors import AnswerLostError
from consumer.xero.payloads import ZERO_GUID


class XeroAnswer(msgspec.Struct, frozen=True):
    """A 2xx answer. Numbers of `document` with a fraction are Decimals; an empty body is an empty document."""

    status: int
    document: dict[str, Any]

    def elements(self, collection: str) -> list[dict[str, Any]]:
        """Return the list `collection` (`Invoices`, …).

        Raises:
            AnswerLostError: the answer holds no such list.
        """
        elements = self.document.get(collection)
        if not isinstance(elements, list) or not all(isinstance(element, dict) for element in elements):
            raise AnswerLostError(f"Xero's answer holds no list of {collection}.")
        return elements


class ElementResult(msgspec.Struct, frozen=True):
    """What became of one element of a batch.

    `messages` are Xero's sentences on why it was refused, verbatim; empty where `ok`, or where it gave none. `xero_id`
    is None where it was refused, and for an allocation where Xero's answer leaves it out. Where Xero saved it under
    another number than it was sent with it is not `ok` and has an id all the same: it is there, and not as it was
    wanted. `unmade`: Xero said neither no nor what it made.
    """

    position: int
    ok: bool
    xero_id: str | None
    document: dict[str, Any]
    messages: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    unmade: bool = False


class Collection(msgspec.Struct, frozen=True):
    """How one of Xero's collections is written: its name, and which fields name an element of it."""

    name: str
    id_field: str
    # Fields that an answer repeats as they were sent: what tells that an element answers ours.
    echoes: tuple[str, ...]
    # The one of them that Xero may change, a number that it gives of its own; and what shows that it is ours still.
    number_field: str | None = None
    mark_field: str = ""
    # False = Xero may answer a success without the id.
    always_identified: bool = True


CONTACTS = Collection("Contacts", "ContactID", ("ContactID", "ContactNumber"), "ContactNumber", "Name")
INVOICES = Collection("Invoices", "InvoiceID", ("InvoiceID", "InvoiceNumber"), "InvoiceNumber", "Url")
CREDIT_NOTES = Collection(
    "CreditNotes", "CreditNoteID", ("CreditNoteID", "CreditNoteNumber"), "CreditNoteNumber", "Reference"
)
# Several payments of one invoice may travel in one call: the reference, with HearLink's id, tells them apart.
PAYMENTS = Collection("Payments", "PaymentID", ("PaymentID", "Invoice.InvoiceID", "Reference"))
ALLOCATIONS = Collection("Allocations", "AllocationID", ("Invoice.InvoiceID",), always_identified=False)


def read_document(body: bytes) -> dict[str, Any]:
    """Read a JSON object, with Decimals for numbers that have a fraction.

    Raises:
        ValueError: it is none.
    """
    try:
        document = json.loads(body, parse_float=Decimal, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("The document is nested too deep.") from None
    if not isinstance(document, dict):
        raise ValueError("The document is no JSON object.")  # noqa: TRY004 - the same to whoever reads an answer
    return document


def read_results(collection: Collection, sent: Sequence[Mapping[str, Any]], answer: XeroAnswer) -> list[ElementResult]:
    """Pair the elements of `answer` with those `sent`, by position.

    Raises:
        AnswerLostError: their number differs, or one answers another element than ours: nothing is certain then.
    """
    answered = answer.elements(collection.name)
    if len(answered) != len(sent):
        raise AnswerLostError(f"Xero answered {len(answered)} {collection.name} to the {len(sent)} that were sent.")
    results = []
    for position, (ours, theirs) in enumerate(zip(sent, answered, strict=True)):
        result = read_result(collection, position, theirs)
        for field in collection.echoes:
            if _echoes(_field(ours, field), _field(theirs, field)):
                continue
            if not (result.ok and field == collection.number_field and _is_marked(collection, ours, theirs)):
                raise AnswerLostError(
                    f"Element {position} of Xero's answer has another {field} than the one of {collection.name} sent."
                )
            result = msgspec.structs.replace(result, ok=False)
        results.append(result)
    return results


def _is_marked(collection: Collection, ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> bool:
    """Whether an answer bears the mark of the element sent, and so is about it whatever its number says."""
    mark = ours.get(collection.mark_field)
    return bool(mark) and _echoes(mark, theirs.get(collection.mark_field) or "")


def read_result(collection: Collection, position: int, element: dict[str, Any]) -> ElementResult:
    """Read one element of an answer.

    Raises:
        AnswerLostError: it has neither an error nor an id.
    """
    warnings = tuple(listed_messages(element, "warnings"))
    errors = tuple(listed_messages(element, "validationerrors"))
    status = str(element.get("StatusAttributeString", "")).upper()
    identifier = element.get(collection.id_field)
    flagged = status == "ERROR" or element.get("HasErrors") is True or element.get("HasValidationErrors") is True
    is_refused = flagged or bool(errors and status == "")
    if is_refused or identifier == ZERO_GUID:
        return ElementResult(
            position,
            ok=False,
            xero_id=None,
            document=element,
            messages=errors,
            warnings=warnings,
            unmade=not is_refused and not errors,
        )
    if identifier is None and not collection.always_identified:
        return ElementResult(position, ok=True, xero_id=None, document=element, warnings=warnings + errors)
    if not isinstance(identifier, str) or not identifier:
        raise AnswerLostError(f"Element {position} of Xero's answer has neither an error nor a {collection.id_field}.")
    # With an explicit OK, errors below it are about things left out: they don't undo that it was saved.
    return ElementResult(position, ok=True, xero_id=identifier, document=element, warnings=warnings + errors)


def _field(element: Mapping[str, Any], path: str) -> Any:
    value: Any = element
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _echoes(ours: Any, theirs: Any) -> bool:
    if ours is None or theirs is None or theirs == ZERO_GUID:
        return True
    # Xero trims, and writes ids in lower case.
    return " ".join(str(ours).split()).casefold() == " ".join(str(theirs).split()).casefold()


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number.")
