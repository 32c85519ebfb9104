"""The tenants of a connection, and asking Xero anew what they offer."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import structlog
from psycopg import Connection
from psycopg.rows import class_row

from consumer.console.parts import ConsoleParts
from consumer.database import load_queries
from consumer.xero import TenantClient, XeroError, describe_tenant

_QUERIES = load_queries(__file__, "tenants.sql")
# What was read of a tenant so long ago is still good enough to be checked against.
_FRESH = timedelta(minutes=5)
_LOG = structlog.get_logger()


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
