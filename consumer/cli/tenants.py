"""What Xero offers an organisation, asked for afresh: its tenants, and the accounts and tax rates of those in use."""

from collections.abc import Collection
from typing import Any, NamedTuple

import structlog
from psycopg import Connection

from consumer.configuration import ConfigurationError
from consumer.database import load_queries
from consumer.operations.assembly import Assembly
from consumer.settings import Finding, check_settings
from consumer.xero import TenantClient, TokenKeyError, XeroError, describe_tenant

_QUERIES = load_queries(__file__, "tenants.sql")
_STAND_IN = "(defaults)"
# With these nothing could ever be pushed: what is chosen is not there, or not for that.
_IMPOSSIBLE = frozenset(
    {
        "unknown_tenant",
        "tenant_without_books",
        "revenue_account_unusable",
        "payment_account_unusable",
        "tax_type_unusable",
    }
)
_LOG = structlog.get_logger()


class NotAsked(NamedTuple):
    """Why Xero could not be asked. `locked_out`: our keys don't open the tokens, so that no push gets further."""

    reason: str
    locked_out: bool = False


def is_connected(connection: Connection[Any], organisation_id: str) -> bool:
    """Whether Xero lets us in, as far as we know."""
    row = connection.execute(_QUERIES["connection"], {"organisation_id": organisation_id}).fetchone()
    return row is not None and row[0] == "connected"


def chosen_tenants(connection: Connection[Any], organisation_id: str) -> set[str]:
    """Return the ids of the tenants that the settings name."""
    rows = connection.execute(_QUERIES["chosen"], {"organisation_id": organisation_id}).fetchall()
    return {tenant_id for (tenant_id,) in rows}


def ask_xero(
    parts: Assembly, connection: Connection[Any], organisation_id: str, tenant_ids: Collection[str]
) -> NotAsked | None:
    """List the tenants of a living connection anew, and read what those of `tenant_ids` offer (three calls each).

    Return what to tell where Xero could not be asked; what was read before then stays. Nothing is asked where nobody
    is connected. `connection` is outside of a transaction: Xero may take its time.
    """
    if not is_connected(connection, organisation_id):
        return None
    try:
        token = parts.tokens.access_token(organisation_id)
        parts.authorisation.refresh_tenants(connection, organisation_id, token.value)
        wanted = {
            "organisation_id": organisation_id,
            "tenant_ids": sorted({tenant_id.lower() for tenant_id in tenant_ids}),
        }
        connected = [tenant_id for (tenant_id,) in connection.execute(_QUERIES["connected"], wanted).fetchall()]
    except (XeroError, ConfigurationError, TokenKeyError) as error:
        return NotAsked(str(error), locked_out=isinstance(error, TokenKeyError))
    failed = describe_tenants(parts, connection, organisation_id, connected)
    return None if failed is None else NotAsked(failed)


def describe_tenants(
    parts: Assembly, connection: Connection[Any], organisation_id: str, tenant_ids: Collection[str]
) -> str | None:
    """Read accounts and tax rates of these tenants; return what to tell where that failed for one."""
    failed = None
    for tenant_id in tenant_ids:
        client = TenantClient(parts.xero_client, organisation_id, tenant_id, urgent=True)
        try:
            describe_tenant(connection, client, organisation_id, tenant_id)
        except XeroError as error:
            _LOG.warning("tenant_not_described", tenant_id=tenant_id, reason=str(error))
            failed = str(error)
    return failed


def impossible_settings(connection: Connection[Any], organisation_id: str) -> list[Finding]:
    """Return what could never work in Xero of the settings as they are in this transaction, the defaults included."""
    if not is_connected(connection, organisation_id):
        return []
    with connection.transaction(force_rollback=True):
        connection.execute(_QUERIES["stand_in"], {"organisation_id": organisation_id, "clinic_id": _STAND_IN})
        findings = check_settings(connection, organisation_id)
    return [finding for finding in findings if finding.code in _IMPOSSIBLE]
