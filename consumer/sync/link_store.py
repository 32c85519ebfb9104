"""The table of links: loaded for a handful of orders at once, saved in bulk."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from psycopg import Connection

from consumer.database import load_queries
from consumer.sync.link import Link, LinkKind, Links, LinkStatus

_QUERIES = load_queries(__file__, "link_store.sql")


def load_links(connection: Connection[Any], tenant_id: str, orders: Sequence[tuple[str, str]]) -> dict[str, Links]:
    """Return the links of `orders`, given as (order id, patient id), in the tenant, by order id."""
    rows = connection.execute(
        _QUERIES["load"],
        {
            "tenant_id": tenant_id,
            "order_ids": [order_id for order_id, _ in orders],
            "patient_ids": sorted({patient_id for _, patient_id in orders}),
        },
    )
    of_order: dict[str, list[Link]] = defaultdict(list)
    elsewhere: dict[str, set[str]] = defaultdict(set)
    contacts: dict[str, Link] = {}
    for row in rows:
        link = _read(row)
        if link.kind is LinkKind.CONTACT:
            contacts[link.local_id] = link
        elif link.tenant_id == tenant_id:
            of_order[link.order_id].append(link)
        elif link.kind is LinkKind.INVOICE:
            elsewhere[link.order_id].add(link.tenant_id)
    result = {}
    for order_id, patient_id in orders:
        links = of_order[order_id]
        if patient_id in contacts:
            links.append(contacts[patient_id])
        result[order_id] = Links(links, tuple(sorted(elsewhere[order_id])))
    return result


def load_links_by_tenant(
    connection: Connection[Any], orders: Mapping[str, Sequence[tuple[str, str]]]
) -> dict[str, Links]:
    """Return the links of orders of several tenants, given by tenant id, by order id."""
    links: dict[str, Links] = {}
    for tenant_id, some in orders.items():
        links |= load_links(connection, tenant_id, some)
    return links


def save_links(connection: Connection[Any], links: Iterable[Link]) -> None:
    """Write `links` in the caller's transaction; the last of several for one document counts."""
    newest = {(link.tenant_id, link.kind, link.order_id, link.local_id): link for link in links}
    rows = [newest[key] for key in sorted(newest)]
    if not rows:
        return
    connection.execute(
        _QUERIES["save"],
        {
            "tenant_ids": [link.tenant_id for link in rows],
            "kinds": [link.kind.value for link in rows],
            "order_ids": [link.order_id for link in rows],
            "local_ids": [link.local_id for link in rows],
            "organisation_ids": [link.organisation_id for link in rows],
            "xero_ids": [link.xero_id for link in rows],
            "statuses": [link.status.value for link in rows],
            "hashes": [link.content_hash for link in rows],
            "details": [msgspec.json.encode(link.detail).decode() for link in rows],
        },
    )


def order_of(connection: Connection[Any], tenant_id: str, xero_id: str | None) -> str | None:
    """Return the order that the document `xero_id` is linked to, or None where it isn't one of ours."""
    row = connection.execute(_QUERIES["order_of"], {"tenant_id": tenant_id, "xero_id": xero_id}).fetchone()
    return None if row is None else str(row[0])


def known_as(connection: Connection[Any], tenant_id: str, xero_id: str | None) -> dict[str, LinkStatus]:
    """Return HearLink's ids of what the document `xero_id` was made for, each with what became of it."""
    rows = connection.execute(_QUERIES["known_as"], {"tenant_id": tenant_id, "xero_id": xero_id})
    return {local_id: LinkStatus(status) for local_id, status in rows}


def _read(row: tuple[Any, ...]) -> Link:
    tenant_id, kind, order_id, local_id, organisation_id, xero_id, status, content_hash, detail = row
    return Link(
        tenant_id=tenant_id,
        kind=LinkKind(kind),
        order_id=order_id,
        local_id=local_id,
        organisation_id=organisation_id,
        xero_id=xero_id,
        status=LinkStatus(status),
        content_hash=content_hash,
        detail=msgspec.json.decode(detail),
    )
