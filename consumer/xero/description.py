"""What is worth knowing of a tenant beforehand: its currency, its accounts and tax rates, kept beside it."""

from typing import Any

from psycopg import Connection
from psycopg.rows import TupleRow

from consumer.database import load_queries
from consumer.xero.payloads import encode_body
from consumer.xero.tenant import TenantClient

# Names of accounts and rates are shown to people; the rest decides what can be used for what.
_ACCOUNT_FIELDS = (
    "AccountID",
    "Code",
    "Name",
    "Type",
    "Class",
    "Status",
    "TaxType",
    "EnablePaymentsToAccount",
    "SystemAccount",
)
_TAX_RATE_FIELDS = ("TaxType", "Name", "Status", "EffectiveRate", "CanApplyToRevenue")

_QUERIES = load_queries(__file__, "description.sql")


def describe_tenant(
    connection: Connection[TupleRow], tenant: TenantClient, organisation_id: str, tenant_id: str
) -> None:
    """Read the organisation, accounts and tax rates of a tenant from Xero (three calls) and store them.

    Raises:
        XeroError: what was stored before stays.
    """
    organisation, accounts, tax_rates = tenant.organisation(), tenant.accounts(), tenant.tax_rates()
    connection.execute(
        _QUERIES["describe"],
        {
            "organisation_id": organisation_id,
            "tenant_id": tenant_id,
            "base_currency": organisation.get("BaseCurrency"),
            "country_code": organisation.get("CountryCode"),
            "short_code": organisation.get("ShortCode"),
            "accounts": encode_body([_pick(account, _ACCOUNT_FIELDS) for account in accounts]).decode(),
            "tax_rates": encode_body([_pick(rate, _TAX_RATE_FIELDS) for rate in tax_rates]).decode(),
        },
    )


def _pick(document: dict[str, Any], fields: tuple[str, ...]) -> dict[str, Any]:
    return {field: document[field] for field in fields if field in document}
