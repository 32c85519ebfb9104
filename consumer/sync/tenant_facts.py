"""What a pass knows of its tenant before it decides anything."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import msgspec
import structlog
from psycopg import Connection
from psycopg.rows import class_row

from consumer.database import load_queries
from consumer.xero import AccessCode, Refusal, TenantClient, XeroClient, XeroError, describe_tenant, load_access

_QUERIES = load_queries(__file__, "queue.sql")
_log = structlog.get_logger()


class TenantFacts(msgspec.Struct, frozen=True):
    """The currency and tax rates of the tenant's books, all tenants' names, and what Xero refuses there.

    Currency and rates are None until Xero was asked for them, the rates as it tells them. `known`: the tenant is one
    that the connection listed once. `unknown`: the connection lives, and it never was.
    """

    known: bool = False
    unknown: bool = False
    base_currency: str | None = None
    tax_rates: list[dict[str, Any]] | None = None
    tenant_names: dict[str, str] = {}
    refusals: tuple[Refusal, ...] = ()

    @property
    def locked_out(self) -> Refusal | None:
        """What keeps every order from Xero; None where some may go. Without the books' currency no invoice does."""
        if not self.known:
            return Refusal(AccessCode.DISCONNECTED)
        for refusal in self.refusals:
            if refusal.concerns_all or (self.base_currency is None and refusal.keeps_from("GET", "Organisation")):
                return refusal
        return None


def effective_rates(tax_rates: Iterable[Mapping[str, Any]] | None) -> dict[str, Decimal]:
    """Return the percentages of a tenant's tax rates by tax type, of those that have one."""
    return {
        str(rate["TaxType"]): Decimal(str(rate["EffectiveRate"]))
        for rate in tax_rates or ()
        if "TaxType" in rate and isinstance(rate.get("EffectiveRate"), int | float | Decimal)
    }


def load_tenant_facts(
    connection: Connection[Any], client: XeroClient, organisation_id: str, tenant_id: str | None
) -> TenantFacts:
    """Read them from Postgres; what Xero was not asked when the tenant was connected, it is asked now.

    Raises:
        psycopg.Error: the database.
    """
    facts = _load(connection, organisation_id, tenant_id)
    is_described = facts.base_currency is not None and facts.tax_rates is not None
    if tenant_id is None or facts.locked_out is not None or is_described:
        return facts
    try:
        describe_tenant(connection, TenantClient(client, organisation_id, tenant_id), organisation_id, tenant_id)
    except XeroError as error:
        # Without its currency no invoice goes out; the orders meet the same trouble, and are told of it.
        _log.warning("tenant_not_described", tenant_id=tenant_id, error=type(error).__name__, detail=error.for_log)
    return _load(connection, organisation_id, tenant_id)


def _load(connection: Connection[Any], organisation_id: str, tenant_id: str | None) -> TenantFacts:
    parameters = {"organisation_id": organisation_id, "tenant_id": tenant_id}
    with connection.cursor(row_factory=class_row(TenantFacts)) as cursor:
        facts = cursor.execute(_QUERIES["tenant_facts"], parameters).fetchone() or TenantFacts()
    return msgspec.structs.replace(facts, refusals=load_refusals(connection, organisation_id, tenant_id))


def load_refusals(connection: Connection[Any], organisation_id: str, tenant_id: str | None) -> tuple[Refusal, ...]:
    """Return what Xero refuses in a tenant and is not worth another try yet."""
    return tuple(
        obstacle.refusal
        for obstacle in load_access(connection, organisation_id)
        if obstacle.stands and obstacle.tenant_id in {"", tenant_id}
    )
