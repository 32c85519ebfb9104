"""A plain HTTP client of the simulator, and the smallest documents that it takes."""

from dataclasses import dataclass
from typing import Any

import requests

from consumer.sandbox.xero import XeroSimulator

Json = dict[str, Any]
DAY = "2026-03-10"
DUE = "2026-03-24"


@dataclass(frozen=True)
class Reply:
    status: int
    body: Any
    headers: Any

    @property
    def messages(self) -> list[str]:
        """Every validation message, nested ones too."""
        found: list[str] = []
        _collect(self.body, found)
        return found


def _collect(value: Any, found: list[str]) -> None:
    if isinstance(value, dict):
        found += [problem["Message"] for problem in value.get("ValidationErrors", [])]
        for part in value.values():
            _collect(part, found)
    elif isinstance(value, list):
        for part in value:
            _collect(part, found)


class Api:
    """Calls the Accounting API of one tenant."""

    def __init__(self, xero: XeroSimulator, tenant_id: str, access_token: str) -> None:
        self.xero = xero
        self.control = xero.control
        self.tenant_id = tenant_id
        self.session = requests.Session()
        _open_sessions.append(self.session)
        self.session.headers.update(
            {
                "Authorization": f"Bearer {access_token}",
                "xero-tenant-id": tenant_id,
                "Accept": "application/json",
            }
        )

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = self.session.request(
            method, f"{self.xero.url}/api.xro/2.0/{path}", json=body, headers=named, timeout=30
        )
        is_json = answer.headers.get("Content-Type", "").startswith("application/json")
        return Reply(answer.status_code, answer.json() if is_json else answer.text, answer.headers)

    def get(self, path: str, **headers: str) -> Reply:
        return self.call("GET", path, **headers)

    def put(self, path: str, body: Any, **headers: str) -> Reply:
        return self.call("PUT", path, body, **headers)

    def post(self, path: str, body: Any, **headers: str) -> Reply:
        return self.call("POST", path, body, **headers)

    def made(self, name: str, body: Json) -> Json:
        """PUT one element that must go through; answers it."""
        reply = self.put(name, body)
        assert reply.status == 200, reply.body
        element: Json = reply.body[name][0]
        return element

    def one(self, name: str, key: str) -> Json:
        """GET one element."""
        reply = self.get(f"{name}/{key}")
        assert reply.status == 200, reply.body
        element: Json = reply.body[name][0]
        return element

    def contact(self, name: str = "Patient One", number: str | None = None) -> str:
        body = {"Name": name} if number is None else {"Name": name, "ContactNumber": number}
        return str(self.made("Contacts", body)["ContactID"])

    def invoice(self, contact_id: str, **changes: Any) -> Json:
        return self.made("Invoices", invoice_body(contact_id, **changes))

    def note(self, contact_id: str, **changes: Any) -> Json:
        return self.made("CreditNotes", note_body(contact_id, **changes))

    def pay(self, invoice_id: str, amount: float, **changes: Any) -> Reply:
        return self.put("Payments", payment_body(invoice_id, amount, **changes))

    def allocate(self, note_id: str, invoice_id: str, amount: float) -> Reply:
        body = {"Amount": amount, "Invoice": {"InvoiceID": invoice_id}, "Date": DAY}
        return self.put(f"CreditNotes/{note_id}/Allocations", body)


_open_sessions: list[requests.Session] = []


def close_sessions() -> None:
    """Close what the test's clients hold open: a socket left behind is a warning, and warnings are errors."""
    while _open_sessions:
        _open_sessions.pop().close()


def line(**changes: Any) -> Json:
    """100.00 and no tax."""
    return {
        "Description": "Hearing aid",
        "Quantity": 1,
        "UnitAmount": 100,
        "AccountCode": "210",
        "TaxType": "ZERORATEDOUTPUT",
        **changes,
    }


def invoice_body(contact_id: str, **changes: Any) -> Json:
    return {
        "Type": "ACCREC",
        "Contact": {"ContactID": contact_id},
        "Date": DAY,
        "DueDate": DUE,
        "Status": "AUTHORISED",
        "LineItems": [line()],
        **changes,
    }


def note_body(contact_id: str, **changes: Any) -> Json:
    return {
        "Type": "ACCRECCREDIT",
        "Contact": {"ContactID": contact_id},
        "Date": DAY,
        "Status": "AUTHORISED",
        "LineItems": [line(UnitAmount=60)],
        **changes,
    }


def payment_body(invoice_id: str, amount: float, **changes: Any) -> Json:
    return {
        "Invoice": {"InvoiceID": invoice_id},
        "Account": {"Code": "090"},
        "Date": DAY,
        "Amount": amount,
        **changes,
    }
