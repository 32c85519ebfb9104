"""Settings are checked against Xero as it is now, before they hold."""

import json
import subprocess
from typing import Any

import psycopg
import pytest
import requests
from cryptography.fernet import Fernet

from consumer.sandbox.xero import Fault
from tests.cli.service import COMMAND, Answer, Service, settings_text

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def connected(service: Service) -> Service:
    """Connected, with settings that work; no order has come yet."""
    service.tenant_id = service.simulator.control.demo_tenant("Harbour Hearing")
    service.expect("migrate")
    assert service.connect().code == 0
    service.apply_settings(service.tenant_id)
    return service


def apply(service: Service, tenant_id: str, *options: str, text: str = "", **organisation: Any) -> Answer:
    path = service.folder / "settings.toml"
    path.write_text(settings_text(tenant_id, **organisation) + text, encoding="utf-8")
    return service.run("settings", "apply", str(path), *options)


def defaults(service: Service) -> dict[str, Any]:
    (shown,) = service.expect("settings", "show", "--json").json
    return dict(shown["defaults"])


def test_a_file_that_cannot_work_in_xero_is_refused_with_each_fault(connected: Service) -> None:
    before = defaults(connected)
    connected.simulator.control.archive_account(connected.tenant_id, "200")
    text = '[[clinic]]\nid = "clinic-3"\ntenant_id = "no-such-tenant"\n'
    answer = apply(connected, connected.tenant_id, payment_account="999", text=text)
    assert answer.code == 2
    assert "Account 999 for payments does not exist in Harbour Hearing." in answer.err
    assert "->" not in answer.out
    assert "Account 200 for services is archived in Harbour Hearing." in answer.err
    assert "Tenant no-such-tenant is not among those that the connection opens." in answer.err
    assert defaults(connected) == before


def test_a_forced_file_holds_and_is_on_record(connected: Service) -> None:
    answer = apply(connected, connected.tenant_id, "--force", "--actor", "ann", payment_account="999")
    assert answer.code == 0, answer.err
    assert defaults(connected)["payment_account"] == "999"
    with psycopg.connect(connected.environment["DATABASE_URL"]) as connection:
        found = connection.execute("select actor, detail from audit where action = 'settings_forced'").fetchall()
    assert found == [("ann", {"faults": ["payment_account_unusable"]})]


def test_a_dry_run_shows_what_would_change_and_changes_nothing(connected: Service) -> None:
    answer = apply(connected, connected.tenant_id, "--dry-run", mode="manual")
    assert answer.code == 0
    assert "organisation: mode: auto -> manual" in answer.out
    assert "Nothing was applied" in answer.out
    assert defaults(connected)["mode"] == "auto"
    refused = apply(connected, connected.tenant_id, "--dry-run", "--json", payment_account="999")
    assert refused.code == 2
    assert [fault["code"] for fault in refused.json["faults"]] == ["payment_account_unusable"]
    assert refused.json["applied"] is False
    applied = apply(connected, connected.tenant_id, "--json", mode="manual")
    assert applied.json["applied"] is True
    assert [change["field"] for change in applied.json["changed"]] == ["mode"]


def test_a_check_asks_xero_afresh_and_renews_the_token(connected: Service) -> None:
    connected.expect("settings", "apply", str(connected.folder / "settings.toml"))
    with psycopg.connect(connected.environment["DATABASE_URL"], autocommit=True) as connection:
        connection.execute("insert into clinic (organisation_id, clinic_id) values ('org-1', 'clinic-1')")
        connection.execute(
            "update xero_connection set refreshed_at = now() - interval '50 days',"
            " access_expires_at = now() - interval '50 days'"
        )
        connected.simulator.control.archive_account(connected.tenant_id, "200")
        assert connected.run("settings", "check", "--offline").code == 0
        answer = connected.run("settings", "check")
        assert answer.code == 1
        assert "is archived" in answer.out
        (age,) = connection.execute("select now() - refreshed_at < interval '1 hour' from xero_connection").fetchall()
    assert age == (True,)


def test_where_xero_cannot_be_asked_what_was_read_before_counts(connected: Service) -> None:
    connected.simulator.control.add_fault(Fault(kind="unavailable", count=None, path="Accounts|connections"))
    answer = apply(connected, connected.tenant_id, mode="manual")
    assert answer.code == 0
    assert "Xero could not be asked" in answer.err
    assert apply(connected, connected.tenant_id, payment_account="999").code == 2
    assert defaults(connected)["mode"] == "manual"


def test_keys_that_do_not_open_the_tokens_are_an_error(connected: Service) -> None:
    connected.expect("settings", "apply", str(connected.folder / "settings.toml"))
    assert connected.run("settings", "check").code == 0
    wrong = {"TOKEN_ENCRYPTION_KEYS": Fernet.generate_key().decode()}
    answer = connected.run("settings", "check", "--json", environment=wrong)
    assert answer.code == 1
    (finding, *_) = answer.json["org-1"]
    assert (finding["code"], finding["level"]) == ("tokens_locked", "error")
    assert "TOKEN_ENCRYPTION_KEYS" in finding["message"]
    assert connected.run("settings", "check", "--offline", environment=wrong).code == 0


def test_a_connection_is_told_as_json(service: Service) -> None:
    tenant_id = service.simulator.control.demo_tenant("Harbour Hearing")
    service.expect("migrate")
    arguments = ("connect", "--organisation", "org-1", "--no-browser", "--json", "--timeout", "30")
    with subprocess.Popen(
        [*COMMAND, *arguments], env=service.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        requests.get(process.stderr.readline().removeprefix("Open this address: ").strip(), timeout=30)
        out, _ = process.communicate(timeout=30)
    said = json.loads(out)
    assert process.returncode == 0
    assert (said["organisation_id"], said["woken"]) == ("org-1", 0)
    assert [tenant["tenant_id"] for tenant in said["tenants"]] == [tenant_id]
