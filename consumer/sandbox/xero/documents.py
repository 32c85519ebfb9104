"""What invoices and credit notes have in common: reading, status changes, lock dates, editing rules."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import TypeVar
from urllib.parse import urlsplit

from consumer.sandbox.xero import errors
from consumer.sandbox.xero.contacts import contact_for_document
from consumer.sandbox.xero.errors import Refused
from consumer.sandbox.xero.ledger import Ledger
from consumer.sandbox.xero.lines import LineReader, LineRules, money_terms, totals_of
from consumer.sandbox.xero.records import Document
from consumer.sandbox.xero.values import ZERO, Json, cents

AnyDocument = TypeVar("AnyDocument", bound=Document)

CHANGES: Mapping[str, frozenset[str]] = {
    "DRAFT": frozenset({"DRAFT", "SUBMITTED", "AUTHORISED", "DELETED"}),
    "SUBMITTED": frozenset({"SUBMITTED", "AUTHORISED", "DRAFT", "DELETED"}),
    "AUTHORISED": frozenset({"AUTHORISED", "VOIDED"}),
    "PAID": frozenset({"PAID"}),
    "VOIDED": frozenset(),
    "DELETED": frozenset(),
}
FIRST_STATUSES = frozenset({"DRAFT", "SUBMITTED", "AUTHORISED"})
ENDED = frozenset({"VOIDED", "DELETED"})
AMOUNT_TYPES = {"exclusive": "Exclusive", "inclusive": "Inclusive", "notax": "NoTax"}
_LONGEST_TEXT = 255


@dataclass(frozen=True, slots=True)
class Writing:
    """Who writes, and how: the actor's name for the history, and the decimal places of unit amounts."""

    actor: str
    unit_places: int = 2


def check_lock_dates(ledger: Ledger, *days: date) -> None:
    """Refuse a change to approved documents on or before a lock date.

    Raises:
        Refused: The period or the year is closed.
    """
    day = min(days)
    organisation = ledger.organisation
    problems = []
    if organisation.period_lock_date and day <= organisation.period_lock_date:
        problems.append(errors.period_locked(organisation.period_lock_date))
    if organisation.end_of_year_lock_date and day <= organisation.end_of_year_lock_date:
        problems.append(errors.year_locked(organisation.end_of_year_lock_date))
    if problems:
        raise Refused(*problems)


def check_status_change(ledger: Ledger, document: Document, status: str, noun: str, not_valid: str) -> None:
    """Refuse a status change that the table does not list.

    Raises:
        Refused: The document has ended, has something applied, or may not go there.
    """
    if document.status in ENDED:
        raise Refused(not_valid)
    if status != document.status and ledger.has_applied(document):
        raise Refused(errors.status_not_applicable(status, noun))
    if status not in CHANGES[document.status]:
        raise Refused(not_valid)


def check_contact_usable(ledger: Ledger, document: Document) -> None:
    """Documents of an archived contact can't be changed, not even voided.

    Raises:
        Refused: The contact is archived.
    """
    if ledger.contacts[document.contact_id].status != "ACTIVE":
        raise Refused(errors.CONTACT_ARCHIVED_USE)


def read_header(ledger: Ledger, document: AnyDocument, element: Json, writing: Writing) -> AnyDocument:
    """The document with the fields of `element` that every document has; lines and totals excepted.

    Raises:
        Refused: Xero's validation messages.
    """
    problems = []
    if "Contact" in element:
        contact = contact_for_document(ledger, element["Contact"], writing.actor)
        document = replace(document, contact_id=contact.contact_id)
    currency = element.get("CurrencyCode", document.currency_code)
    if currency not in ledger.organisation.currencies:
        problems.append(errors.currency_not_subscribed(currency))
    if len(element.get("Reference", "")) > _LONGEST_TEXT:
        problems.append(errors.REFERENCE_TOO_LONG)
    amount_types = AMOUNT_TYPES.get(element.get("LineAmountTypes", document.line_amount_types).lower())
    if amount_types is None:
        raise errors.malformed_data(f"'{element['LineAmountTypes']}' is not a valid LineAmountTypes.")
    if problems:
        raise Refused(*problems)
    return replace(
        document,
        date=element.get("Date", document.date),
        due_date=element.get("DueDate", document.due_date),
        reference=element.get("Reference", document.reference),
        line_amount_types=amount_types,
        branding_theme_id=element.get("BrandingThemeID", document.branding_theme_id),
        currency_code=currency,
        currency_rate=element.get("CurrencyRate", document.currency_rate),
    )


def read_lines(
    ledger: Ledger,
    old: Document | None,
    document: AnyDocument,
    element: Json,
    writing: Writing,
    *,
    discounts: bool,
) -> AnyDocument:
    """The document with the lines of `element` (its own when there are none) and the totals they make.

    Lines that are not sent are checked again only when the document is about to be approved or its amounts
    change their meaning, so that an archived account does not block a new due date.

    Args:
        ledger: The books.
        old: The document before the change, if there was one.
        document: The document with its new header.
        element: The request.
        writing: Who writes, and how.
        discounts: Whether lines may carry one.

    Raises:
        Refused: What is wrong with each line, with the totals that were sent, or a total below zero.
    """
    rules = LineRules(
        amount_types=document.line_amount_types,
        unit_places=writing.unit_places,
        complete=document.status not in {"DRAFT", "DELETED"},
        discounts=discounts,
    )
    reader = LineReader(ledger, rules)
    if "LineItems" in element:
        lines = reader.read(element["LineItems"], document.lines)
    elif old is not None and (old.status, old.line_amount_types) == (
        document.status,
        document.line_amount_types,
    ):
        lines = document.lines
    else:
        lines = reader.recheck(document.lines)
    nested: dict[str | int, list[str]] = {
        index: list(dict.fromkeys(texts)) for index, texts in reader.problems.items() if texts
    }
    messages = list(dict.fromkeys(text for texts in nested.values() for text in texts))
    if rules.complete and any(not line.description for line in lines):
        messages.append(errors.DESCRIPTION_REQUIRED)
    totals = totals_of(lines, document.line_amount_types)
    sent = {"SubTotal": totals.sub_total, "TotalTax": totals.total_tax, "Total": totals.total}
    if any(name in element and cents(element[name]) != expected for name, expected in sent.items()):
        messages.append(errors.TOTALS_DIFFER)
    if totals.total < ZERO:
        messages.append(errors.TOTAL_NEGATIVE)
    if messages:
        raise Refused(*messages, nested=nested)
    return replace(
        document,
        lines=lines,
        sub_total=totals.sub_total,
        total_tax=totals.total_tax,
        total=totals.total,
    )


def check_applied_edit(ledger: Ledger, old: Document, new: Document) -> None:
    """With payments or credit on a document, only texts, the due date, accounts and the contact may change.

    Raises:
        Refused: Something else would change; a paid document gets Xero's second message as well.
    """
    if not ledger.has_applied(old):
        return
    same = (
        (old.date, old.line_amount_types, old.currency_code, old.currency_rate)
        == (new.date, new.line_amount_types, new.currency_code, new.currency_rate)
        and money_terms(old.lines) == money_terms(new.lines)
        and (old.contact_id == new.contact_id or not ledger.allocations_of.get(old.document_id))
    )
    if same:
        return
    if old.status == "PAID":
        raise Refused(errors.CANNOT_EDIT_APPLIED, errors.NOT_VALID_FOR_MODIFICATION)
    raise Refused(errors.CANNOT_EDIT_APPLIED)


def check_number(number: str, holder: str | None, document_id: str, taken: str) -> None:
    """Refuse a number that is too long, not plain ASCII, or another document's.

    A deleted or voided document keeps its number: whether Xero frees it is not documented.

    Raises:
        Refused: The number can't be used.
    """
    if len(number) > _LONGEST_TEXT or not number.isascii() or not number.isprintable():
        raise Refused(errors.NUMBER_INVALID)
    if holder not in {None, document_id}:
        raise Refused(taken)


def is_link(text: str) -> bool:
    """Whether `text` is an absolute web address."""
    parts = urlsplit(text)
    return parts.scheme in {"http", "https"} and bool(parts.netloc)
