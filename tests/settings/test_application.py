from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from psycopg import Connection, errors
from psycopg.rows import TupleRow

from consumer.database import connect
from consumer.settings import (
    AMOUNT_LIMIT,
    CATEGORIES,
    CategorySettings,
    Difference,
    FileSettings,
    InvoiceStatus,
    Mode,
    apply_settings,
    load_clinic_settings,
    load_overview,
)

_DEFAULTS: dict[str, str | bool] = {
    "synchronisation_enabled": True,
    "mode": "auto",
    "invoice_status": "authorised",
    "tenant_id": "tenant-1",
    "payment_account": "090",
    "services_revenue_account": "220",
    "services_tax_type": "OUTPUT2",
}
_FILE = FileSettings(
    "org-1", _DEFAULTS, {"clinic-1": {"mode": "manual", "synchronisation_enabled": False}, "clinic-2": {}}
)


def audits(connection: Connection[TupleRow]) -> list[TupleRow]:
    return connection.execute("select actor, action, detail->'changed' from audit order by id").fetchall()


def test_a_clinic_inherits_what_it_does_not_override(connection: Connection[TupleRow]) -> None:
    apply_settings(connection, _FILE, actor="someone")
    connection.execute("insert into clinic (organisation_id, clinic_id) values ('org-1', 'clinic-3')")
    clinics = load_clinic_settings(connection, "org-1")
    first, second, third = (clinics[f"clinic-{number}"] for number in (1, 2, 3))
    assert (first.mode, first.synchronisation_enabled, first.tenant_id) == (Mode.MANUAL, False, "tenant-1")
    assert (second.mode, second.synchronisation_enabled) == (Mode.AUTO, True)
    assert third.invoice_status is InvoiceStatus.AUTHORISED
    assert (first.overridden, second.overridden, third.overridden) == (True, True, False)
    assert tuple(third.categories) == CATEGORIES
    assert third.categories["services"] == CategorySettings("220", "OUTPUT2")
    assert third.categories["hearing_aids"] == CategorySettings(None, None)


def test_the_amount_limit_has_a_default_and_comes_back_as_it_was_applied(connection: Connection[TupleRow]) -> None:
    apply_settings(connection, _FILE, actor="someone")
    assert {clinic.amount_limit for clinic in load_clinic_settings(connection, "org-1").values()} == {AMOUNT_LIMIT}
    limited = FileSettings("org-1", {**_DEFAULTS, "amount_limit": "2500.00"}, {"clinic-1": {"amount_limit": "0.50"}})
    changed = apply_settings(connection, limited, actor="someone")
    assert Difference(None, "amount_limit", None, "2500.00") in changed
    assert apply_settings(connection, limited, actor="someone") == []
    connection.execute("insert into clinic (organisation_id, clinic_id) values ('org-1', 'clinic-3')")
    clinics = load_clinic_settings(connection, "org-1")
    assert [clinics[name].amount_limit for name in ("clinic-1", "clinic-3")] == [Decimal("0.50"), Decimal("2500.00")]
    overview = load_overview(connection, "org-1")
    assert overview is not None
    assert overview.defaults["amount_limit"] == "2500.00"


def test_only_the_clinics_asked_for_are_loaded(connection: Connection[TupleRow]) -> None:
    apply_settings(connection, _FILE, actor="someone")
    assert set(load_clinic_settings(connection, "org-1", ["clinic-2", "clinic-9"])) == {"clinic-2"}
    assert load_clinic_settings(connection, "org-1", []) == {}
    assert load_clinic_settings(connection, "org-2") == {}


def test_an_organisation_without_settings_sends_nothing_by_itself(connection: Connection[TupleRow]) -> None:
    apply_settings(connection, FileSettings("org-1", {}, {"clinic-1": {}}), actor="someone")
    clinic = load_clinic_settings(connection, "org-1")["clinic-1"]
    assert (clinic.synchronisation_enabled, clinic.mode, clinic.invoice_status) == (False, "manual", "draft")


def test_the_differences_are_told(connection: Connection[TupleRow]) -> None:
    apply_settings(connection, _FILE, actor="someone")
    changed = FileSettings(
        "org-1",
        {**_DEFAULTS, "payment_account": "092"},
        {"clinic-1": {"mode": "manual", "services_tax_type": "NONE"}},
    )
    assert apply_settings(connection, changed, actor="someone") == [
        Difference(None, "payment_account", "090", "092"),
        Difference("clinic-1", "synchronisation_enabled", before=False, after=None),
        Difference("clinic-1", "services_tax_type", None, "NONE"),
        Difference("clinic-2", "listed", before=True, after=False),
    ]
    assert set(load_clinic_settings(connection, "org-1")) == {"clinic-1"}


def test_what_the_file_leaves_out_holds_no_more(connection: Connection[TupleRow]) -> None:
    apply_settings(connection, _FILE, actor="someone")
    differences = apply_settings(connection, FileSettings("org-1", {"mode": "auto"}, {}), actor="someone")
    assert Difference(None, "synchronisation_enabled", before=True, after=False) in differences
    assert Difference(None, "tenant_id", "tenant-1", None) in differences
    overview = load_overview(connection, "org-1")
    assert overview is not None
    assert overview.defaults == {"synchronisation_enabled": False, "mode": "auto", "invoice_status": "draft"}
    assert overview.clinics == {}


def test_the_same_file_again_changes_nothing(connection: Connection[TupleRow]) -> None:
    assert apply_settings(connection, _FILE, actor="someone")
    before = connection.execute("select * from organisation").fetchall()
    assert apply_settings(connection, _FILE, actor="another") == []
    assert connection.execute("select * from organisation").fetchall() == before
    assert len(audits(connection)) == 1


def test_who_changed_what_is_kept(connection: Connection[TupleRow]) -> None:
    apply_settings(connection, FileSettings("org-1", {"mode": "auto"}, {}), actor="someone")
    apply_settings(connection, FileSettings("org-1", {"mode": "manual"}, {}), actor="another")
    assert audits(connection)[1] == (
        "another",
        "settings_apply",
        [{"clinic_id": None, "field": "mode", "before": "auto", "after": "manual"}],
    )
    assert connection.execute("select updated_by from organisation").fetchone() == ("another",)


def test_organisations_leave_each_other_alone(connection: Connection[TupleRow]) -> None:
    apply_settings(connection, _FILE, actor="someone")
    apply_settings(connection, FileSettings("org-2", {}, {"clinic-1": {"mode": "auto"}}), actor="someone")
    assert set(load_clinic_settings(connection, "org-1")) == {"clinic-1", "clinic-2"}
    assert load_clinic_settings(connection, "org-1")["clinic-1"].mode is Mode.MANUAL


def test_a_file_that_the_database_refuses_changes_nothing(connection: Connection[TupleRow]) -> None:
    apply_settings(connection, _FILE, actor="someone")
    with pytest.raises(errors.CheckViolation):
        apply_settings(connection, FileSettings("org-1", {}, {"clinic-1": {"mode": "sometimes"}}), actor="someone")
    assert load_clinic_settings(connection, "org-1")["clinic-1"].tenant_id == "tenant-1"


def test_two_applications_at_once_go_one_after_the_other(database_url: str) -> None:
    files = [
        FileSettings("org-1", {"tenant_id": f"tenant-{number}"}, {f"clinic-{number}": {}, "clinic-9": {}})
        for number in range(6)
    ]

    def apply(settings: FileSettings) -> list[Difference]:
        with connect(database_url, name="test") as connection:
            return apply_settings(connection, settings, actor="someone")

    with ThreadPoolExecutor(6) as pool:
        assert all(pool.map(apply, files))
    with connect(database_url, name="test") as connection:
        row = connection.execute("select tenant_id from organisation").fetchone()
        assert row is not None
        last = row[0].removeprefix("tenant-")
        assert set(load_clinic_settings(connection, "org-1")) == {f"clinic-{last}", "clinic-9"}


def test_the_overview_shows_overrides_beside_what_holds(connection: Connection[TupleRow]) -> None:
    apply_settings(connection, _FILE, actor="someone")
    overview = load_overview(connection, "org-1")
    assert overview is not None
    assert overview.defaults == _DEFAULTS
    assert overview.clinics["clinic-1"].overrides == {"mode": "manual", "synchronisation_enabled": False}
    assert overview.clinics["clinic-1"].settings.payment_account == "090"
    assert overview.clinics["clinic-2"].overrides == {}
    assert load_overview(connection, "org-2") is None
