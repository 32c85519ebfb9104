"""Xero's own SDK as an independent judge: it sends what real clients send, and parses what it gets."""

import gc
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from xero_python import accounting as model  # type: ignore[import-untyped]
from xero_python.accounting import AccountingApi  # type: ignore[import-untyped]
from xero_python.api_client import ApiClient  # type: ignore[import-untyped]
from xero_python.api_client.configuration import Configuration  # type: ignore[import-untyped]
from xero_python.api_client.oauth2 import OAuth2Token, TokenApi  # type: ignore[import-untyped]
from xero_python.exceptions import (  # type: ignore[import-untyped]
    AccountingBadRequestException,
    HTTPStatusException,
    NotFoundException,
    RateLimitException,
)
from xero_python.identity import IdentityApi  # type: ignore[import-untyped]

from consumer.sandbox.xero import Fault, XeroSimulator

DAY, DUE = date(2026, 3, 10), date(2026, 3, 24)


class Sdk:
    """The SDK's two APIs on one simulator."""

    def __init__(self, xero: XeroSimulator, tenant_id: str) -> None:
        self.xero = xero
        self.tenant_id = tenant_id
        self.saved: dict[str, Any] = self._tokens(xero.control.authorise())
        token = OAuth2Token(xero.client_id, xero.client_secret)
        client = ApiClient(
            Configuration(oauth2_token=token),
            oauth2_token_getter=lambda: self.saved,
            oauth2_token_saver=self._save,
        )
        client.rest_client.pool_manager.connection_pool_kw["retries"] = False
        self.client = client
        self.accounting = AccountingApi(client, base_url=f"{xero.url}/api.xro/2.0")
        self.identity = IdentityApi(client, base_url=xero.url)

    def call(self, operation: str, *arguments: Any, **named: Any) -> Any:
        return getattr(self.accounting, operation)(self.tenant_id, *arguments, **named)

    def contact(self, name: str = "Ada Byron", number: str | None = None) -> Any:
        contacts = model.Contacts(contacts=[model.Contact(name=name, contact_number=number)])
        return self.call("create_contacts", contacts).contacts[0]

    def invoice(self, contact: Any, **changes: Any) -> Any:
        return self.call("create_invoices", invoices(self, contact, **changes)).invoices[0]

    def _save(self, token: dict[str, Any]) -> None:
        self.saved = self._tokens(token)

    def _tokens(self, answer: dict[str, Any]) -> dict[str, Any]:
        scope = answer["scope"]
        return {**answer, "scope": scope.split() if isinstance(scope, str) else scope}


def invoices(sdk: Sdk, contact: Any, **changes: Any) -> Any:
    assert sdk.tenant_id
    fields: dict[str, Any] = {
        "type": "ACCREC",
        "contact": model.Contact(contact_id=contact.contact_id),
        "date": DAY,
        "due_date": DUE,
        "status": "AUTHORISED",
        "line_items": [line()],
        **changes,
    }
    return model.Invoices(invoices=[model.Invoice(**fields)])


def line(**changes: Any) -> Any:
    fields = {
        "description": "Hearing aid",
        "quantity": 1,
        "unit_amount": 100,
        "account_code": "200",
        "tax_type": "OUTPUT2",
        **changes,
    }
    return model.LineItem(**fields)


def payments(invoice: Any, amount: float, **changes: Any) -> Any:
    payment = model.Payment(
        invoice=model.Invoice(invoice_id=invoice.invoice_id),
        account=model.Account(code="090"),
        date=DAY,
        amount=amount,
        **changes,
    )
    return model.Payments(payments=[payment])


def messages(refusal: Any) -> list[str]:
    elements = refusal.value.error_data["Elements"]
    return [problem["Message"] for element in elements for problem in element["ValidationErrors"]]


@pytest.fixture
def sdk(xero: XeroSimulator, tenant_id: str) -> Iterator[Sdk]:
    sdk = Sdk(xero, tenant_id)
    yield sdk
    sdk.client.rest_client.pool_manager.clear()


def test_settings(sdk: Sdk) -> None:
    organisation = sdk.call("get_organisations").organisations[0]
    assert (organisation.base_currency.value, organisation.name) == ("GBP", "Harbour Hearing")
    accounts = sdk.call("get_accounts", where='Class=="REVENUE" AND Status=="ACTIVE"').accounts
    assert {account.code for account in accounts} == {"200", "210", "220", "230", "260", "270"}
    rates = {rate.tax_type: rate.effective_rate for rate in sdk.call("get_tax_rates").tax_rates}
    assert rates["OUTPUT2"] == 20
    assert any(action.name == "CreateApprovedInvoice" for action in sdk.call("get_organisation_actions").actions)


def test_connections(sdk: Sdk) -> None:
    (connection,) = sdk.identity.get_connections()
    assert connection.tenant_id == sdk.tenant_id
    sdk.identity.delete_connection(connection.id)
    with pytest.raises(HTTPStatusException) as refused:
        sdk.call("get_organisations")
    assert refused.value.status == 403


@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
def test_the_sdk_refreshes_and_revokes(sdk: Sdk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TokenApi, "refresh_token_url", f"{sdk.xero.url}/connect/token")
    monkeypatch.setattr(TokenApi, "revoke_token_url", f"{sdk.xero.url}/connect/revocation")
    first = dict(sdk.saved)
    token = sdk.client.configuration.oauth2_token
    token.update_token(**first)
    assert token.refresh_access_token(sdk.client)
    assert sdk.saved["refresh_token"] != first["refresh_token"]
    assert sdk.call("get_organisations").organisations
    token.update_token(**{**first, "refresh_token": sdk.saved["refresh_token"]})
    TokenApi(sdk.client, sdk.xero.client_id, sdk.xero.client_secret).revoke_token(token.refresh_token)
    assert sdk.xero.control.tenants()[0]["connected"] is False
    with pytest.raises(HTTPStatusException) as refused:
        sdk.call("get_organisations")
    assert refused.value.status == 401
    gc.collect()  # The SDK never closes the answer to a revocation; its socket must go while that is forgiven.


def test_contacts(sdk: Sdk) -> None:
    made = sdk.call(
        "create_contacts",
        model.Contacts(
            contacts=[
                model.Contact(
                    name="Ada Byron",
                    contact_number="p-1",
                    email_address="ada@example.org",
                    phones=[model.Phone(phone_type="MOBILE", phone_number="0123")],
                    addresses=[model.Address(address_type="STREET", address_line1="1 Quay", city="Bath")],
                )
            ]
        ),
    ).contacts[0]
    by_number = sdk.call("get_contact_by_contact_number", "p-1").contacts[0]
    assert by_number.contact_id == made.contact_id
    assert {phone.phone_type: phone.phone_number for phone in by_number.phones}["MOBILE"] == "0123"
    renamed = model.Contacts(contacts=[model.Contact(name="Ada King")])
    assert sdk.call("update_contact", made.contact_id, renamed).contacts[0].name == "Ada King"
    both = model.Contacts(contacts=[model.Contact(name="ada king"), model.Contact(name="Zoe")])
    answers = sdk.call("create_contacts", both, summarize_errors=False).contacts
    assert [answer.status_attribute_string for answer in answers] == ["ERROR", "OK"]
    assert "already assigned" in answers[0].validation_errors[0].message
    upserted = sdk.call("update_or_create_contacts", both, summarize_errors=False).contacts
    assert upserted[0].contact_id == made.contact_id
    found = sdk.call("get_contacts", search_term="zoe", page=1, page_size=10)
    assert (found.pagination.item_count, found.contacts[0].name) == (1, "Zoe")


def test_a_tax_that_is_given_makes_the_total(sdk: Sdk) -> None:
    contact = sdk.contact()
    plain = [line(unit_amount=0.32) for _ in range(3)]
    assert sdk.invoice(contact, line_items=plain).total == Decimal("1.14")
    given = [line(unit_amount=0.32, tax_amount=0.07), *plain[1:]]
    invoice = sdk.invoice(contact, line_items=given)
    assert (invoice.total, invoice.total_tax) == (Decimal("1.15"), Decimal("0.19"))
    assert sorted(row.tax_amount for row in invoice.line_items) == [Decimal("0.06"), Decimal("0.06"), Decimal("0.07")]
    sdk.call("create_payments", payments(invoice, 1.15))
    paid = sdk.call("get_invoice", invoice.invoice_id).invoices[0]
    assert (paid.status, paid.amount_due) == ("PAID", 0)
    note = model.CreditNote(
        type="ACCRECCREDIT",
        contact=model.Contact(contact_id=contact.contact_id),
        date=DAY,
        status="AUTHORISED",
        line_items=given,
    )
    made = sdk.call("create_credit_notes", model.CreditNotes(credit_notes=[note])).credit_notes[0]
    assert made.total == Decimal("1.15")


def test_an_invoice_from_draft_to_void(sdk: Sdk) -> None:
    draft = sdk.invoice(sdk.contact(), status="DRAFT", invoice_number="HL-1", url="https://example.org/o/1")
    assert (draft.status, draft.total, draft.total_tax) == ("DRAFT", 120, 20)
    assert (draft.date, draft.due_date) == (DAY, DUE)
    change = model.Invoices(invoices=[model.Invoice(status="AUTHORISED", reference="r")])
    approved = sdk.call("update_invoice", draft.invoice_id, change).invoices[0]
    assert (approved.status, approved.reference, approved.line_items[0].account_code) == ("AUTHORISED", "r", "200")
    void = model.Invoices(invoices=[model.Invoice(invoice_id=draft.invoice_id, status="VOIDED")])
    assert sdk.call("update_or_create_invoices", void).invoices[0].status == "VOIDED"
    with pytest.raises(AccountingBadRequestException) as refused:
        sdk.call("update_invoice", draft.invoice_id, change)
    assert messages(refused) == ["Invoice not of valid status for modification"]
    listed = sdk.call("get_invoices", invoice_numbers=["HL-1"], statuses=["VOIDED"]).invoices
    assert [invoice.invoice_id for invoice in listed] == [draft.invoice_id]


def test_four_places(sdk: Sdk) -> None:
    body = invoices(sdk, sdk.contact(), line_items=[line(quantity=10, unit_amount=0.1234)])
    made = sdk.call("create_invoices", body, unitdp=4).invoices[0]
    assert (made.line_items[0].unit_amount, made.sub_total) == (Decimal("0.1234"), Decimal("1.23"))
    assert sdk.call("get_invoice", made.invoice_id).invoices[0].line_items[0].unit_amount == Decimal("0.12")


def test_numbers_are_unique(sdk: Sdk) -> None:
    contact = sdk.contact()
    sdk.invoice(contact, invoice_number="HL-1")
    with pytest.raises(AccountingBadRequestException) as refused:
        sdk.invoice(contact, invoice_number="HL-1")
    assert messages(refused) == ["Invoice # must be unique."]
    with pytest.raises(NotFoundException):
        sdk.call("get_invoice", "11111111-1111-1111-1111-111111111111")


def test_payments(sdk: Sdk) -> None:
    invoice = sdk.invoice(sdk.contact())
    made = sdk.call("create_payments", payments(invoice, 20, reference="CARD p-1")).payments[0]
    assert (made.payment_type, made.status, made.invoice.amount_due) == ("ACCRECPAYMENT", "AUTHORISED", 100)
    single = sdk.call("create_payment", payments(invoice, 100).payments[0]).payments[0]
    assert sdk.call("get_invoice", invoice.invoice_id).invoices[0].status == "PAID"
    with pytest.raises(AccountingBadRequestException) as refused:
        sdk.call("create_payments", payments(invoice, 1))
    assert messages(refused) == [
        "Payment amount exceeds the amount outstanding on this document",
        "Payments can only be made against Authorised documents",
    ]
    deleted = sdk.call("delete_payment", single.payment_id, model.PaymentDelete(status="DELETED")).payments[0]
    assert deleted.status == "DELETED"
    opened = sdk.call("get_invoice", invoice.invoice_id).invoices[0]
    assert (opened.status, [payment.amount for payment in opened.payments]) == ("AUTHORISED", [20])
    where = f'Invoice.InvoiceID==guid("{invoice.invoice_id}") AND Status=="AUTHORISED"'
    found = sdk.call("get_payments", where=where).payments
    assert [payment.reference for payment in found] == ["CARD p-1"]


def test_credit_notes(sdk: Sdk) -> None:
    contact = sdk.contact()
    invoice = sdk.invoice(contact)
    body = model.CreditNotes(
        credit_notes=[
            model.CreditNote(
                type="ACCRECCREDIT",
                contact=model.Contact(contact_id=contact.contact_id),
                date=DAY,
                status="AUTHORISED",
                credit_note_number="CN-HL-1",
                reference="note-1",
                line_items=[line(unit_amount=50)],
            )
        ]
    )
    note = sdk.call("create_credit_notes", body).credit_notes[0]
    assert (note.remaining_credit, note.status) == (60, "AUTHORISED")
    part = model.Allocation(invoice=model.Invoice(invoice_id=invoice.invoice_id), amount=60, date=DAY)
    allocations = model.Allocations(allocations=[part])
    answer = sdk.call("create_credit_note_allocation", note.credit_note_id, allocations).allocations[0]
    assert (answer.amount, answer.allocation_id) == (60, None)
    allocated = sdk.call("get_credit_note", note.credit_note_id).credit_notes[0]
    assert (allocated.status, allocated.remaining_credit) == ("PAID", 0)
    credited = sdk.call("get_invoice", invoice.invoice_id).invoices[0]
    assert (credited.amount_credited, credited.credit_notes[0].applied_amount) == (60, 60)
    with pytest.raises(ValueError, match="must not be `None`"):
        # The SDK can't read Xero's own answer here; the deletion has happened all the same.
        sdk.call("delete_credit_note_allocations", note.credit_note_id, allocated.allocations[0].allocation_id)
    assert sdk.call("get_credit_note", note.credit_note_id).credit_notes[0].allocations == []
    void = model.CreditNotes(credit_notes=[model.CreditNote(status="VOIDED")])
    assert sdk.call("update_credit_note", note.credit_note_id, void).credit_notes[0].status == "VOIDED"


def test_an_idempotency_key_makes_one_payment_of_two(sdk: Sdk) -> None:
    invoice = sdk.invoice(sdk.contact())
    first, second = (
        sdk.call("create_payments", payments(invoice, 20), idempotency_key="k").payments[0] for _ in range(2)
    )
    assert first.payment_id == second.payment_id
    assert sdk.call("get_invoice", invoice.invoice_id).invoices[0].amount_paid == 20


def test_the_limit(sdk: Sdk) -> None:
    sdk.xero.control.add_fault(Fault(kind="rate_limit_minute"))
    with pytest.raises(RateLimitException) as refused:
        sdk.call("get_organisations")
    assert refused.value.rate_limit == "minute"
