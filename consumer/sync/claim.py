"""What is due of one tenant, claimed for one pass, with all that is decided from."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from psycopg import Connection
from psycopg.rows import class_row

from consumer.database import crash_point, load_queries
from consumer.settings import ClinicSettings, load_clinic_settings
from consumer.sync.back_off import ALONE_FROM
from consumer.sync.job import ClaimedOrder, Job
from consumer.sync.link import Links
from consumer.sync.link_store import load_links_by_tenant

_QUERIES = load_queries(__file__, "queue.sql")


def claim(
    connection: Connection[Any], organisation_id: str, clinic_ids: Sequence[str], tenant_id: str | None, *, limit: int
) -> list[Job]:
    """Claim up to `limit` orders; `tenant_id` is None for those that no call can be made for."""
    with connection.cursor(row_factory=class_row(ClaimedOrder)) as cursor:
        rows = cursor.execute(
            _QUERIES["claim"],
            {
                "organisation_id": organisation_id,
                "clinic_ids": list(clinic_ids),
                "limit": limit,
                "alone_from": ALONE_FROM,
                "tenant_id": tenant_id,
            },
        ).fetchall()
    crash_point("push.after_claim")
    settings = load_clinic_settings(connection, organisation_id, sorted({row.clinic_id for row in rows}))
    links = _load_links(connection, tenant_id, rows, settings)
    return [Job(row, settings.get(row.clinic_id), links[row.order_id]) for row in rows]


def _load_links(
    connection: Connection[Any],
    tenant_id: str | None,
    rows: Sequence[ClaimedOrder],
    settings: Mapping[str, ClinicSettings],
) -> dict[str, Links]:
    """Load the orders' links in the tenant, or where nothing may be sent, in that of each order's clinic."""
    of_tenant: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for row in rows:
        chosen = settings.get(row.clinic_id)
        own = None if chosen is None else chosen.tenant_id
        of_tenant[tenant_id or own or ""].append((row.order_id, row.patient_id))
    return load_links_by_tenant(connection, of_tenant)
