"""What Xero was last seen to hold of an order: one link a document, and the links of one order together."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Any

import msgspec

# In the detail of what was taken away for something that takes its place.
MAKES_WAY = "makes_way"
# In the detail of what was put back because Xero refused what was to take its place.
PUT_BACK = "put_back"
# In the detail of what people made in Xero, and of what they did there with something of ours: never changed by us.
BY_HAND = "by_hand"


class LinkKind(StrEnum):
    """The documents that we make in Xero."""

    CONTACT = "contact"
    INVOICE = "invoice"
    CREDIT_NOTE = "credit_note"
    ALLOCATION = "allocation"
    PAYMENT = "payment"


class LinkStatus(StrEnum):
    """What became of a document, as far as the plan needs to know it."""

    ACTIVE = "active"
    DRAFT = "draft"
    AUTHORISED = "authorised"
    # Taken away by us: it may be made again.
    REMOVED = "removed"
    # Taken away in Xero by its users: it is never made again.
    GONE = "gone"


class Link(msgspec.Struct, frozen=True):
    """One document of ours in one tenant.

    `content_hash` is the hash of what was last sent and accepted; "" where that is not known for sure, so that the
    next plan sends it again. `detail` keeps what later plans need (name, amount, total, line item ids).
    """

    tenant_id: str
    kind: LinkKind
    order_id: str
    local_id: str
    organisation_id: str
    xero_id: str | None
    status: LinkStatus
    content_hash: str
    detail: dict[str, Any]

    @property
    def makes_way(self) -> bool:
        """Whether it was taken away for what is to take its place, which has not come yet."""
        return self.status is LinkStatus.REMOVED and bool(self.detail.get(MAKES_WAY))

    @property
    def by_hand(self) -> bool:
        """Whether people made it in Xero, so that a change of it is theirs to make too."""
        return bool(self.detail.get(BY_HAND))


class Links:
    """The links of one order in one tenant, its patient's contact among them.

    `elsewhere` names other tenants that hold the order's invoice.
    """

    def __init__(self, links: Iterable[Link], elsewhere: tuple[str, ...] = ()) -> None:
        self._links = {(link.kind, link.local_id): link for link in links}
        self.elsewhere = elsewhere

    def get(self, kind: LinkKind, local_id: str) -> Link | None:
        """Return the link of one document, or None where we never made it."""
        return self._links.get((kind, local_id))

    def standing(self, kind: LinkKind, local_id: str) -> Link | None:
        """Return the link of one document that is there, or None."""
        link = self.get(kind, local_id)
        return None if link is None or link.status in _NOT_THERE else link

    def of_kind(self, kind: LinkKind) -> list[Link]:
        """Return all links of one kind, in the order of their local ids."""
        return [link for (_, _), link in sorted(self._links.items()) if link.kind == kind]

    def put(self, link: Link) -> None:
        """Remember what a call changed."""
        self._links[(link.kind, link.local_id)] = link


_NOT_THERE = frozenset({LinkStatus.REMOVED, LinkStatus.GONE})
