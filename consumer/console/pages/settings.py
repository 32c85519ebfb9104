"""The Xero settings: defaults of the organisation, overrides of clinics, each change shown before it is saved."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from psycopg import Rollback
from starlette.responses import Response

from consumer.console.choices import account_label, payment_choices, revenue_choices, tax_choices
from consumer.console.refusal import not_found, unusable
from consumer.console.settings_change import (
    Document,
    fingerprint,
    load_document,
    make_settings,
    nested,
    read_document,
    refuse_stale,
    tenant_ids,
    try_settings,
)
from consumer.console.tenants import (
    ConnectedTenant,
    describe_tenants,
    load_connection,
    load_tenants,
    with_fresh_tenants,
)
from consumer.console.visit import Later, Visit
from consumer.settings import (
    AMOUNT_LIMIT,
    CATEGORIES,
    FIELDS,
    ClinicOverview,
    Finding,
    SettingsOverview,
    check_settings,
    load_overview,
)

_OFF_AND_ON = {"off": False, "on": True}


def show_settings(visit: Visit) -> Response:
    """Show the connection, the defaults, and what is known of each clinic."""
    return _settings_page(visit, None)


def show_clinic(visit: Visit) -> Response:
    """Show what one clinic overrides, or would begin with."""
    return _clinic_page(visit, visit.path_value("clinic_id"), None)


def edit(visit: Visit) -> Response:
    """Show the form as it was filled in: with another tenant's accounts, or on the way back from the preview."""
    clinic_id = visit.form.get("clinic_id")
    return _clinic_page(visit, clinic_id, visit.form) if clinic_id else _settings_page(visit, visit.form)


def preview(visit: Visit) -> Response | Later:
    """Show what a change would do. What it is checked against is read from Xero first, unless it just was."""
    return with_fresh_tenants(visit, tenant_ids(read_document(_changed(visit))), _show_preview)


def save(visit: Visit) -> Response | Later:
    """Save a change that was shown, unless Xero offers something else by now."""
    return with_fresh_tenants(visit, tenant_ids(read_document(_changed(visit))), _save)


def refresh(visit: Visit) -> Response | Later:
    """Ask Xero anew what its organisations offer."""
    tenant_ids = [
        tenant.tenant_id for tenant in load_tenants(visit.connection, visit.organisation_id) if tenant.connected
    ]
    visit.act("refresh_tenants", tenant_ids=tenant_ids)

    def after() -> Response:
        failed = describe_tenants(visit.console, visit.organisation_id, tenant_ids)
        if failed is not None:
            visit.note(f"Xero could not be asked for its accounts and tax rates: {failed}", "note")
        return visit.go("/settings")

    return after


def page_fix(finding: Finding) -> str:
    """Return what to do about `finding` on these pages: its own text speaks of the settings file."""
    return _PAGE_FIXES.get(finding.code, "Choose another one.")


def _settings_page(visit: Visit, submitted: Mapping[str, str] | None) -> Response:
    overview = load_overview(visit.connection, visit.organisation_id)
    findings = check_settings(visit.connection, visit.organisation_id)
    clinics = {} if overview is None else overview.clinics
    return visit.page(
        "settings.html",
        overview=overview,
        link=load_connection(visit.connection, visit.organisation_id),
        tenants=load_tenants(visit.connection, visit.organisation_id),
        clinics=clinics,
        without_tenant=sorted(name for name, clinic in clinics.items() if clinic.settings.tenant_id is None),
        findings=[finding for finding in findings if finding.code not in _SHOWN_ELSEWHERE],
        fix=page_fix,
        **_form(visit, None, {} if overview is None else overview.defaults, overview, submitted),
    )


def _clinic_page(visit: Visit, clinic_id: str, submitted: Mapping[str, str] | None) -> Response:
    overview, clinic = _clinic(visit, clinic_id)
    return visit.page(
        "clinic.html",
        clinic=clinic,
        clinic_id=clinic_id,
        **_form(visit, clinic_id, clinic.overrides, overview, submitted),
    )


def _show_preview(visit: Visit, failed: str | None, status: HTTPStatus = HTTPStatus.OK) -> Response:
    wanted = read_document(_changed(visit))
    return visit.page(
        "settings_confirm.html",
        status=status,
        effects=try_settings(visit.connection, wanted, actor=visit.identity.user),
        form={name: value for name, value in visit.form.items() if name != "csrf"},
        clinic_id=visit.form.get("clinic_id") or None,
        failed=failed,
        fix=page_fix,
        names=_labels(load_tenants(visit.connection, visit.organisation_id)),
    )


def _save(visit: Visit, failed: str | None) -> Response:
    wanted = read_document(_changed(visit))
    with visit.connection.transaction() as attempt:
        effects = make_settings(visit.connection, wanted, actor=visit.identity.user)
        if effects.impossible:
            raise Rollback(attempt)
    if effects.impossible:
        return _show_preview(visit, failed, HTTPStatus.BAD_REQUEST)
    visit.note("Saved.")
    if failed is not None:
        visit.note(
            f"Xero could not be asked just now, so this was checked against what was read before: {failed}", "note"
        )
    return visit.go("/settings")


def _changed(visit: Visit) -> Document:
    """Return the settings with what the form changes in place."""
    refuse_stale(visit.connection, visit.organisation_id, visit.form.get("seen", ""))
    document = load_document(visit.connection, visit.organisation_id)
    clinic_id = visit.form.get("clinic_id")
    if not clinic_id:
        document["organisation"] = {"id": visit.organisation_id, **nested(_values(visit.form))}
        return document
    _clinic(visit, clinic_id)
    document["clinic"] = [table for table in document["clinic"] if table["id"] != clinic_id]
    overrides = {} if visit.form.get("remove") == "1" else nested(_values(visit.form))
    if overrides:
        document["clinic"].append({"id": clinic_id, **overrides})
    return document


def _values(form: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {field: form[field].strip() for field in FIELDS if form.get(field, "").strip()}
    enabled = values.get("synchronisation_enabled")
    if enabled is not None:
        if enabled not in _OFF_AND_ON:
            raise unusable("Synchronisation enabled must be on or off.")
        values["synchronisation_enabled"] = _OFF_AND_ON[enabled]
    return values


def _clinic(visit: Visit, clinic_id: str) -> tuple[SettingsOverview, ClinicOverview]:
    overview = load_overview(visit.connection, visit.organisation_id)
    if overview is None or clinic_id not in overview.clinics:
        raise not_found("such clinic")
    return overview, overview.clinics[clinic_id]


def _form(
    visit: Visit,
    clinic_id: str | None,
    stored: Mapping[str, Any],
    overview: SettingsOverview | None,
    submitted: Mapping[str, str] | None,
) -> dict[str, Any]:
    """Return what the form of the defaults, or of one clinic, offers and shows.

    What somebody `submitted` goes before what is `stored`, also where they left something empty.
    """
    values = stored if submitted is None else _values(submitted)
    seen = None if submitted is None else submitted.get("seen")
    tenants = load_tenants(visit.connection, visit.organisation_id)
    defaults: Mapping[str, Any] = {} if overview is None else overview.defaults
    chosen = values.get("tenant_id")
    effective = chosen or (defaults.get("tenant_id") if clinic_id is not None else None)
    tenant = next((each for each in tenants if each.tenant_id == effective), None)
    accounts, rates = (None, None) if tenant is None else (tenant.accounts, tenant.tax_rates)
    return {
        "values": {field: values.get(field) for field in FIELDS},
        "amount_limit": f"{AMOUNT_LIMIT}",
        "defaults": defaults,
        "labels": _labels(tenants),
        "offered_tenants": [each for each in tenants if each.connected or each.tenant_id == chosen],
        "form_tenant": tenant,
        "payment_accounts": payment_choices(accounts, values.get("payment_account")),
        "categories": [
            (
                category,
                revenue_choices(accounts, values.get(f"{category}_revenue_account")),
                tax_choices(rates, values.get(f"{category}_tax_type")),
            )
            for category in CATEGORIES
        ],
        # Of the settings as they were when somebody began to change them.
        "seen": seen or fingerprint(load_document(visit.connection, visit.organisation_id)),
    }


def _labels(tenants: list[ConnectedTenant]) -> dict[str, str]:
    """Return what people call accounts, tax rates and tenants that settings name, as far as one name is enough."""
    labels: dict[str, str] = {}
    for tenant in tenants:
        labels[tenant.tenant_id] = tenant.name
        for account in tenant.accounts or ():
            label = account_label(account)
            for key in ("Code", "AccountID"):
                labels.setdefault(str(account.get(key, "")), label)
        for rate in tenant.tax_rates or ():
            labels.setdefault(str(rate.get("TaxType", "")), str(rate.get("Name", "")))
    return labels


# The page says these in places of their own.
_SHOWN_ELSEWHERE = frozenset({"no_settings", "not_connected", "disconnected", "refused", "no_tenant", "no_clinics"})
_PAGE_FIXES = {
    "disabled": "Turn on Synchronisation enabled when the clinic's orders shall go to Xero.",
    "no_revenue_account": "Choose a default revenue account.",
    "no_tax_type": "Choose a default tax rate.",
    "no_payment_account": "Choose a default payment account.",
    "tenant_disconnected": "Reconnect Xero and choose that organisation again, or choose another one.",
    "unknown_tenant": "Choose one of the connected organisations, or reconnect Xero and choose that one there.",
    "no_tenant": "Choose the Xero organisation on the default or a clinic override.",
    "disconnected": "Reconnect Xero.",
    "not_connected": "Click Start Integration.",
    "no_clinics": "Nothing to do: clinics appear with their first order.",
    "tenant_without_books": "Choose a Xero organisation with books of its own.",
    "revenue_account_unusable": "Choose an active income account as default revenue account.",
    "tax_type_unusable": "Choose an active tax rate for sales as default tax rate.",
    "payment_account_unusable": "Choose a bank account, or tick 'Enable payments to this account' for it in Xero.",
}
