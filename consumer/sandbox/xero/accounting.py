"""The Accounting API without HTTP: which path does what to a ledger, and what it answers."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from consumer.sandbox.xero import fields
from consumer.sandbox.xero.allocations import allocate, remove_allocation
from consumer.sandbox.xero.contacts import create_contact, post_contact, update_contact
from consumer.sandbox.xero.credit_notes import create_credit_note, find_credit_note, post_credit_note
from consumer.sandbox.xero.documents import Writing
from consumer.sandbox.xero.errors import BadRequest, NotFound, Refused, malformed_data
from consumer.sandbox.xero.invoices import create_invoice, find_invoice, post_invoice, warnings_of
from consumer.sandbox.xero.ledger import Ledger
from consumer.sandbox.xero.payments import create_payment, delete_payment
from consumer.sandbox.xero.reads import PreconditionFailed, read_list
from consumer.sandbox.xero.records import Contact, CreditNote
from consumer.sandbox.xero.representation import (
    View,
    contact_json,
    credit_note_json,
    invoice_json,
    new_allocation_json,
    payment_json,
)
from consumer.sandbox.xero.resources import accounts, contacts, credit_notes, invoices, payments, tax_rates
from consumer.sandbox.xero.settings_representation import account_json, organisation_json
from consumer.sandbox.xero.values import Json, fold, ms_date
from consumer.sandbox.xero.writes import Batch, Kind, Saved, elements_of, validation_exception, write_batch

CONTACTS = Kind("Contacts", "ContactID", fields.CONTACT, "HasValidationErrors")
INVOICES = Kind("Invoices", "InvoiceID", fields.INVOICE, "HasErrors")
CREDIT_NOTES = Kind("CreditNotes", "CreditNoteID", fields.CREDIT_NOTE, "HasErrors")
PAYMENTS = Kind("Payments", "PaymentID", fields.PAYMENT, "HasValidationErrors")
ALLOCATIONS = Kind("Allocations", "AllocationID", fields.ALLOCATION, "HasValidationErrors")

_LISTS = {
    "Accounts": accounts,
    "TaxRates": tax_rates,
    "Contacts": contacts,
    "Invoices": invoices,
    "CreditNotes": credit_notes,
    "Payments": payments,
}
_ACTIONS = (
    "CreateApprovedInvoice",
    "CreateDraftInvoice",
    "CreateInvoicePayment",
    "CreateRepeatingInvoice",
    "UseMulticurrency",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A call on ``/api.xro/2.0``.

    Attributes:
        method: The HTTP method.
        path: The segments after ``/api.xro/2.0/``.
        query: Parameters, names in lower case.
        body: Parsed JSON with numbers as Decimal; `None` without a body.
        if_modified_since: The header's value, or "".
        app: Who calls, as the ledger's history names it.
        committed_elements: Take only so many elements (an injected fault).
        refusing: What is said against elements (an injected fault), and the text that these have somewhere; "" = all.
    """

    method: str
    path: tuple[str, ...]
    query: Mapping[str, str]
    body: object = None
    if_modified_since: str = ""
    app: str = "app:test"
    committed_elements: int | None = None
    refusing: tuple[tuple[str, ...], str] | None = None

    @property
    def summarize_errors(self) -> bool:
        """Whether one refused element fails the call; so unless the query says false."""
        return self.query.get("summarizeerrors", "true").lower() != "false"

    @property
    def view(self) -> View:
        """How a record that is read is shown."""
        return View(unit_places=4 if self.query.get("unitdp") == "4" else 2)

    @property
    def written(self) -> View:
        """How a record that was written is shown."""
        return View(unit_places=self.view.unit_places, after_write=True)

    @property
    def writing(self) -> Writing:
        """Who writes, and how."""
        return Writing(actor=self.app, unit_places=self.view.unit_places)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API answers.

    Attributes:
        status: HTTP status.
        body: JSON; `None` for an empty body.
        elements: How many elements the request wrote.
        bare: Whether the body stands without the envelope.
    """

    status: int
    body: Json | None = None
    elements: int = 0
    bare: bool = False


Handler = Callable[[Ledger, Request], Answer]


def handle(ledger: Ledger, request: Request) -> Answer:
    """Do what the request asks. Nothing is kept of a request that ends in 400, 404 or 412 as a whole."""
    by_method = _route(request.path)
    if by_method is None:
        return Answer(404)
    handler = by_method.get(request.method)
    if handler is None:
        return Answer(501)
    try:
        with ledger.savepoint():
            return handler(ledger, request)
    except BadRequest as refusal:
        return Answer(400, refusal.body, bare=True)
    except NotFound:
        return Answer(404)
    except PreconditionFailed:
        return Answer(412)


def knows(path: tuple[str, ...]) -> bool:
    """Whether the path is one of the API's."""
    return _route(path) is not None


def _route(path: tuple[str, ...]) -> dict[str, Handler] | None:
    match path:
        case (name,):
            return _COLLECTIONS.get(name)
        case ("Organisation", "Actions"):
            return {"GET": _actions}
        case (name, _key):
            return _SINGLES.get(name)
        case ("CreditNotes", _key, "Allocations"):
            return {"PUT": _put_allocations}
        case ("CreditNotes", _key, "Allocations", _allocation):
            return {"DELETE": _delete_allocation}
    return None


def _list(ledger: Ledger, request: Request) -> Answer:
    resource = _LISTS[request.path[0]](ledger)
    return Answer(200, read_list(resource, request.query, request.if_modified_since, request.app))


def _organisation(ledger: Ledger, _request: Request) -> Answer:
    return Answer(200, {"Organisations": [organisation_json(ledger.organisation)]})


def _actions(ledger: Ledger, _request: Request) -> Answer:
    single_currency = len(ledger.organisation.currencies) == 1
    refused = {"UseMulticurrency"} if single_currency else set()
    return Answer(
        200,
        {"Actions": [{"Name": name, "Status": "NOT-ALLOWED" if name in refused else "ALLOWED"} for name in _ACTIONS]},
    )


def _get_account(ledger: Ledger, request: Request) -> Answer:
    account = ledger.accounts.get(request.path[1].lower())
    if account is None:
        raise NotFound
    return Answer(200, {"Accounts": [account_json(account)]})


def _get_contact(ledger: Ledger, request: Request) -> Answer:
    return Answer(200, {"Contacts": [contact_json(_contact(ledger, request.path[1]), request.view)]})


def _get_invoice(ledger: Ledger, request: Request) -> Answer:
    invoice = find_invoice(ledger, request.path[1])
    if invoice is None:
        raise NotFound
    return Answer(200, {"Invoices": [invoice_json(ledger, invoice, request.view)]})


def _get_credit_note(ledger: Ledger, request: Request) -> Answer:
    note = _credit_note(ledger, request.path[1])
    return Answer(200, {"CreditNotes": [credit_note_json(ledger, note, request.view)]})


def _get_payment(ledger: Ledger, request: Request) -> Answer:
    payment = ledger.payments.get(request.path[1].lower())
    if payment is None:
        raise NotFound
    return Answer(200, {"Payments": [payment_json(ledger, payment, request.view)]})


def _write_contacts(ledger: Ledger, request: Request) -> Answer:
    def apply(element: Json) -> Saved:
        if request.method == "PUT":
            contact = create_contact(ledger, element, request.app)
        elif len(request.path) > 1:
            contact = update_contact(ledger, _contact(ledger, request.path[1]), element, request.app)
        else:
            contact = post_contact(ledger, element, request.app)
        return Saved(contact_json(contact, request.written))

    return _write(ledger, request, CONTACTS, apply)


def _write_invoices(ledger: Ledger, request: Request) -> Answer:
    def apply(element: Json) -> Saved:
        if request.method == "PUT":
            invoice = create_invoice(ledger, element, request.writing)
        else:
            path_key = request.path[1] if len(request.path) > 1 else None
            invoice = post_invoice(ledger, element, request.writing, path_key)
        return Saved(
            invoice_json(ledger, invoice, request.written),
            tuple(warnings_of(element, invoice)),
        )

    return _write(ledger, request, INVOICES, apply)


def _write_credit_notes(ledger: Ledger, request: Request) -> Answer:
    def apply(element: Json) -> Saved:
        if request.method == "PUT":
            note = create_credit_note(ledger, element, request.writing)
        else:
            path_key = request.path[1] if len(request.path) > 1 else None
            note = post_credit_note(ledger, element, request.writing, path_key)
        return Saved(credit_note_json(ledger, note, request.written))

    return _write(ledger, request, CREDIT_NOTES, apply)


def _write_payments(ledger: Ledger, request: Request) -> Answer:
    def apply(element: Json) -> Saved:
        payment = create_payment(ledger, element, request.app)
        return Saved(payment_json(ledger, payment, request.written))

    # POST creates a single payment and always summarises: Xero's description gives it no summarizeErrors.
    return _write(ledger, request, PAYMENTS, apply, single=request.method == "POST")


def _delete_payment(ledger: Ledger, request: Request) -> Answer:
    payment = ledger.payments.get(request.path[1].lower())
    if payment is None:
        raise NotFound

    def apply(element: Json) -> Saved:
        if set(element) - {"PaymentID"} != {"Status"} or element["Status"] != "DELETED":
            raise malformed_data("A payment can only be deleted: send Status DELETED and nothing else.")
        deleted = delete_payment(ledger, payment, request.app)
        return Saved(payment_json(ledger, deleted, request.written))

    return _write(ledger, request, PAYMENTS, apply, single=True)


def _put_allocations(ledger: Ledger, request: Request) -> Answer:
    note = _credit_note(ledger, request.path[1])

    def apply(element: Json) -> Saved:
        current = ledger.credit_notes[note.document_id]
        return Saved(new_allocation_json(allocate(ledger, current, element, request.app)))

    return _write(ledger, request, ALLOCATIONS, apply)


def _delete_allocation(ledger: Ledger, request: Request) -> Answer:
    note = _credit_note(ledger, request.path[1])
    allocation = ledger.allocations.get(request.path[3].lower())
    if allocation is None or allocation.credit_note_id != note.document_id:
        raise NotFound
    try:
        remove_allocation(ledger, allocation, request.app)
    except Refused as refusal:
        problems = [{"Message": text} for text in refusal.messages]
        element = {"AllocationID": allocation.allocation_id, "ValidationErrors": problems}
        return Answer(400, validation_exception([element]), bare=True)
    body = {
        "AllocationID": allocation.allocation_id,
        "Date": ms_date(allocation.date),
        "Invoice": {"InvoiceID": allocation.invoice_id},
        "IsDeleted": True,
    }
    return Answer(200, body, bare=True)


def _write(
    ledger: Ledger, request: Request, kind: Kind, apply: Callable[[Json], Saved], *, single: bool = False
) -> Answer:
    def checked(element: Json) -> Saved:
        if request.refusing is not None and request.refusing[1] in json.dumps(element, default=str, ensure_ascii=False):
            raise Refused(*request.refusing[0])
        return apply(element)

    raw = elements_of(request.body, kind.name)
    by_path = request.path[0] == kind.name and len(request.path) > 1
    if (single or by_path) and len(raw) != 1:
        raise malformed_data(f"This request takes one element of '{kind.name}'.")
    batch: Batch = write_batch(
        ledger,
        kind,
        raw,
        checked,
        summarize_errors=request.summarize_errors or single or by_path,
        committed_elements=request.committed_elements,
    )
    return Answer(batch.status, batch.body, batch.elements, bare=batch.status != 200)  # noqa: PLR2004 - OK


def _contact(ledger: Ledger, reference: str) -> Contact:
    contact = ledger.contacts.get(reference.lower())
    if contact is None:
        contact_id = ledger.contact_by_number.get(fold(reference))
        if contact_id is None:
            raise NotFound
        contact = ledger.contacts[contact_id]
    return contact


def _credit_note(ledger: Ledger, reference: str) -> CreditNote:
    note = find_credit_note(ledger, reference)
    if note is None:
        raise NotFound
    return note


_COLLECTIONS: dict[str, dict[str, Handler]] = {
    "Organisation": {"GET": _organisation},
    "Accounts": {"GET": _list},
    "TaxRates": {"GET": _list},
    "Contacts": {"GET": _list, "PUT": _write_contacts, "POST": _write_contacts},
    "Invoices": {"GET": _list, "PUT": _write_invoices, "POST": _write_invoices},
    "CreditNotes": {"GET": _list, "PUT": _write_credit_notes, "POST": _write_credit_notes},
    "Payments": {"GET": _list, "PUT": _write_payments, "POST": _write_payments},
}
_SINGLES: dict[str, dict[str, Handler]] = {
    "Accounts": {"GET": _get_account},
    "Contacts": {"GET": _get_contact, "POST": _write_contacts},
    "Invoices": {"GET": _get_invoice, "POST": _write_invoices},
    "CreditNotes": {"GET": _get_credit_note, "POST": _write_credit_notes},
    "Payments": {"GET": _get_payment, "POST": _delete_payment},
}
