import json
from typing import Any

import pytest
from psycopg import Connection
from psycopg.rows import TupleRow

from consumer.settings import CATEGORIES, CategorySettings, ClinicSettings, InvoiceStatus, Level, Mode
from consumer.settings.application import apply_settings
from consumer.settings.check import Finding, KnownConnection, KnownTenant, check_settings, find_faults
from consumer.settings.settings_file import FileSettings

_ACCOUNTS: list[dict[str, Any]] = [
    {"AccountID": "id-090", "Code": "090", "Type": "BANK", "Class": "ASSET", "Status": "ACTIVE"},
    {"AccountID": "id-092", "Code": "092", "Type": "CURRENT", "Status": "ACTIVE", "EnablePaymentsToAccount": True},
    {"AccountID": "ID-200", "Code": "200", "Type": "REVENUE", "Class": "REVENUE", "Status": "ACTIVE"},
    {"AccountID": "id-240", "Code": "240", "Type": "REVENUE", "Class": "REVENUE", "Status": "ARCHIVED"},
    {"AccountID": "id-400", "Code": "400", "Type": "EXPENSE", "Class": "EXPENSE", "Status": "ACTIVE"},
    {
        "AccountID": "id-610",
        "Code": "610",
        "Type": "REVENUE",
        "Class": "REVENUE",
        "Status": "ACTIVE",
        "SystemAccount": "DEBTORS",
    },
]
_TAX_RATES: list[dict[str, Any]] = [
    {"TaxType": "OUTPUT2", "Status": "ACTIVE", "CanApplyToRevenue": True},
    {"TaxType": "INPUT2", "Status": "ACTIVE", "CanApplyToRevenue": False},
    {"TaxType": "OLD", "Status": "ARCHIVED", "CanApplyToRevenue": True},
]
_TENANT = KnownTenant("Tenant-1", "Harbour Hearing", connected=True, accounts=_ACCOUNTS, tax_rates=_TAX_RATES)


def clinic(clinic_id: str = "clinic-1", **changes: Any) -> ClinicSettings:
    account, tax_type = changes.pop("revenue_account", "200"), changes.pop("tax_type", "OUTPUT2")
    settings: dict[str, Any] = {
        "organisation_id": "org-1",
        "clinic_id": clinic_id,
        "synchronisation_enabled": True,
        "mode": Mode.AUTO,
        "invoice_status": InvoiceStatus.AUTHORISED,
        "tenant_id": "tenant-1",
        "payment_account": "090",
        "categories": {category: CategorySettings("200", "OUTPUT2") for category in CATEGORIES}
        | {"services": CategorySettings(account, tax_type)},
    }
    return ClinicSettings(**(settings | changes))


def known(tenant: KnownTenant | None = _TENANT, state: str | None = "connected") -> KnownConnection:
    tenants = {} if tenant is None else {tenant.tenant_id.lower(): tenant}
    return KnownConnection(state=state, reason=None, tenants=tenants)


def faults(*clinics: ClinicSettings, connection: KnownConnection | None = None) -> list[Finding]:
    return find_faults("org-1", clinics, connection or known())


@pytest.mark.parametrize(
    "settings",
    [clinic(), clinic(payment_account="092"), clinic(payment_account="ID-090"), clinic(revenue_account="id-200")],
)
def test_what_works_gives_no_finding(settings: ClinicSettings) -> None:
    assert faults(settings) == []


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"tenant_id": None}, "no_tenant", "No Xero tenant selected for the clinic"),
        ({"tenant_id": "tenant-2"}, "unknown_tenant", "tenant-2 is not among"),
        ({"payment_account": None}, "no_payment_account", "no account for payments"),
        ({"revenue_account": None}, "no_revenue_account", "no revenue account for services"),
        ({"tax_type": None}, "no_tax_type", "no tax rate for services"),
        ({"revenue_account": "999"}, "revenue_account_unusable", "999 for services does not exist"),
        ({"revenue_account": "240"}, "revenue_account_unusable", "is archived"),
        ({"revenue_account": "400"}, "revenue_account_unusable", "is not a revenue account"),
        ({"revenue_account": "610"}, "revenue_account_unusable", "reserved"),
        ({"payment_account": "999"}, "payment_account_unusable", "does not exist"),
        ({"payment_account": "400"}, "payment_account_unusable", "takes no payments"),
        ({"tax_type": "OUTPUT9"}, "tax_type_unusable", "OUTPUT9 for services does not exist"),
        ({"tax_type": "OLD"}, "tax_type_unusable", "no longer active"),
        ({"tax_type": "INPUT2"}, "tax_type_unusable", "can't be used for sales"),
    ],
)
def test_what_cannot_work_is_found(changes: dict[str, Any], code: str, words: str) -> None:
    [found] = faults(clinic(**changes))
    assert (found.code, found.level, found.clinic_ids) == (code, Level.ERROR, ("clinic-1",))
    assert words in found.message
    assert found.fix


def test_the_same_fault_of_several_clinics_is_one_finding() -> None:
    [found] = faults(clinic("clinic-2", revenue_account="240"), clinic("clinic-1", revenue_account="240"), clinic("c"))
    assert found.clinic_ids == ("clinic-1", "clinic-2")


def test_a_disabled_clinic_is_a_note_after_the_errors() -> None:
    found = faults(clinic(synchronisation_enabled=False, tax_type=None))
    assert [(finding.code, finding.level) for finding in found] == [
        ("no_tax_type", Level.ERROR),
        ("disabled", Level.NOTE),
    ]


def test_tenants_that_can_be_chosen_are_offered() -> None:
    [found] = faults(clinic(tenant_id=None))
    assert "Tenant-1 (Harbour Hearing)" in found.fix


def test_a_tenant_taken_out_is_found() -> None:
    gone = KnownTenant("tenant-1", "Harbour Hearing", connected=False)
    assert [found.code for found in faults(clinic(), connection=known(gone))] == ["tenant_disconnected"]


def test_a_tenant_without_books_is_found() -> None:
    practice = KnownTenant("tenant-1", "Practice", connected=True, tenant_type="PRACTICE")
    assert [found.code for found in faults(clinic(), connection=known(practice))] == ["tenant_without_books"]


def test_what_was_not_read_from_xero_yet_is_not_judged() -> None:
    unread = KnownTenant("tenant-1", "Harbour Hearing", connected=True)
    assert faults(clinic(revenue_account="999"), connection=known(unread)) == []


def test_a_missing_or_ended_connection_is_found() -> None:
    never = KnownConnection(state=None, reason=None, tenants={})
    assert [found.code for found in faults(clinic(), connection=never)] == ["not_connected"]
    ended = KnownConnection(state="disconnected", reason="it was revoked", tenants={"tenant-1": _TENANT})
    [found] = faults(clinic(), connection=ended)
    assert found.code == "disconnected"
    assert "it was revoked" in found.message
    assert "connect --organisation org-1" in found.fix


def test_an_organisation_without_clinics_is_a_note() -> None:
    assert [(found.code, found.level) for found in faults()] == [("no_clinics", Level.NOTE)]


def test_an_organisation_without_settings_is_found(connection: Connection[TupleRow]) -> None:
    assert [found.code for found in check_settings(connection, "org-1")] == ["no_settings"]


def test_tables_are_checked_as_they_stand(connection: Connection[TupleRow]) -> None:
    values: dict[str, str | bool] = {"synchronisation_enabled": True, "tenant_id": "TENANT-1", "payment_account": "090"}
    for category in CATEGORIES:
        values |= {f"{category}_revenue_account": "200", f"{category}_tax_type": "OUTPUT2"}
    overrides: dict[str, str | bool] = {"services_revenue_account": "240"}
    apply_settings(connection, FileSettings("org-1", values, {"clinic-1": {}, "clinic-2": overrides}), actor="test")
    assert [found.code for found in check_settings(connection, "org-1")] == ["not_connected"]

    connection.execute("insert into xero_connection (organisation_id, state) values ('org-1', 'connected')")
    connection.execute(
        """insert into xero_tenant
           (organisation_id, tenant_id, connection_id, name, tenant_type, accounts, tax_rates)
           values ('org-1', 'tenant-1', 'c', 'Harbour Hearing', 'ORGANISATION', %s::jsonb, %s::jsonb)""",
        [json.dumps(_ACCOUNTS), json.dumps(_TAX_RATES)],
    )
    [found] = check_settings(connection, "org-1")
    assert (found.code, found.clinic_ids) == ("revenue_account_unusable", ("clinic-2",))

    # Once Xero has listed it, its id is written as Xero does.
    apply_settings(connection, FileSettings("org-1", values, {"clinic-1": {}}), actor="test")
    assert connection.execute("select distinct tenant_id from clinic_settings").fetchall() == [("tenant-1",)]
