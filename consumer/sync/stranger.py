"""The number that an order or a patient wants belongs to something else in Xero: whose it is, in words."""

from urllib.parse import unquote

from consumer.results import Catalogue, Problem
from consumer.sync.sighting import Sighting


def stranger_problem(
    catalogue: Catalogue,
    hearlink_url: str,
    sighting: Sighting,
    *,
    order_id: str,
    number: str,
    owner: str | None = None,
    is_voided: bool = False,
    xero_message: str | None = None,
) -> Problem:
    """Say whether another order of HearLink holds the number, or a document that HearLink did not create.

    `owner` is the order that the document is linked to: only invoices bear their order's address. `is_voided`: it is
    a credit note that we voided ourselves.
    """
    prefix = f"{hearlink_url}/orders/"
    url = str(sighting.document.get("Url") or "")
    values = {"order_id": order_id, "number": number}
    other = unquote(url.removeprefix(prefix)) if url.startswith(prefix) else owner
    if other is None:
        return catalogue.local("number_taken_by_other", xero_message=xero_message, **values)
    if other == order_id:
        # Two credit notes of one order, say, or one after the other.
        code = "number_used_up" if is_voided else "number_taken"
        return catalogue.local(code, xero_message=xero_message, **values)
    return catalogue.local("number_taken_by_other_order", xero_message=xero_message, other_order_id=other, **values)


def other_contact_problem(
    catalogue: Catalogue, sighting: Sighting, *, order_id: str, patient_id: str, xero_message: str | None = None
) -> Problem:
    """Say which number Xero takes for the patient's: one of somebody else's contact that differs in case alone."""
    return catalogue.local(
        "contact_number_of_other",
        xero_message=xero_message,
        order_id=order_id,
        patient_id=patient_id,
        contact_number=str(sighting.document.get("ContactNumber", "")),
    )
