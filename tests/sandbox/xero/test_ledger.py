"""Random calls on the pure API: whatever is refused leaves no trace, and the books always add up."""

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.sandbox.xero.accounting import Answer, Request, handle
from consumer.sandbox.xero.clock import Clock
from consumer.sandbox.xero.ledger import Ledger
from consumer.sandbox.xero.tenants import demo_ledger
from tests.sandbox.xero.client import DAY, DUE, Json, invoice_body, line, note_body

if TYPE_CHECKING:
    from consumer.sandbox.xero.records import Document

TABLES = ("accounts", "contacts", "invoices", "credit_notes", "payments", "allocations")
INDEXES = (
    "account_by_code",
    "contact_by_number",
    "contact_by_account_number",
    "contact_by_name",
    "invoice_by_number",
    "credit_note_by_number",
    "payments_of",
    "all_payments_of",
    "allocations_of",
    "invoices_of",
    "approvals",
)


def snapshot(ledger: Ledger) -> dict[str, Any]:
    tables = {name: dict(getattr(ledger, name)) for name in TABLES}
    indexes = {name: {key: part for key, part in getattr(ledger, name).items() if part} for name in INDEXES}
    sets = {name: {key: set(part) for key, part in indexes[name].items()} for name in INDEXES if "_of" in name}
    return {**tables, **indexes, **sets, "history": len(ledger.history)}


def rebuilt(ledger: Ledger) -> Ledger:
    """The same rows in a fresh ledger: its indexes are what the indexes should be."""
    fresh = Ledger(ledger.organisation, ledger.clock)
    for name in TABLES:
        for record in getattr(ledger, name).values():
            fresh.save(record, "test", "copied")
    return fresh


def check_books(ledger: Ledger) -> None:
    documents: list[Document] = [*ledger.invoices.values(), *ledger.credit_notes.values()]
    for document in documents:
        left = ledger.outstanding(document)
        assert left >= 0 or document.status in {"VOIDED", "DELETED"}
        assert (document.status == "PAID") == (ledger.has_applied(document) and left == 0)
        assert document.total == document.sub_total + document.total_tax
        assert document.total == document.total.quantize(Decimal("0.01"))
        if document.status in {"VOIDED", "DELETED", "DRAFT"}:
            assert not ledger.has_applied(document)
        if document.fully_paid_on:
            assert document.status == "PAID"
    for allocation in ledger.allocations.values():
        note, invoice = ledger.credit_notes[allocation.credit_note_id], ledger.invoices[allocation.invoice_id]
        assert note.contact_id == invoice.contact_id
    now, again = snapshot(ledger), snapshot(rebuilt(ledger))
    assert {name: now[name] for name in INDEXES} == {name: again[name] for name in INDEXES}


names = st.sampled_from(["Ada", "ada ", "Zoe", "", "<", "Eve"])
numbers = st.sampled_from(["p-1", "P-1", "p-2", "p-2", "p-3"])
references = st.sampled_from(["D-1", "d-1", "D-2", "D-3", "D-4"])
amounts = st.sampled_from([10, 25, 50, Decimal("33.33"), 100, 0])
statuses = st.sampled_from(["DRAFT", "SUBMITTED", "AUTHORISED", "AUTHORISED", "VOIDED", "DELETED", "PAID"])
prices = st.sampled_from([0, 10, Decimal("33.33"), 100, -5])
lines = st.lists(
    st.builds(
        lambda price, account, rate: line(UnitAmount=price, AccountCode=account, DiscountRate=rate),
        prices,
        st.sampled_from(["200", "210", "240", "999"]),
        st.sampled_from([None, None, 10]),
    ),
    max_size=3,
)
contacts = st.fixed_dictionaries(
    {}, optional={"Name": names, "ContactNumber": numbers, "ContactStatus": st.just("ARCHIVED")}
)


def documents(kind: str, number: str) -> st.SearchStrategy[Json]:
    return st.fixed_dictionaries(
        {"Type": st.just(kind), number: references},
        optional={
            "Contact": st.builds(lambda number: {"ContactNumber": number}, numbers),
            "Status": statuses,
            "LineItems": lines,
            "Date": st.just(DAY),
            "DueDate": st.just(DUE),
            "Reference": st.just("r"),
        },
    )


payments = st.builds(
    lambda number, amount: {
        "Invoice": {"InvoiceNumber": number},
        "Account": {"Code": "090"},
        "Date": DAY,
        "Amount": amount,
    },
    references,
    amounts,
)
allocations = st.builds(
    lambda number, amount: {"Invoice": {"InvoiceNumber": number}, "Amount": amount}, references, amounts
)


def calls(method: st.SearchStrategy[str], path: st.SearchStrategy[tuple[str, ...]], body: Any) -> Any:
    return st.tuples(method, path, st.lists(body, min_size=1, max_size=2))


either = st.sampled_from(["PUT", "POST"])
applying: st.SearchStrategy[Any] = st.one_of(
    calls(st.just("PUT"), st.just(("Payments",)), payments),
    calls(st.just("PUT"), st.tuples(st.just("CreditNotes"), references, st.just("Allocations")), allocations),
    st.tuples(st.sampled_from(["undo payment", "undo allocation"]), st.integers(0, 5), st.just([])),
)
writing: st.SearchStrategy[Any] = st.one_of(
    calls(either, st.just(("Contacts",)), contacts),
    calls(either, st.just(("Invoices",)), documents("ACCREC", "InvoiceNumber")),
    calls(either, st.just(("CreditNotes",)), documents("ACCRECCREDIT", "CreditNoteNumber")),
)
any_call: st.SearchStrategy[Any] = st.one_of(applying, applying, writing)


def perform(ledger: Ledger, method: str, path: Any, body: list[Json], *, summarize: bool) -> Answer | None:
    query = {"summarizeerrors": str(summarize).lower()}
    if method == "undo payment":
        found = list(ledger.payments)[path : path + 1]
        if not found:
            return None
        request = Request(method="POST", path=("Payments", found[0]), query=query, body={"Status": "DELETED"})
    elif method == "undo allocation":
        rows = list(ledger.allocations.values())[path : path + 1]
        if not rows:
            return None
        where = ("CreditNotes", rows[0].credit_note_id, "Allocations", rows[0].allocation_id)
        request = Request(method="DELETE", path=where, query=query)
    else:
        request = Request(method=method, path=path, query=query, body={path[-1]: body})
    return handle(ledger, request)


def opening_books() -> Ledger:
    """Two patients; three approved invoices and two approved credit notes of 100 each."""
    ledger = demo_ledger("Harbour Hearing", "11111111-1111-1111-1111-111111111111", Clock(lambda: 1.77e9))
    for number in ("p-1", "p-2"):
        put(ledger, "Contacts", {"Name": f"Patient {number}", "ContactNumber": number})
    for owner, number in (("p-1", "D-1"), ("p-1", "D-2"), ("p-2", "D-3")):
        contact = {"ContactNumber": owner}
        put(ledger, "Invoices", {**invoice_body("", Contact=contact), "InvoiceNumber": number})
        if number != "D-2":
            body = note_body("", Contact=contact, LineItems=[line()], CreditNoteNumber=number)
            put(ledger, "CreditNotes", body)
    return ledger


def put(ledger: Ledger, name: str, body: Json) -> None:
    assert handle(ledger, Request(method="PUT", path=(name,), query={}, body=body)).status == 200


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(any_call, st.booleans()), max_size=20))
def test_the_books_add_up_after_any_history(history: list[tuple[Any, bool]]) -> None:
    ledger = opening_books()
    for (method, path, body), summarize in history:
        before = snapshot(ledger)
        answer = perform(ledger, method, path, body, summarize=summarize)
        if answer is not None and answer.status != 200:
            assert snapshot(ledger) == before
    check_books(ledger)
