from pathlib import Path

import pytest

from consumer.settings import SettingsError, read_settings, read_settings_file

_WHOLE = """
[organisation]
id = "org-1"
synchronisation_enabled = true
mode = "auto"
invoice_status = "authorised"
tenant_id = "5b1c"
payment_account = "090"
[organisation.categories.hearing_aids]
revenue_account = "200"
tax_type = "ZERORATEDOUTPUT"
[organisation.categories.services]
revenue_account = "0e8e1d2c-6d6d-4c39-9bd1-6a1c30a4c0b8"

[[clinic]]
id = "clinic-3"
mode = "manual"
[clinic.categories.services]
tax_type = "OUTPUT2"

[[clinic]]
id = "clinic-4"
"""


def errors_of(text: str) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        read_settings(text, "settings.toml")
    assert str(caught.value) == "\n".join(caught.value.errors)
    return caught.value.errors


def organisation(line: str) -> str:
    return f'[organisation]\nid = "org-1"\n{line}\n'


def test_a_file_says_what_it_sets_and_nothing_else() -> None:
    settings = read_settings(_WHOLE, "settings.toml")
    assert settings.organisation_id == "org-1"
    assert settings.defaults == {
        "synchronisation_enabled": True,
        "mode": "auto",
        "invoice_status": "authorised",
        "tenant_id": "5b1c",
        "payment_account": "090",
        "hearing_aids_revenue_account": "200",
        "hearing_aids_tax_type": "ZERORATEDOUTPUT",
        "services_revenue_account": "0e8e1d2c-6d6d-4c39-9bd1-6a1c30a4c0b8",
    }
    assert settings.clinics == {"clinic-3": {"mode": "manual", "services_tax_type": "OUTPUT2"}, "clinic-4": {}}


@pytest.mark.parametrize(
    ("written", "amount"),
    [("100000", "100000.00"), ("2500.5", "2500.50"), ('"0.01"', "0.01")],
)
def test_an_amount_is_kept_as_the_database_gives_it_back(written: str, amount: str) -> None:
    assert read_settings(organisation(f"amount_limit = {written}"), "settings.toml").defaults == {
        "amount_limit": amount
    }


@pytest.mark.parametrize("written", ["0", "-5", "1.005", '"much"', "true", "1e14", "nan", "inf", '"NaN"', "[]"])
def test_what_is_no_amount_is_refused(written: str) -> None:
    (error,) = errors_of(organisation(f"amount_limit = {written}"))
    assert error.startswith("settings.toml: organisation.amount_limit: must be an amount above 0")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "organisation: is missing"),
        ("[organisation]", "organisation.id: is missing"),
        ("organisation = 1", "organisation: must be one table"),
        ('[[organisation]]\nid = "a"', "organisation: must be one table: a file is of one organisation"),
        (organisation('mod = "auto"'), "organisation.mod: is unknown; known are id, synchronisation_enabled"),
        (organisation('mode = "Auto"'), 'organisation.mode: must be "auto" or "manual"'),
        (organisation("mode = true"), 'organisation.mode: must be "auto" or "manual"'),
        (organisation('invoice_status = "paid"'), 'invoice_status: must be "draft" or "authorised"'),
        (organisation('synchronisation_enabled = "true"'), "synchronisation_enabled: must be true or false"),
        (organisation("synchronisation_enabled = 1"), "synchronisation_enabled: must be true or false"),
        (organisation("payment_account = 90"), 'payment_account: must be text: write "90" with quotes'),
        (organisation("payment_account = true"), "payment_account: must be text in quotes"),
        (organisation('payment_account = "12345678901"'), "payment_account: must be an account's code"),
        (organisation('payment_account = "0 90"'), "payment_account: must be an account's code"),
        (organisation('tenant_id = ""'), "tenant_id: must have 1 to 100 printable characters"),
        (organisation('tenant_id = " a"'), "tenant_id: must have 1 to 100 printable characters"),
        (organisation('tenant_id = "a\\nb"'), "tenant_id: must have 1 to 100 printable characters"),
        (organisation("categories = 1"), "organisation.categories: must be a table"),
        (organisation("[organisation.categories]\nservices = 1"), "categories.services: must be a table"),
        (organisation("[organisation.categories.batteries]"), "categories.batteries: is unknown; the categories are"),
        (
            organisation('[organisation.categories.services]\ntax = "A"'),
            "organisation.categories.services.tax: is unknown; known are revenue_account, tax_type",
        ),
        (
            organisation("[organisation.categories.services]\ntax_type = 20"),
            'services.tax_type: must be text: write "20"',
        ),
        (organisation("[clinic]\nid = 1"), "clinic: must be written as [[clinic]]"),
        (organisation("[[clinic]]\nmode = 'auto'"), "clinic[1].id: is missing"),
        ("clinic = [1]\n" + organisation(""), "clinic[1]: must be a table"),
        (organisation("[[clinic]]\nid = 3"), "clinic[1].id: must be text"),
        (organisation('[[clinic]]\nid = "c"\n[[clinic]]\nid = "c"'), "clinic[2] (c): is there twice"),
        (organisation('[[clinic]]\nid = "c"\ntenant = "t"'), "clinic[1] (c).tenant: is unknown"),
        (organisation("[clinics]"), "clinics: is unknown; there are [organisation] and [[clinic]]"),
    ],
)
def test_what_cannot_be_used_is_refused_by_file_key_and_reason(text: str, error: str) -> None:
    [found] = errors_of(text)
    assert found.startswith("settings.toml: ")
    assert error in found


def test_all_faults_are_told_at_once() -> None:
    errors = errors_of('wrong = 1\n[organisation]\nmode = "x"\n[[clinic]]\nid = "c"\npayment_account = 1\n')
    assert {error.split(": ")[1] for error in errors} == {
        "wrong",
        "organisation.id",
        "organisation.mode",
        "clinic[1] (c).payment_account",
    }


def test_what_is_no_toml_is_refused_with_its_line() -> None:
    [error] = errors_of('[organisation]\nid = "a"\nid = "b"\n')
    assert "is not TOML" in error
    assert "line 3" in error


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text(_WHOLE)
    assert read_settings_file(path).organisation_id == "org-1"


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    missing, binary = tmp_path / "missing.toml", tmp_path / "binary.toml"
    binary.write_bytes(b"a = '\xff'")
    with pytest.raises(SettingsError, match=r"missing\.toml: can't be read: No such file"):
        read_settings_file(missing)
    with pytest.raises(SettingsError, match=r"binary\.toml: is not UTF-8"):
        read_settings_file(binary)
