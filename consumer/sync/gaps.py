"""What was taken out of Xero for a change that is still to be made there. Pure."""

from consumer.orders import Order
from consumer.sync.link import LinkKind, Links

_KINDS = (LinkKind.PAYMENT, LinkKind.ALLOCATION)


def find_gaps(order: Order, links: Links) -> tuple[str, ...]:
    """Return in words what stands in HearLink and is missing in Xero, taken out there for a change not made yet."""
    removed = [link for kind in _KINDS for link in links.of_kind(kind) if link.makes_way]
    if not removed:
        return ()
    payments = {one.payment_id for one in order.payments if one.amount > 0}
    notes = {one.credit_note_id for one in order.credit_notes}
    return tuple(
        f"the {link.kind.value} of {link.detail.get('amount', '')}"
        for link in removed
        if link.local_id in (payments if link.kind is LinkKind.PAYMENT else notes)
    )
