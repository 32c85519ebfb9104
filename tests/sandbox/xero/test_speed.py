"""Look-ups go by index: a call's work must not grow with the books. Counted in rows looked at, not in time."""

from typing import Any

import pytest

from tests.sandbox.xero.client import Api, invoice_body


class CountedRows(dict[str, Any]):
    """A table that counts how many rows are walked through."""

    walked = 0

    def values(self) -> Any:
        self.walked += len(self)
        return super().values()


@pytest.fixture
def full(api: Api) -> Api:
    """Two hundred invoices, each of its own contact, each with a payment."""
    contacts = {"Contacts": [{"Name": f"Patient {n}", "ContactNumber": f"p-{n}"} for n in range(200)]}
    made = api.put("Contacts", contacts).body["Contacts"]
    bodies = [invoice_body(row["ContactID"], InvoiceNumber=f"HL-{n}") for n, row in enumerate(made)]
    invoices = api.put("Invoices", {"Invoices": bodies}).body["Invoices"]
    paid = [
        {"Invoice": {"InvoiceID": row["InvoiceID"]}, "Account": {"Code": "090"}, "Date": "2026-03-10", "Amount": 1}
        for row in invoices
    ]
    assert api.put("Payments", {"Payments": paid}).status == 200
    return api


def test_writes_and_look_ups_walk_no_table(full: Api) -> None:
    ledger = full.control._world.ledgers[full.tenant_id]
    tables = {name: CountedRows(getattr(ledger, name)) for name in ("contacts", "invoices", "payments")}
    for name, table in tables.items():
        setattr(ledger, name, table)
    full.post("Invoices", {"Invoices": [{"InvoiceNumber": f"HL-{n}", "Reference": "r"} for n in range(50)]})
    full.post("Contacts", {"Contacts": [{"ContactNumber": f"p-{n}", "FirstName": "A"} for n in range(50)]})
    invoice_id = full.one("Invoices", "HL-7")["InvoiceID"]
    assert len(full.get(f'Payments?where=Invoice.InvoiceID==guid("{invoice_id}")').body["Payments"]) == 1
    assert len(full.get('Invoices?where=InvoiceNumber=="HL-7"').body["Invoices"]) == 1
    assert len(full.get("Invoices?InvoiceNumbers=HL-1,HL-2").body["Invoices"]) == 2
    assert len(full.get('Contacts?where=ContactNumber=="p-9"').body["Contacts"]) == 1
    assert {name: table.walked for name, table in tables.items()} == dict.fromkeys(tables, 0)
    assert len(full.get("Invoices").body["Invoices"]) == 200
    assert tables["invoices"].walked == 200
