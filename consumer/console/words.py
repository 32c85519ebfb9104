"""The words of the pages, as HearLink's users know them."""

import re
from datetime import datetime

# The canonical form: with its first number, without its last one.
_RANGE = re.compile(r"\[(\d+),(\d+)\)")
_WORDS = {
    "contact_create": "Contact create",
    "contact_rename": "Contact rename",
    "invoice_create": "Invoice create",
    "invoice_update": "Invoice update",
    "invoice_authorise": "Invoice authorise",
    "credit_note_create": "Credit note create",
    "credit_note_allocate": "Credit note allocate",
    "credit_note_void": "Credit note void",
    "payment_create": "Payment create",
    "payment_delete": "Payment delete",
    "order_sync": "Order sync",
    "succeeded": "Succeeded",
    "failed": "Failed",
    "skipped": "Not sent",
    "auto": "Auto",
    "manual": "Manual",
    "retry": "Retry",
    "draft": "Draft",
    "authorised": "Authorised",
    "active": "In Xero",
    "removed": "Removed from Xero",
    "gone": "Deleted or voided in Xero",
    "hearing_aids": "Hearing Aids",
    "accessories": "Accessories",
    "services": "Services",
    "custom_items": "Custom Items",
    "contact": "Contact",
    "invoice": "Invoice",
    "credit_note": "Credit note",
    "allocation": "Allocation",
    "payment": "Payment",
    "settings": "Settings in HearLink",
    "xero": "Something in Xero",
    "hearlink": "Data in HearLink",
    "connection": "Connection to Xero",
    "transient": "Passes by itself",
    "waiting": "Waits by itself",
    "defect": "Our defect",
    "act": "Person",
    "projected": "Read",
    "dead_letter": "Dead letter",
    "synchronisation_enabled": "Synchronisation enabled",
    "mode": "Synchronisation mode",
    "invoice_status": "New invoices in Xero",
    "tenant_id": "Xero organisation",
    "payment_account": "Default payment account",
    "amount_limit": "Amount limit",
    "listed": "Override",
}
_HOLDS = {
    # Whatever the mode is by now: a change of settings sends nothing that was saved before.
    "manual": "Waiting for Sync to Xero: it was saved while the clinic's mode was Manual",
    "disabled": "Waiting for Sync to Xero: it was saved while synchronisation was off for the clinic",
    "connection": "Waiting for access to Xero",
    "problem": "Needs you",
    "limit": "Waiting for Xero's limit",
    "retry": "Waiting for another try",
    "in_doubt": "In doubt: an answer of Xero was lost, and is looked up",
    "settled": "Settled by a person",
}


def word(code: object) -> str:
    """Return what people call `code`; an unknown one is made readable."""
    text = str(code)
    for suffix, words in (("_revenue_account", "default revenue account"), ("_tax_type", "default tax rate")):
        if text.endswith(suffix):
            return f"{word(text.removesuffix(suffix))}: {words}"
    return _WORDS.get(text) or text.replace("_", " ").capitalize().replace("xero", "Xero").replace(
        "hearlink", "HearLink"
    )


def sentence(text: str) -> str:
    """Return `text` with a full stop, for another sentence to follow."""
    return text if text.endswith((".", "!", "?", ":")) else f"{text}."


def moment_text(kind: str, text: str) -> str:
    """Return a moment of a timeline in words: what the command prints as codes is spelt out."""
    head, colon, rest = text.partition(": ")
    if kind == "log" and colon:
        operation, _, outcome = head.partition(" ")
        return f"{word(operation)} {word(outcome).lower()}: {rest}"
    # Who did something keeps the name as it is.
    return text if kind == "act" else text[:1].upper() + text[1:]


def order_state(
    *, revision: int, synced_revision: int, hold: str | None, due_at: datetime | None, nothing: str | None
) -> str:
    """Return how an order stands, in words. `nothing` is why there is nothing to send, as `nothing_to_send` says it."""
    if hold is not None and not (hold == "problem" and due_at is not None):
        return _HOLDS.get(hold, hold)
    if due_at is not None:
        return "On its way to Xero"
    if nothing is not None:
        return f"Nothing to send: {nothing}"
    return "Synced" if synced_revision >= revision else "Not synced yet"


def nothing_to_send(*, closed: str | None, has_invoice: bool) -> str | None:
    """Return why an order has nothing for Xero, None where it has. `closed` is how it ended, if it did."""
    if closed is not None:
        return f"the order is {closed.lower().replace('_', ' ')}"
    return None if has_invoice else "it has no invoice"


def gaps(ranges: str) -> str:
    """Return Postgres' text of a multirange of whole numbers as people count: {[1,2),[3,6)} is 1, 3 to 5."""
    spans = [(int(first), int(end) - 1) for first, end in _RANGE.findall(ranges)]
    return ", ".join(str(first) if first == last else f"{first} to {last}" for first, last in spans)
