"""The calls that the service makes into one tenant, by name, and what each element came to.

Writes take what Xero's documentation calls the resource's elements as plain documents; batches hold at most
`BATCH_ELEMENTS` of them (`consumer.xero.payloads.batches` cuts them). All raise the errors of `XeroClient.call`;
a refusal that concerns one element is no error but its `ElementResult`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from consumer.xero.answer import (
    ALLOCATIONS,
    CONTACTS,
    CREDIT_NOTES,
    INVOICES,
    PAYMENTS,
    Collection,
    ElementResult,
    XeroAnswer,
    read_result,
    read_results,
)
from consumer.xero.budget import Grant
from consumer.xero.client import XeroClient
from consumer.xero.errors import AnswerLostError, NotFoundError, RequestRefusedError
from consumer.xero.payloads import BATCH_ELEMENTS, PAGE_ELEMENTS, look_up_lists, read_amount

Document = dict[str, Any]

# One element's own fault, as opposed to a request that Xero can't read.
_VALIDATION = "ValidationException"
# More pages than any look-up of ours can have: a server that pages for ever is broken.
_LONGEST_LIST_PAGES = 100


class TenantClient:
    """One tenant's calls. `urgent` ones may use the day's reserve: a person waits for them.

    `before_call` goes before each: whoever needs many of them makes sure there that they may go on.
    """

    def __init__(
        self,
        client: XeroClient,
        organisation_id: str,
        tenant_id: str,
        *,
        urgent: bool = False,
        before_call: Callable[[], None] = lambda: None,
    ) -> None:
        self._client = client
        self._organisation_id = organisation_id
        self._tenant_id = tenant_id
        self._urgent = urgent
        self._before_call = before_call

    # Contacts, invoices, credit notes, payments: PUT creates, POST changes what its id names.

    def put_contacts(
        self, contacts: Sequence[Mapping[str, Any]], *, idempotency_key: str, grant: Grant | None = None
    ) -> list[ElementResult]:
        """Create contacts."""
        return self._write("PUT", CONTACTS, contacts, idempotency_key, grant)

    def post_contacts(
        self, contacts: Sequence[Mapping[str, Any]], *, idempotency_key: str, grant: Grant | None = None
    ) -> list[ElementResult]:
        """Change contacts, each named by its ContactID; fields left out keep their values."""
        return self._write("POST", CONTACTS, contacts, idempotency_key, grant)

    def put_invoices(
        self, invoices: Sequence[Mapping[str, Any]], *, idempotency_key: str, grant: Grant | None = None
    ) -> list[ElementResult]:
        """Create invoices."""
        return self._write("PUT", INVOICES, invoices, idempotency_key, grant)

    def post_invoices(
        self, invoices: Sequence[Mapping[str, Any]], *, idempotency_key: str, grant: Grant | None = None
    ) -> list[ElementResult]:
        """Change invoices, each named by its InvoiceID."""
        return self._write("POST", INVOICES, invoices, idempotency_key, grant)

    def put_credit_notes(
        self, credit_notes: Sequence[Mapping[str, Any]], *, idempotency_key: str, grant: Grant | None = None
    ) -> list[ElementResult]:
        """Create credit notes."""
        return self._write("PUT", CREDIT_NOTES, credit_notes, idempotency_key, grant)

    def post_credit_notes(
        self, credit_notes: Sequence[Mapping[str, Any]], *, idempotency_key: str, grant: Grant | None = None
    ) -> list[ElementResult]:
        """Change credit notes (void them, say), each named by its CreditNoteID."""
        return self._write("POST", CREDIT_NOTES, credit_notes, idempotency_key, grant)

    def put_payments(
        self, payments: Sequence[Mapping[str, Any]], *, idempotency_key: str, grant: Grant | None = None
    ) -> list[ElementResult]:
        """Create payments. Xero takes any number of equal ones: never send one whose answer was lost."""
        return self._write("PUT", PAYMENTS, payments, idempotency_key, grant)

    def delete_payment(self, payment_id: str, *, idempotency_key: str, grant: Grant | None = None) -> ElementResult:
        """Remove a payment. NotFoundError: there is none of that id."""
        body = {"Status": "DELETED"}
        try:
            answer = self._call(
                "POST", f"Payments/{payment_id}", body=body, idempotency_key=idempotency_key, grant=grant
            )
        except RequestRefusedError as error:
            return _refused(error)
        return read_results(PAYMENTS, [{"PaymentID": payment_id}], answer)[0]

    def put_allocation(
        self,
        credit_note_id: str,
        allocation: Mapping[str, Any],
        *,
        idempotency_key: str,
        grant: Grant | None = None,
    ) -> ElementResult:
        """Allocate a credit note: `{"Amount": …, "Invoice": {"InvoiceID": …}, "Date": …}`.

        `xero_id` of the result is the AllocationID, or None where Xero's answer leaves it out: read the note then.
        """
        try:
            answer = self._call(
                "PUT",
                f"CreditNotes/{credit_note_id}/Allocations",
                params={"summarizeErrors": "false"},
                body={"Allocations": [allocation]},
                idempotency_key=idempotency_key,
                grant=grant,
            )
        except RequestRefusedError as error:
            return _refused(error)
        return _read_allocation(answer)

    def delete_allocation(
        self, credit_note_id: str, allocation_id: str, *, grant: Grant | None = None
    ) -> ElementResult:
        """Undo an allocation; Xero takes no Idempotency-Key here. NotFoundError: there is none of that id."""
        try:
            answer = self._call("DELETE", f"CreditNotes/{credit_note_id}/Allocations/{allocation_id}", grant=grant)
        except RequestRefusedError as error:
            return _refused(error)
        if _single_allocation(answer).get("IsDeleted") is not True:
            raise AnswerLostError("Xero's answer doesn't say that the allocation is deleted.")
        return ElementResult(0, ok=True, xero_id=allocation_id, document=answer.document)

    # Look-ups. Each takes as many calls as it needs, as many elements as an address takes or a page at a time.

    def contacts_by_id(self, contact_ids: Iterable[str]) -> list[Document]:
        """Return the contacts of these ids, archived ones too."""
        return self._by_list("Contacts", "IDs", contact_ids, {"includeArchived": "true"})

    def contacts_by_number(self, contact_numbers: Iterable[str]) -> list[Document]:
        """Return the contacts with these ContactNumbers, archived ones too."""
        return self._by_field("Contacts", "ContactNumber", contact_numbers, {"includeArchived": "true"})

    def contacts_by_name(self, names: Iterable[str]) -> list[Document]:
        """Return the active contacts with these names; Xero ignores case and accents here."""
        return self._by_field("Contacts", "Name", names)

    def invoices_by_id(self, invoice_ids: Iterable[str]) -> list[Document]:
        """Return the invoices of these ids, with lines, payments and credit notes on them."""
        return self._by_list("Invoices", "IDs", invoice_ids)

    def invoices_by_number(self, invoice_numbers: Iterable[str]) -> list[Document]:
        """Return the invoices with these numbers, deleted and voided ones and others' bills too: judge them."""
        numbers = list(invoice_numbers)
        # The list that Xero looks up fastest is parted by commas.
        found = self._by_list("Invoices", "InvoiceNumbers", [number for number in numbers if "," not in number])
        return found + self._by_field("Invoices", "InvoiceNumber", [number for number in numbers if "," in number])

    def invoices_of_contacts(self, contact_ids: Iterable[str]) -> list[Document]:
        """Return the sales invoices of these contacts, whatever their numbers and statuses."""
        return self._by_list("Invoices", "ContactIDs", contact_ids, {"where": 'Type=="ACCREC"'})

    def credit_note(self, credit_note_id: str) -> Document:
        """Return one credit note with its allocations. NotFoundError: there is none of that id."""
        found = self._call("GET", f"CreditNotes/{credit_note_id}", params=_unit_places("CreditNotes")).elements(
            "CreditNotes"
        )
        if len(found) != 1:
            raise AnswerLostError(f"Xero answered {len(found)} credit notes to one id.")
        return found[0]

    def credit_notes_by_id(self, credit_note_ids: Iterable[str]) -> list[Document]:
        """Return the credit notes of these ids with their allocations; those that Xero doesn't know are left out.

        Read together where that tells all of them, else one by one: a list may leave allocations out.
        """
        wanted = {credit_note_id.lower(): credit_note_id for credit_note_id in credit_note_ids}
        found = {}
        if len(wanted) > 1:
            conditions = [f'CreditNoteID==guid("{credit_note_id}")' for credit_note_id in wanted.values()]
            try:
                notes = self._by_where("CreditNotes", conditions)
            except RequestRefusedError:
                notes = []
            found = {str(note.get("CreditNoteID")).lower(): note for note in notes if _tells_allocations(note)}
        for key, credit_note_id in wanted.items():
            if key not in found:
                try:
                    found[key] = self.credit_note(credit_note_id)
                except NotFoundError:
                    continue
        return list(found.values())

    def credit_notes_by_number(self, credit_note_numbers: Iterable[str]) -> list[Document]:
        """Return the credit notes with these numbers."""
        return self._by_field("CreditNotes", "CreditNoteNumber", credit_note_numbers)

    def payments_on_invoices(self, invoice_ids: Iterable[str]) -> list[Document]:
        """Return the payments on these invoices, deleted ones too."""
        return self._by_where("Payments", [f'Invoice.InvoiceID==guid("{guid}")' for guid in invoice_ids])

    def standing_payments(self, invoice_ids: Iterable[str]) -> list[Document]:
        """Return the payments that stand on these invoices, each with its `Reference` and `Invoice.InvoiceID`.

        Nothing at Xero prevents a payment from being made twice, so this must not overlook one: the invoices are read
        by their ids, and only those that something was paid on are asked for their payments, one by one.
        """
        return self.payments_standing_on(self.invoices_by_id(invoice_ids))

    def payments_standing_on(self, invoices: Iterable[Document]) -> list[Document]:
        """Return the same of invoices that were read already, as `invoices_by_id` gives them."""
        found = []
        for invoice in invoices:
            listed = [entry for entry in invoice.get("Payments") or () if isinstance(entry, dict)]
            if not listed and read_amount(invoice.get("AmountPaid")) == 0:
                continue
            owner = {"Invoice": {"InvoiceID": invoice.get("InvoiceID")}}
            if listed and all("Reference" in entry for entry in listed):
                found += [{**entry, **owner} for entry in listed]
            else:
                paid = self.payments_on_invoices([str(invoice["InvoiceID"])])
                found += [entry for entry in paid if entry.get("Status") != "DELETED"]
        return found

    def organisation(self) -> Document:
        """Return the tenant's organisation: BaseCurrency, CountryCode, lock dates and so on."""
        found = self._call("GET", "Organisation").elements("Organisations")
        if not found:
            raise AnswerLostError("Xero answered no organisation.")
        return found[0]

    def accounts(self) -> list[Document]:
        """Return the chart of accounts, archived ones too."""
        return self._call("GET", "Accounts").elements("Accounts")

    def tax_rates(self) -> list[Document]:
        """Return the tax rates."""
        return self._call("GET", "TaxRates").elements("TaxRates")

    def _write(
        self,
        method: str,
        collection: Collection,
        elements: Sequence[Mapping[str, Any]],
        idempotency_key: str,
        grant: Grant | None,
    ) -> list[ElementResult]:
        if not 0 < len(elements) <= BATCH_ELEMENTS:
            raise ValueError(f"A call carries 1 to {BATCH_ELEMENTS} elements, not {len(elements)}.")
        try:
            answer = self._call(
                method,
                collection.name,
                params={"summarizeErrors": "false", **_unit_places(collection.name)},
                body={collection.name: list(elements)},
                idempotency_key=idempotency_key,
                grant=grant,
            )
        except RequestRefusedError as error:
            # Of several elements it can't be told which one is at fault.
            if len(elements) == 1 and error.kind == _VALIDATION:
                return [_refused(error)]
            raise
        return read_results(collection, elements, answer)

    def _by_list(
        self, collection: str, parameter: str, values: Iterable[str], extra: Mapping[str, str] | None = None
    ) -> list[Document]:
        found = []
        # Each once: the same number asked for twice would be found twice.
        for some in look_up_lists(dict.fromkeys(values), str):
            try:
                found += self._pages(collection, {parameter: ",".join(some), **(extra or {})})
            except RequestRefusedError:
                if len(some) == 1:
                    raise
                for value in some:
                    found += self._pages(collection, {parameter: value, **(extra or {})})
        return found

    def _by_field(
        self, collection: str, field: str, values: Iterable[str], extra: Mapping[str, str] | None = None
    ) -> list[Document]:
        return self._by_where(collection, [f"{field}=={_quoted(value)}" for value in values], extra)

    def _by_where(
        self, collection: str, conditions: Iterable[str], extra: Mapping[str, str] | None = None
    ) -> list[Document]:
        found = []
        for some in look_up_lists(dict.fromkeys(conditions), str):
            try:
                found += self._pages(collection, {"where": " OR ".join(some), **(extra or {})})
            except RequestRefusedError:
                if len(some) == 1:
                    raise
                # Xero refuses filters that it finds too costly: one condition at a time is always taken.
                for condition in some:
                    found += self._pages(collection, {"where": condition, **(extra or {})})
        return found

    def _pages(self, collection: str, params: Mapping[str, str]) -> list[Document]:
        found: list[Document] = []
        for page in range(1, _LONGEST_LIST_PAGES + 1):
            paging = {"page": str(page), "pageSize": str(PAGE_ELEMENTS)}
            some = self._call("GET", collection, params={**params, **paging, **_unit_places(collection)}).elements(
                collection
            )
            found += some
            if len(some) < PAGE_ELEMENTS:
                return found
        raise AnswerLostError(f"Xero answers ever more pages of {collection}.")

    def _call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        grant: Grant | None = None,
    ) -> XeroAnswer:
        self._before_call()
        return self._client.call(
            self._organisation_id,
            self._tenant_id,
            method,
            "/".join(quote(part, safe="") for part in path.split("/")),
            params=params,
            body=body,
            idempotency_key=idempotency_key,
            urgent=self._urgent,
            grant=grant,
        )


def _unit_places(collection: str) -> dict[str, str]:
    """Ask for prices of four places: Xero else rounds them to two, in reads as well. Only documents have prices."""
    return {"unitdp": "4"} if collection in {"Invoices", "CreditNotes"} else {}


def _refused(error: RequestRefusedError) -> ElementResult:
    if error.kind != _VALIDATION:
        raise error
    return ElementResult(0, ok=False, xero_id=None, document={}, messages=error.messages)


def _read_allocation(answer: XeroAnswer) -> ElementResult:
    """Read the answer to one allocation: the allocation itself, or a list with it alone."""
    result = read_result(ALLOCATIONS, 0, _single_allocation(answer))
    # Its id may be left out, so something else must say that it was made.
    if result.ok and result.xero_id is None and "Amount" not in result.document:
        raise AnswerLostError("Xero's answer tells nothing of the allocation.")
    return result


def _single_allocation(answer: XeroAnswer) -> dict[str, Any]:
    allocations = answer.document.get("Allocations", [answer.document])
    if not isinstance(allocations, list) or len(allocations) != 1 or not isinstance(allocations[0], dict):
        raise AnswerLostError("Xero's answer holds no single allocation.")
    return allocations[0]


def _tells_allocations(note: Document) -> bool:
    """Whether a note from a list says which invoices it is allocated to, and under which ids."""
    allocations = note.get("Allocations")
    if not isinstance(allocations, list):
        return False
    if not all(isinstance(entry, dict) and {"AllocationID", "Invoice"} <= entry.keys() for entry in allocations):
        return False
    # Lists have been seen to leave out what the document alone tells.
    is_used = read_amount(note.get("RemainingCredit")) != read_amount(note.get("Total"))
    return bool(allocations) or not is_used or note.get("Status") in {"VOIDED", "DELETED"}


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
