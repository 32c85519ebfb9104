"""Where people find a document in Xero (Xero's documentation: deep linking)."""

from urllib.parse import quote

_PATHS = {
    "invoice": "/AccountsReceivable/Edit.aspx?InvoiceID={}",
    "credit_note": "/AccountsReceivable/EditCreditNote.aspx?CreditNoteID={}",
    "contact": "/Contacts/View/{}",
}
_OPERATIONS = {
    "contact_create": "contact",
    "contact_rename": "contact",
    "invoice_create": "invoice",
    "invoice_update": "invoice",
    "invoice_authorise": "invoice",
    "credit_note_create": "credit_note",
    "credit_note_allocate": "credit_note",
    "credit_note_void": "credit_note",
}


def document_address(kind: str, xero_id: str | None, short_code: str | None) -> str | None:
    """Return the address of a document of `kind`, or None where Xero has no page for it alone.

    `short_code` is the organisation's in Xero: without it the link opens whichever organisation was used last.
    """
    path = _PATHS.get(kind)
    if path is None or not xero_id:
        return None
    target = path.format(quote(xero_id, safe=""))
    if not short_code:
        return f"https://go.xero.com{target}"
    return (
        "https://go.xero.com/organisationlogin/default.aspx"
        f"?shortcode={quote(short_code, safe='')}&redirecturl={quote(target, safe='')}"
    )


def operation_address(operation: str, xero_id: str | None, short_code: str | None) -> str | None:
    """Return the address of what an operation of the log was about; as `document_address`."""
    return document_address(_OPERATIONS.get(operation, ""), xero_id, short_code)
