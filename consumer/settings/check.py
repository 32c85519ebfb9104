"""What is incomplete in an organisation's settings, or can't work in Xero, with what to do about it."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any

import msgspec
from psycopg import Connection
from psycopg.rows import TupleRow, dict_row

from consumer.database import load_queries
from consumer.settings.clinic_settings import CATEGORIES, ClinicSettings, load_clinic_settings

_QUERIES = load_queries(__file__, "check.sql")
_CATEGORY_NAMES = dict(zip(CATEGORIES, ("hearing aids", "accessories", "services", "custom items"), strict=True))


class Level(StrEnum):
    """Error: orders will fail. Note: as someone may well want it."""

    ERROR = "error"
    NOTE = "note"


class Finding(msgspec.Struct, frozen=True):
    """One thing to know. `clinic_ids` is empty where it concerns the whole organisation."""

    code: str
    level: Level
    message: str
    fix: str
    clinic_ids: tuple[str, ...] = ()


class KnownTenant(msgspec.Struct, frozen=True):
    """A tenant as last seen. Accounts and tax rates are documents in Xero's shape; None = not read yet."""

    tenant_id: str
    name: str
    connected: bool
    tenant_type: str = "ORGANISATION"
    accounts: list[dict[str, Any]] | None = None
    tax_rates: list[dict[str, Any]] | None = None


class KnownRefusal(msgspec.Struct, frozen=True):
    """What Xero refuses of a living connection: "" = all tenants, everything."""

    code: str
    tenant_id: str
    scope: str
    xero_message: str | None


class KnownConnection(msgspec.Struct, frozen=True):
    """The connection of an organisation: `state` is None before the first one."""

    state: str | None
    reason: str | None
    # By tenant id in lower case.
    tenants: dict[str, KnownTenant]
    refusals: tuple[KnownRefusal, ...] = ()


def check_settings(connection: Connection[TupleRow], organisation_id: str) -> list[Finding]:
    """Return all findings on `organisation_id`, errors first; asks nothing of Xero."""
    with connection.cursor(row_factory=dict_row) as cursor:
        state = cursor.execute(_QUERIES["state"], {"organisation_id": organisation_id}).fetchone()
        tenants = cursor.execute(_QUERIES["tenants"], {"organisation_id": organisation_id}).fetchall()
        refusals = cursor.execute(_QUERIES["refusals"], {"organisation_id": organisation_id}).fetchall()
    if state is None:
        return [
            Finding(
                "no_settings",
                Level.ERROR,
                f"{organisation_id} has no settings.",
                "Write a settings file and apply it: hearlink-xero settings apply FILE.",
            )
        ]
    known = KnownConnection(
        state=state["state"],
        reason=state["reason"],
        tenants={row["tenant_id"].lower(): KnownTenant(**row) for row in tenants},
        refusals=tuple(KnownRefusal(**row) for row in refusals),
    )
    clinics = load_clinic_settings(connection, organisation_id)
    return find_faults(organisation_id, list(clinics.values()), known)


def find_faults(organisation_id: str, clinics: Collection[ClinicSettings], known: KnownConnection) -> list[Finding]:
    """Judge `clinics` by what is `known` of Xero; pure. The same fault of several clinics is one finding."""
    found = [*_connection_faults(organisation_id, known)]
    if not clinics:
        found.append(
            Finding(
                "no_clinics",
                Level.NOTE,
                "No clinic is known yet: neither an event nor the settings file has named one.",
                "Nothing to do; clinics appear with their first order.",
            )
        )
    grouped: dict[tuple[str, Level, str, str], list[str]] = {}
    for clinic in clinics:
        for fault in _clinic_faults(clinic, known):
            grouped.setdefault((fault.code, fault.level, fault.message, fault.fix), []).append(clinic.clinic_id)
    found += [Finding(*fault, tuple(sorted(clinic_ids))) for fault, clinic_ids in grouped.items()]
    return sorted(found, key=lambda finding: finding.level is not Level.ERROR)


def _connection_faults(organisation_id: str, known: KnownConnection) -> Iterator[Finding]:
    command = f"hearlink-xero connect --organisation {organisation_id}"
    if known.state is None:
        yield Finding("not_connected", Level.ERROR, "Xero was never connected.", f"Run {command}.")
    elif known.state != "connected":
        yield Finding("disconnected", Level.ERROR, f"Xero is disconnected: {known.reason}.", f"Run {command}.")
    for refusal in known.refusals:
        where = known.tenants.get(refusal.tenant_id.lower())
        place = "" if where is None else f" in {where.name}"
        said = f": {refusal.xero_message}" if refusal.xero_message else ""
        yield Finding(
            "refused",
            Level.ERROR,
            f"Xero refuses {refusal.scope or 'everything'}{place} ({refusal.code}){said}.",
            "hearlink-xero status says what to do.",
        )


def _clinic_faults(clinic: ClinicSettings, known: KnownConnection) -> Iterator[Finding]:
    if not clinic.synchronisation_enabled:
        yield Finding(
            "disabled",
            Level.NOTE,
            "Synchronisation is disabled.",
            "Set synchronisation_enabled = true once the clinic's orders shall go to Xero.",
        )
    yield from _incomplete(clinic)
    if clinic.tenant_id is None:
        yield Finding(
            "no_tenant",
            Level.ERROR,
            "No Xero tenant selected for the clinic.",
            f"Set tenant_id to one of {_offered(known)}." if known.tenants else "Connect, then set tenant_id.",
        )
        return
    tenant = known.tenants.get(clinic.tenant_id.lower())
    if tenant is None:
        if known.state is not None:
            yield Finding(
                "unknown_tenant",
                Level.ERROR,
                f"Tenant {clinic.tenant_id} is not among those that the connection opens.",
                f"Set tenant_id to one of {_offered(known)}, or connect again and choose that organisation.",
            )
        return
    yield from _tenant_faults(clinic, tenant)


def _offered(known: KnownConnection) -> str:
    offered = [f"{tenant.tenant_id} ({tenant.name})" for tenant in known.tenants.values() if tenant.connected]
    return ", ".join(offered) or "the tenants that connecting again lists"


def _incomplete(clinic: ClinicSettings) -> Iterator[Finding]:
    for category, settings in clinic.categories.items():
        name = _CATEGORY_NAMES[category]
        if settings.revenue_account is None:
            yield Finding(
                "no_revenue_account",
                Level.ERROR,
                f"There is no revenue account for {name}.",
                f"Set categories.{category}.revenue_account.",
            )
        if settings.tax_type is None:
            yield Finding(
                "no_tax_type",
                Level.ERROR,
                f"There is no tax rate for {name}.",
                f"Set categories.{category}.tax_type.",
            )
    if clinic.payment_account is None:
        yield Finding(
            "no_payment_account",
            Level.ERROR,
            "There is no account for payments.",
            "Set payment_account to a bank account, or one that Xero lets take payments.",
        )


def _tenant_faults(clinic: ClinicSettings, tenant: KnownTenant) -> Iterator[Finding]:
    if not tenant.connected:
        yield Finding(
            "tenant_disconnected",
            Level.ERROR,
            f"{tenant.name} was taken out of the connection to Xero.",
            f"Run hearlink-xero connect --organisation {clinic.organisation_id} and choose {tenant.name} again.",
        )
    if tenant.tenant_type != "ORGANISATION":
        yield Finding(
            "tenant_without_books",
            Level.ERROR,
            f"{tenant.name} is no organisation with books of its own ({tenant.tenant_type}).",
            "Choose a tenant of the type ORGANISATION.",
        )
    if tenant.accounts is not None:
        yield from _account_faults(clinic, tenant.name, tenant.accounts)
    if tenant.tax_rates is not None:
        yield from _tax_faults(clinic, tenant.name, tenant.tax_rates)


def payment_account_fault(payment_account: str, accounts: Iterable[Mapping[str, Any]]) -> str | None:
    """Return why Xero would take no payment to `payment_account`, a code or an id; None where it would.

    `accounts` are the tenant's, in Xero's shape.
    """
    account = _by_name(accounts).get(payment_account.casefold())
    return _unusable(account) or (None if account and takes_payments(account) else "takes no payments")


def _by_name(accounts: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    return {
        str(account[key]).casefold(): account
        for account in accounts
        for key in ("AccountID", "Code")
        if account.get(key)
    }


def _account_faults(clinic: ClinicSettings, where: str, accounts: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    known = _by_name(accounts)
    for category, settings in clinic.categories.items():
        if settings.revenue_account is not None:
            account = known.get(settings.revenue_account.casefold())
            reason = _unusable(account) or (None if account and takes_revenue(account) else "is not a revenue account")
            if reason is not None:
                yield Finding(
                    "revenue_account_unusable",
                    Level.ERROR,
                    f"Account {settings.revenue_account} for {_CATEGORY_NAMES[category]} {reason} in {where}.",
                    f"Set categories.{category}.revenue_account to an active revenue account.",
                )
    if clinic.payment_account is not None:
        reason = payment_account_fault(clinic.payment_account, accounts)
        if reason is not None:
            yield Finding(
                "payment_account_unusable",
                Level.ERROR,
                f"Account {clinic.payment_account} for payments {reason} in {where}.",
                "Choose a bank account, or tick 'Enable payments to this account' for it in Xero.",
            )


def _unusable(account: Mapping[str, Any] | None) -> str | None:
    if account is None:
        return "does not exist"
    if account.get("Status", "ACTIVE") != "ACTIVE":
        return "is archived"
    if account.get("SystemAccount"):
        return "is reserved for Xero itself"
    return None


def takes_revenue(account: Mapping[str, Any]) -> bool:
    """Whether sales may be booked to `account`, a document in Xero's shape."""
    return account.get("Class") == "REVENUE" or account.get("Type") in {"REVENUE", "SALES", "OTHERINCOME"}


def takes_payments(account: Mapping[str, Any]) -> bool:
    """Whether payments may be booked to `account`, a document in Xero's shape."""
    # Bank accounts take payments although Xero shows the flag as false for them.
    return account.get("Type") == "BANK" or account.get("EnablePaymentsToAccount") is True


def _tax_faults(clinic: ClinicSettings, where: str, tax_rates: Iterable[Mapping[str, Any]]) -> Iterator[Finding]:
    known = {str(rate.get("TaxType")): rate for rate in tax_rates}
    for category, settings in clinic.categories.items():
        if settings.tax_type is None:
            continue
        rate = known.get(settings.tax_type)
        if rate is None:
            reason = "does not exist"
        elif rate.get("Status") != "ACTIVE":
            reason = "is no longer active"
        elif rate.get("CanApplyToRevenue") is not True:
            reason = "can't be used for sales"
        else:
            continue
        yield Finding(
            "tax_type_unusable",
            Level.ERROR,
            f"Tax rate {settings.tax_type} for {_CATEGORY_NAMES[category]} {reason} in {where}.",
            f"Set categories.{category}.tax_type to the code (not the name) of an active sales tax rate.",
        )
