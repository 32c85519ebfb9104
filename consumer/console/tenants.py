"""The tenants of a connection, and asking Xero anew what they offer."""

from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import structlog
from psycopg import Connection
from psycopg.rows import class_row
from starlette.responses import Response

from consumer.console.parts import ConsoleParts
from consumer.console.visit import Later, Visit
from consumer.database import load_queries
from consumer.xero import TenantClient, XeroError, describe_tenant

_QUERIES = load_queries(__file__, "tenants.sql")
# What was read of a tenant so long ago is still what Xero has: time enough to look at a preview and save it.
_FRESH = timedelta(seconds=20)
_LOG = structlog.get_logger()

# Goes on with the visit; the text says why Xero could not be asked, None where it was.
GoOn = Callable[[Visit, str | None], Response]


class ConnectedTenant(msgspec.Struct, frozen=True):
    """One organisation in Xero. `accounts` and `tax_rates` are None until Xero was asked for them."""

    tenant_id: str
    name: str
    tenant_type: str
    connected: bool
    base_currency: str | None
    country_code: str | None
    short_code: str | None
    accounts: list[dict[str, Any]] | None
    tax_rates: list[dict[str, Any]] | None
    described_at: datetime | None

    @property
    def is_fresh(self) -> bool:
        """Whether what is known of it was read just now."""
        return self.described_at is not None and datetime.now(UTC) - self.described_at < _FRESH


class ConnectionState(msgspec.Struct, frozen=True):
    """The organisation's connection to Xero."""

    state: str
    connected_at: datetime | None
    connected_by: str | None
    disconnected_at: datetime | None
    reason: str | None


def load_tenants(connection: Connection[Any], organisation_id: str) -> list[ConnectedTenant]:
    """Return all tenants that were ever connected, by name."""
    with connection.cursor(row_factory=class_row(ConnectedTenant)) as cursor:
        return cursor.execute(_QUERIES["tenants"], {"organisation_id": organisation_id}).fetchall()


def load_connection(connection: Connection[Any], organisation_id: str) -> ConnectionState | None:
    """Return the connection, None before the first one."""
    with connection.cursor(row_factory=class_row(ConnectionState)) as cursor:
        return cursor.execute(_QUERIES["connection"], {"organisation_id": organisation_id}).fetchone()


def describe_tenants(console: ConsoleParts, organisation_id: str, tenant_ids: Sequence[str]) -> str | None:
    """Ask Xero what these tenants offer (three calls each); return what to tell if it could not be asked.

    To be called outside of a transaction: Xero may take its time.
    """
    failed = None
    for tenant_id in tenant_ids:
        client = TenantClient(console.assembly.xero_client, organisation_id, tenant_id, urgent=True)
        try:
            with console.assembly.connections.borrow() as connection:
                describe_tenant(connection, client, organisation_id, tenant_id)
        except XeroError as error:
            _LOG.warning("tenant_not_described", tenant_id=tenant_id, reason=str(error))
            failed = str(error)
    return failed


def with_fresh_tenants(visit: Visit, tenant_ids: Collection[str], go_on: GoOn) -> Response | Later:
    """Go on once Xero was asked what the tenants of these ids (in lower case) offer, unless it just was.

    Where it can't be asked, what was read before has to do. `go_on` may find another transaction than `visit` had.
    """
    stale = [
        tenant.tenant_id
        for tenant in load_tenants(visit.connection, visit.organisation_id)
        if tenant.connected and not tenant.is_fresh and tenant.tenant_id.lower() in tenant_ids
    ]
    if not stale:
        return go_on(visit, None)
    state = load_connection(visit.connection, visit.organisation_id)
    if state is None or state.state != "connected":
        return go_on(visit, "Xero is disconnected.")

    def after_asking_xero() -> Response:
        failed = describe_tenants(visit.console, visit.organisation_id, stale)
        with visit.scope() as connection:
            return go_on(visit.within(connection), failed)

    return after_asking_xero
