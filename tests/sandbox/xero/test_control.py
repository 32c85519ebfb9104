from typing import TYPE_CHECKING, Any

import pytest
import requests

from consumer.sandbox.xero import ControlClient, XeroSimulator
from consumer.sandbox.xero.control_http import OPERATIONS
from consumer.sandbox.xero.errors import Refused
from tests.sandbox.xero.client import Api, invoice_body, note_body

if TYPE_CHECKING:
    from collections.abc import Callable


def remote(api: Api) -> ControlClient:
    return ControlClient(api.xero.url)


def test_the_ledger_says_who_made_what(api: Api) -> None:
    contact_id = api.contact("Ada Byron", "p-1")
    api.invoice(contact_id, InvoiceNumber="HL-1")
    api.control.pay_invoice(api.tenant_id, "HL-1", 40, "2026-03-11", reference="BACS")
    ledger = api.control.ledger(api.tenant_id)
    assert ledger["Invoices"][0]["CreatedBy"] == f"app:{api.xero.client_id}"
    assert ledger["Payments"][0]["CreatedBy"] == "bookkeeper"
    assert ledger["Invoices"][0]["AmountDue"] == 60
    made = [(row["Actor"], row["Action"], row["Table"]) for row in ledger["History"] if row["Actor"] != "xero"]
    app = f"app:{api.xero.client_id}"
    assert made == [
        (app, "created", "Contacts"),
        (app, "became customer", "Contacts"),
        (app, "created", "Invoices"),
        ("bookkeeper", "created", "Payments"),
        ("bookkeeper", "settled", "Invoices"),
    ]


def test_the_bookkeeper_over_http(api: Api) -> None:
    control = remote(api)
    tenant_id = api.tenant_id
    contact = control.call("create_contact", tenant_id=tenant_id, body={"Name": "By hand"})
    contact_id = contact["ContactID"]
    invoice = control.call("create_invoice", tenant_id=tenant_id, body=invoice_body(contact_id))
    number = invoice["InvoiceNumber"]
    note = control.call("create_credit_note", tenant_id=tenant_id, body=note_body(contact_id))
    allocation = control.call(
        "allocate_credit_note",
        tenant_id=tenant_id,
        credit_note=note["CreditNoteNumber"],
        invoice=number,
        amount="60",
    )
    payment = control.call("pay_invoice", tenant_id=tenant_id, invoice=number)
    assert payment["Amount"] == 40
    assert api.one("Invoices", number)["Status"] == "PAID"
    control.call("delete_payment", tenant_id=tenant_id, payment_id=payment["PaymentID"])
    control.call("remove_allocation", tenant_id=tenant_id, allocation_id=allocation["AllocationID"])
    control.call("edit_credit_note", tenant_id=tenant_id, credit_note="CN-0001", body={"Status": "VOIDED"})
    assert control.call("void_invoice", tenant_id=tenant_id, invoice=number)["Status"] == "VOIDED"
    control.call("rename_contact", tenant_id=tenant_id, contact="By hand", name="Other")
    control.call("rename_account", tenant_id=tenant_id, account="200", name="Turnover", code="201")
    codes = {row.get("Code"): row["Name"] for row in api.get("Accounts").body["Accounts"]}
    assert codes["201"] == "Turnover"
    assert "200" not in codes
    control.call("set_tax_rate_status", tenant_id=tenant_id, tax_type="OUTPUT2", status="DELETED")
    refused = api.put("Invoices", invoice_body(contact_id, LineItems=[{"Description": "x", "AccountCode": "201"}]))
    assert refused.messages[0] == "The TaxType code 'OUTPUT2' cannot be used with account code '201'."


def test_drafts_by_hand(api: Api) -> None:
    contact_id = api.contact()
    api.invoice(contact_id, InvoiceNumber="HL-1", Status="DRAFT")
    api.invoice(contact_id, InvoiceNumber="HL-2", Status="DRAFT")
    assert api.control.approve_invoice(api.tenant_id, "HL-1")["Status"] == "AUTHORISED"
    assert api.control.delete_invoice(api.tenant_id, "HL-2")["Status"] == "DELETED"
    edited = api.control.edit_invoice(api.tenant_id, "HL-1", {"Reference": "by hand"})
    assert edited["Reference"] == "by hand"


def test_the_world_over_http(api: Api) -> None:
    control = remote(api)
    other = control.call("demo_tenant", name="Other", limits={"per_minute": 1})
    tokens = control.call("authorise", tenant_ids=[other])
    second = Api(api.xero, other, tokens["access_token"])
    assert [second.get("Organisation").status for _ in range(2)] == [200, 429]
    assert control.call("advance_clock", seconds=61.5).startswith("2026-03-15T12:01:01")
    assert second.get("Organisation").status == 200
    control.call("add_fault", fault={"kind": "drip", "bytes_per_second": 100_000.5})
    assert control.call("faults")[0]["kind"] == "drip"
    control.call("clear_faults")
    assert {row["name"]: row["connected"] for row in control.call("tenants")} == {
        "Harbour Hearing": True,
        "Other": True,
    }
    control.call("disconnect", tenant_id=other)
    assert second.get("Organisation").status == 403
    assert control.call("statistics")["by_endpoint"] == {"GET /api.xro/2.0/Organisation": 4}
    read = requests.get(f"{api.xero.url}/simulator/calls", params={"after": 3}, timeout=30).json()["result"]
    assert [call["status"] for call in read] == [403]
    assert control.call("ledger", tenant_id=other)["Organisation"]["Name"] == "Other"
    assert control.call("now").endswith("+00:00")


@pytest.mark.parametrize(
    ("operation", "arguments", "status"),
    [
        ("nothing", {}, 404),
        ("ledger", {"tenant_id": "unknown"}, 400),
        ("ledger", {}, 400),
        ("demo_tenant", {"name": "Harbour Hearing"}, 400),
        ("add_fault", {"fault": {"kind": "fire"}}, 400),
        ("set_clock", {"moment": "soon"}, 400),
    ],
)
def test_what_the_control_surface_refuses(api: Api, operation: str, arguments: dict[str, Any], status: int) -> None:
    answer = requests.post(f"{api.xero.url}/simulator/{operation}", json=arguments, timeout=30)
    assert (answer.status_code, list(answer.json())) == (status, ["error"])


def test_reading_is_get_and_changing_is_not(api: Api) -> None:
    assert requests.get(f"{api.xero.url}/simulator/clear_calls", timeout=30).status_code == 405
    assert "_books" not in OPERATIONS


def test_the_bookkeeper_is_refused_as_well(api: Api) -> None:
    invoice = api.invoice(api.contact(), InvoiceNumber="HL-1")
    api.pay(invoice["InvoiceID"], 10)
    with pytest.raises(Refused, match="The status VOIDED cannot be applied"):
        api.control.void_invoice(api.tenant_id, "HL-1")
    with pytest.raises(RuntimeError, match="Xero refuses"):
        remote(api).call("void_invoice", tenant_id=api.tenant_id, invoice="HL-1")
    for name in ("invoice", "contact", "account", "payment", "credit note", "allocation", "tax rate"):
        with pytest.raises(ValueError, match=f"There is no {name}"):
            _touch_unknown(api, name)
    with pytest.raises(ValueError, match="is not a day"):
        api.control.set_lock_dates(api.tenant_id, "yesterday")


def _touch_unknown(api: Api, name: str) -> None:
    control, tenant_id = api.control, api.tenant_id
    touches: dict[str, Callable[[], object]] = {
        "invoice": lambda: control.void_invoice(tenant_id, "x"),
        "contact": lambda: control.archive_contact(tenant_id, "x"),
        "account": lambda: control.archive_account(tenant_id, "x"),
        "payment": lambda: control.delete_payment(tenant_id, "x"),
        "credit note": lambda: control.edit_credit_note(tenant_id, "x", {}),
        "allocation": lambda: control.remove_allocation(tenant_id, "x"),
        "tax rate": lambda: control.set_tax_rate_status(tenant_id, "x", "ACTIVE"),
    }
    touches[name]()


def test_an_archived_contact_returns_only_when_its_name_is_free(api: Api) -> None:
    contact_id = api.contact("Ada Byron")
    api.control.archive_contact(api.tenant_id, contact_id)
    api.contact("Ada Byron")
    with pytest.raises(ValueError, match="is in use"):
        api.control.restore_contact(api.tenant_id, contact_id)


def test_a_tenants_id_follows_from_its_name() -> None:
    with XeroSimulator() as first, XeroSimulator() as second:
        assert first.control.demo_tenant("A") == second.control.demo_tenant("A")
        assert first.control.demo_tenant("B", tenant_id="11111111-1111-1111-1111-111111111111") != ""


def test_books_outlive_an_outage(api: Api) -> None:
    api.contact("Ada Byron")
    url = api.xero.url
    api.xero.stop()
    with pytest.raises(requests.ConnectionError):
        api.get("Organisation")
    api.xero.start()
    assert api.xero.url == url
    assert api.get("Contacts").body["Contacts"][0]["Name"] == "Ada Byron"


def test_a_taken_port_is_an_error(xero: XeroSimulator) -> None:
    port = int(xero.url.rpartition(":")[2])
    with pytest.raises(OSError, match="address already in use"):
        XeroSimulator(port=port).start()
