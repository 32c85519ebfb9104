"""Changing settings: what a change does is shown first, and what can't work is not saved."""

from html.parser import HTMLParser
from typing import Any

import pytest

from tests.console.conftest import Visitor
from tests.sync.books import CLINIC, ORGANISATION, Books


class Form(HTMLParser):
    """Reads what a form would send if nobody changed anything."""

    def __init__(self, text: str, action: str) -> None:
        super().__init__()
        self._action = action
        self._inside = False
        self._select = ""
        self.values: dict[str, str] = {}
        self.options: dict[str, list[tuple[str, str]]] = {}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given: dict[str, Any] = dict(attrs)
        if tag == "form":
            # The first one that goes there: a clinic's page has another one, to remove the override.
            self._inside = not self.values and str(given.get("action", "")).endswith(self._action)
        if not self._inside:
            return
        if tag == "input" and (given.get("type") not in {"radio", "checkbox"} or "checked" in given):
            self.values[given["name"]] = given.get("value", "")
        if tag == "select":
            self._select = given["name"]
            self.values.setdefault(self._select, "")
        if tag == "option":
            self.options.setdefault(self._select, []).append((given.get("value", ""), ""))
            if "selected" in given:
                self.values[self._select] = given["value"]

    def handle_data(self, data: str) -> None:
        if self._inside and self._select and self.options.get(self._select) and data.strip():
            value, label = self.options[self._select][-1]
            self.options[self._select][-1] = (value, label or data.strip())

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self._select = ""
        if tag == "form":
            self._inside = False


def defaults_form(visitor: Visitor, **changes: str) -> dict[str, str]:
    return Form(visitor.page("/settings").text, "/settings/preview").values | changes


def clinic_form(visitor: Visitor, clinic_id: str = CLINIC, **changes: str) -> dict[str, str]:
    return Form(visitor.page(f"/settings/clinics/{clinic_id}").text, "/settings/preview").values | changes


def preview(visitor: Visitor, form: dict[str, str]) -> str:
    answer = visitor.post("/settings/preview", form)
    assert answer.status_code == 200, answer.text
    return answer.text


def edit(visitor: Visitor, form: dict[str, str]) -> str:
    """Do as the page does where another tenant is chosen, or somebody goes back from the preview."""
    answer = visitor.post("/settings/edit", form)
    assert answer.status_code == 200, answer.text
    return answer.text


def save(visitor: Visitor, form: dict[str, str]) -> None:
    """Look at the change, then press Save there."""
    confirmation = Form(preview(visitor, form), "/settings").values
    answer = visitor.post("/settings", confirmation)
    assert answer.status_code == 200, answer.text
    assert "Saved." in answer.text


@pytest.fixture
def read_books(visitor: Visitor, books: Books) -> Books:
    """Books whose accounts and tax rates have been read, with one clinic."""
    books.save_invoice("order-1")
    books.push()
    assert visitor.post("/settings/refresh", {}).status_code == 200
    return books


def organisation(books: Books) -> dict[str, Any]:
    row = books.connection.execute("select to_jsonb(o) from organisation o").fetchone()
    assert row is not None
    found: dict[str, Any] = row[0]
    return found


def test_the_form_shows_what_holds_and_what_xero_offers(visitor: Visitor, read_books: Books) -> None:
    form = Form(visitor.page("/settings").text, "/settings/preview")
    assert form.values["tenant_id"] == read_books.tenant_id
    assert form.values["payment_account"] == "090"
    assert form.values["services_tax_type"] == "OUTPUT2"
    assert (form.values["mode"], form.values["synchronisation_enabled"]) == ("auto", "on")
    labels = [label for _, label in form.options["services_revenue_account"]]
    assert "200 - Sales" in labels
    # Neither archived accounts, nor those that are no income, nor those reserved for Xero itself.
    assert not any(code in " ".join(labels) for code in ("240", "310", "610"))
    assert [label for value, label in form.options["payment_account"] if value] == [
        "090 - Business Bank Account",
        "091 - Business Savings Account",
        "092 - Card Takings Clearing",
    ]
    assert ("INPUT2", "20% (VAT on Expenses)") not in form.options["services_tax_type"]


def test_nothing_is_changed_before_it_is_confirmed(visitor: Visitor, read_books: Books) -> None:
    before = organisation(read_books)
    text = preview(visitor, defaults_form(visitor, mode="manual", services_revenue_account="260"))
    assert "Synchronisation mode" in text
    assert "Services: default revenue account" in text
    assert organisation(read_books) == before
    save(visitor, defaults_form(visitor, mode="manual", services_revenue_account="260"))
    after = organisation(read_books)
    assert (after["mode"], after["services_revenue_account"], after["updated_by"]) == ("manual", "260", "local user")
    row = read_books.connection.execute("select detail from audit where action = 'settings_apply'").fetchone()
    assert row is not None
    detail = row[0]
    assert {change["field"] for change in detail["changed"]} == {"mode", "services_revenue_account"}


def test_saving_again_what_holds_changes_nothing(visitor: Visitor, read_books: Books) -> None:
    before = organisation(read_books)
    assert "Nothing: the settings are like this already." in preview(visitor, defaults_form(visitor))
    assert organisation(read_books) == before


def test_the_amount_limit_can_be_changed_and_stays_when_something_else_is(visitor: Visitor, read_books: Books) -> None:
    save(visitor, defaults_form(visitor, amount_limit="2500"))
    assert organisation(read_books)["amount_limit"] == 2500
    save(visitor, defaults_form(visitor, mode="manual"))
    assert organisation(read_books)["amount_limit"] == 2500
    save(visitor, defaults_form(visitor, amount_limit=""))
    assert organisation(read_books)["amount_limit"] is None
    assert 'placeholder="100000.00"' in visitor.page("/settings").text


def test_what_failed_for_the_settings_is_counted_and_tried_again(visitor: Visitor, read_books: Books) -> None:
    read_books.simulator.control.archive_account(read_books.tenant_id, "200")
    read_books.save_invoice("order-2")
    read_books.push()
    form = defaults_form(visitor)
    for name in form:
        if name.endswith("_revenue_account"):
            form[name] = "260"
    assert "Orders that failed, and are tried again at once: <strong>1</strong>" in preview(visitor, form)
    save(visitor, form)
    read_books.push()
    assert [row["outcome"] for row in read_books.log("order-2")][-1] == "succeeded"


def test_what_was_saved_while_synchronisation_was_off_is_counted_with_what_sends_it(
    visitor: Visitor, read_books: Books
) -> None:
    read_books.settings(synchronisation_enabled=False)
    read_books.save_invoice("order-2")
    read_books.push()
    text = preview(visitor, {**defaults_form(visitor), "synchronisation_enabled": "on"})
    assert "in clinics where it is on then: <strong>1</strong>" in text
    assert "<code>hearlink-xero retry --held disabled --organisation org-1</code>" in text
    assert "--held" not in preview(visitor, defaults_form(visitor, mode="manual"))


def test_what_can_not_work_is_not_saved(visitor: Visitor, read_books: Books) -> None:
    before = organisation(read_books)
    form = defaults_form(visitor, services_revenue_account="310", payment_account="200", services_tax_type="INPUT2")
    text = preview(visitor, form)
    for fault in ("is not a revenue account", "takes no payments", "can&#39;t be used for sales"):
        assert fault in text
    assert '<button class="main">Save</button>' not in text
    assert visitor.post("/settings", form).status_code == 400
    assert organisation(read_books) == before


def test_an_archived_account_is_marked_where_it_is_chosen(visitor: Visitor, read_books: Books) -> None:
    read_books.simulator.control.archive_account(read_books.tenant_id, "200")
    visitor.post("/settings/refresh", {})
    text = visitor.page("/settings").text
    assert "200 - Sales (archived or not usable for this)" in text
    assert "Account 200 for services is archived in Harbour Hearing." in text


def test_a_change_is_checked_against_xero_as_it_is_now(visitor: Visitor, read_books: Books) -> None:
    form = defaults_form(visitor, services_revenue_account="260")
    read_books.simulator.control.archive_account(read_books.tenant_id, "260")
    # What is known was read long ago.
    read_books.connection.execute("update xero_tenant set described_at = now() - interval '1 day'")
    assert "Account 260 for services is archived" in preview(visitor, form)


def test_a_change_can_be_looked_at_while_xero_is_away(visitor: Visitor, read_books: Books) -> None:
    read_books.connection.execute("update xero_tenant set described_at = now() - interval '1 day'")
    form = defaults_form(visitor, mode="manual")
    read_books.simulator.control.add_fault({"kind": "unavailable", "count": None})
    assert "Xero could not be asked just now" in preview(visitor, form)


def test_two_people_do_not_undo_each_others_change(visitor: Visitor, read_books: Books) -> None:
    mine, theirs = defaults_form(visitor, mode="manual"), defaults_form(visitor, invoice_status="draft")
    save(visitor, theirs)
    answer = visitor.post("/settings/preview", mine)
    assert answer.status_code == 409
    assert visitor.post("/settings", mine).status_code == 409
    assert organisation(read_books)["mode"] == "auto"


def test_a_clinic_overrides_what_it_wants_and_no_more(visitor: Visitor, read_books: Books) -> None:
    form = clinic_form(visitor)
    assert {name: value for name, value in form.items() if value and name not in {"csrf", "seen", "clinic_id"}} == {}
    save(visitor, {**form, "mode": "manual", "services_revenue_account": "260"})
    row = read_books.connection.execute(
        "select clinic_id, mode, services_revenue_account, synchronisation_enabled, tenant_id from clinic_override"
    ).fetchall()
    assert row == [(CLINIC, "manual", "260", None, None)]
    save(visitor, clinic_form(visitor, mode=""))
    rows = read_books.connection.execute("select mode, services_revenue_account from clinic_override").fetchall()
    assert rows == [(None, "260")]
    # Its own form is the last one on the page: the one that takes the override away.
    text = visitor.page(f"/settings/clinics/{CLINIC}").text
    assert "Remove the override" in text
    removal = Form(text.rpartition("<section")[2], "/settings/preview").values
    save(visitor, removal)
    assert read_books.connection.execute("select count(*) from clinic_override").fetchone() == (0,)


def test_clinics_without_a_tenant_are_listed(visitor: Visitor, read_books: Books) -> None:
    read_books.settings(tenant_id=None)
    text = visitor.page("/settings").text
    assert "No Xero tenant selected for the clinic" in text
    assert f"/settings/clinics/{CLINIC}" in text


def test_moving_to_other_books_says_what_stays_behind(visitor: Visitor, read_books: Books) -> None:
    other = read_books.simulator.control.demo_tenant("Hilltop Hearing")
    read_books.connection.execute(
        "insert into xero_tenant (organisation_id, tenant_id, connection_id, name, tenant_type, described_at)"
        " values ('org-1', %s, 'c', 'Hilltop Hearing', 'ORGANISATION', now())",
        [other],
    )
    text = preview(visitor, defaults_form(visitor, tenant_id=other))
    assert "1 order is in another Xero organisation" in text
    assert "Hilltop Hearing" in text


def test_another_tenants_accounts_can_be_looked_at_first(visitor: Visitor, read_books: Books) -> None:
    read_books.connection.execute(
        "insert into xero_tenant (organisation_id, tenant_id, connection_id, name, tenant_type, accounts, tax_rates)"
        " values ('org-1', 'other', 'c', 'Hilltop Hearing', 'ORGANISATION',"
        """ '[{"Code": "777", "Name": "Elsewhere", "Class": "REVENUE", "Status": "ACTIVE"}]', '[]')"""
    )
    text = edit(visitor, defaults_form(visitor, tenant_id="other", mode="manual", services_tax_type="ZERORATEDOUTPUT"))
    form = Form(text, "/settings/preview")
    assert ("777", "777 - Elsewhere") in form.options["services_revenue_account"]
    # Nothing of what was filled in is lost.
    assert (form.values["tenant_id"], form.values["mode"]) == ("other", "manual")
    assert form.values["services_tax_type"] == "ZERORATEDOUTPUT"
    assert form.values["seen"] == defaults_form(visitor)["seen"]


def test_a_clinic_goes_back_to_the_tenant_of_the_organisation(visitor: Visitor, read_books: Books) -> None:
    save(visitor, clinic_form(visitor, tenant_id=read_books.tenant_id, mode="manual"))
    form = clinic_form(visitor)
    assert form["tenant_id"] == read_books.tenant_id
    back = Form(edit(visitor, {**form, "tenant_id": "", "mode": "auto"}), "/settings/preview").values
    assert (back["tenant_id"], back["mode"]) == ("", "auto")
    save(visitor, back)
    rows = read_books.connection.execute("select tenant_id, mode from clinic_override").fetchall()
    assert rows == [(None, "auto")]


@pytest.mark.usefixtures("read_books")
def test_back_from_the_preview_keeps_what_was_filled_in(visitor: Visitor) -> None:
    form = defaults_form(visitor, mode="manual", payment_account="", services_revenue_account="260")
    confirmation = preview(visitor, form)
    assert f'formaction="/organisations/{ORGANISATION}/settings/edit">Back</button>' in confirmation
    again = Form(edit(visitor, Form(confirmation, "/settings").values), "/settings/preview").values
    assert again == form | {"csrf": again["csrf"]}


def test_what_was_wrong_before_locks_nothing(visitor: Visitor, read_books: Books) -> None:
    read_books.simulator.control.archive_account(read_books.tenant_id, "200")
    visitor.post("/settings/refresh", {})
    text = preview(visitor, defaults_form(visitor, synchronisation_enabled="off", mode="manual"))
    assert '<button class="main">Save</button>' in text
    assert "Still wrong" in text
    assert f"{CLINIC}: Account 200 for services is archived in Harbour Hearing." in text
    assert "below" not in text
    save(visitor, defaults_form(visitor, synchronisation_enabled="off", mode="manual"))
    assert organisation(read_books)["synchronisation_enabled"] is False
    # Another archived account is this change's own fault, and its alone.
    read_books.simulator.control.archive_account(read_books.tenant_id, "260")
    visitor.post("/settings/refresh", {})
    text = preview(visitor, defaults_form(visitor, services_revenue_account="260"))
    faults = text.partition("so they are not saved")[2].partition("</ul>")[0]
    assert f"{CLINIC}: Account 260 for services is archived in Harbour Hearing." in faults
    assert "hearing aids" not in faults
    assert '<button class="main">Save</button>' not in text


def test_an_override_may_always_be_removed(visitor: Visitor, read_books: Books) -> None:
    save(visitor, clinic_form(visitor, services_revenue_account="260"))
    read_books.simulator.control.archive_account(read_books.tenant_id, "200")
    visitor.post("/settings/refresh", {})
    text = visitor.page(f"/settings/clinics/{CLINIC}").text
    save(visitor, Form(text.rpartition("<section")[2], "/settings/preview").values)
    assert read_books.connection.execute("select count(*) from clinic_override").fetchone() == (0,)
    text = visitor.page("/settings").text
    assert "Create Override" in text
    assert "Remove the override" not in visitor.page(f"/settings/clinics/{CLINIC}").text


def test_what_xero_changed_while_someone_thought_about_it_is_not_saved(visitor: Visitor, read_books: Books) -> None:
    confirmation = Form(preview(visitor, defaults_form(visitor, services_revenue_account="260")), "/settings").values
    read_books.simulator.control.archive_account(read_books.tenant_id, "260")
    read_books.connection.execute("update xero_tenant set described_at = now() - interval '30 seconds'")
    answer = visitor.post("/settings", confirmation)
    assert answer.status_code == 400
    assert "Account 260 for services is archived" in answer.text
    assert organisation(read_books)["services_revenue_account"] == "200"


@pytest.mark.usefixtures("read_books")
def test_senseless_settings_are_refused(visitor: Visitor) -> None:
    form = defaults_form(visitor)
    for changes in (
        {"mode": "sometimes"},
        {"synchronisation_enabled": "perhaps"},
        {"payment_account": "x" * 50},
        {"clinic_id": "none"},
    ):
        assert visitor.post("/settings/preview", {**form, **changes}).status_code in {400, 404}, changes
