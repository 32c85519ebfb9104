"""What only a browser shows: Back, scripts that swap parts of a page, and what they say when that fails."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Route, expect

from tests.console.browser import Reader, running_browser
from tests.sync.books import Books


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as browser:
        yield browser


@pytest.fixture
def reader(browser: Browser, console_url: str) -> Iterator[Reader]:
    reader = Reader(browser, console_url)
    yield reader
    reader.close()


def test_back_leads_to_the_whole_page_as_it_was(reader: Reader, books: Books) -> None:
    books.save_invoice("order-1")
    books.push()
    page = reader.page
    reader.go("/log")
    page.get_by_label("Outcome").select_option(label="Failed")
    expect(page.get_by_text("Nothing in the sync log matches this filter.")).to_be_visible()
    page.get_by_role("link", name="Problems").click()
    page.go_back()
    expect(page.get_by_text("Nothing in the sync log matches this filter.")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", name="Xero sync log")).to_be_visible()
    expect(page.get_by_text("Invoice create").last).to_be_visible()
    expect(page.get_by_label("Outcome")).to_have_value("")
    expect(page.locator("#results")).not_to_contain_text("UTC")
    page.go_forward()
    expect(page.get_by_role("heading", name="Xero sync log")).to_be_visible()
    expect(page.get_by_text("Nothing in the sync log matches this filter.")).to_be_visible()
    assert reader.complaints == []


def test_the_last_choice_wins(reader: Reader, books: Books) -> None:
    books.save_invoice("order-1")
    books.push()
    page = reader.page
    reader.go("/log")
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/log?outcome=failed*", hold)
    with page.expect_event("requestfailed", lambda request: "outcome=failed" in request.url):
        page.get_by_label("Outcome").select_option(label="Failed")
        page.get_by_label("Outcome").select_option(value="skipped")
    expect(page.get_by_text("Nothing in the sync log matches this filter.")).to_be_visible()
    assert "outcome=skipped" in page.url
    expect(page.get_by_role("alert")).to_have_count(0)
    assert len(held) == 1


def test_a_part_after_the_end_of_a_session_leads_to_signing_in(reader: Reader, books: Books) -> None:
    books.save_invoice("order-1")
    books.push()
    page = reader.page
    reader.go("/log")
    shown = page.url
    page.route("**/log?outcome=failed*", lambda route: route.fulfill(status=401, body=""))
    page.get_by_label("Outcome").select_option(label="Failed")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("You are not signed in any more. Nothing was done.")
    assert page.url == shown
    alert.get_by_role("link", name="Reload the page").click()
    expect(alert).to_have_count(0)
    expect(page.get_by_text("Invoice create").last).to_be_visible()


def test_a_part_that_does_not_come_says_so(reader: Reader, books: Books) -> None:
    books.settings(services_revenue_account=None)
    books.save_invoice("order-1")
    books.push()
    page = reader.page
    reader.go("/log")
    # Nobody's times have a letter, but a page's address can be changed by hand.
    page.get_by_label("Order", exact=True).fill("x")
    page.locator("#since").evaluate("input => { input.type = 'text'; input.value = 'soon'; }")
    page.get_by_role("button", name="Filter").click()
    alert = page.get_by_role("alert")
    expect(alert).to_have_text("since must be a time such as 2026-01-31T09:30.")
    # A form of a session that has ended.
    reader.go("/log")
    reader.context.clear_cookies()
    page.get_by_role("button", name="Retry WH-order-1").click()
    expect(alert).to_contain_text("This form has expired.")
    alert.get_by_role("link", name="Reload the page").click()
    expect(alert).to_have_count(0)
    reader.context.set_offline(True)
    page.get_by_role("button", name="Retry WH-order-1").click()
    expect(alert).to_contain_text("HearLink could not be reached.")
    reader.context.set_offline(False)
    page.get_by_role("button", name="Retry WH-order-1").click()
    expect(page.get_by_text("Requested", exact=True)).to_be_visible()
    expect(alert).to_have_count(0)


def test_choosing_a_tenant_keeps_what_was_filled_in(reader: Reader, books: Books) -> None:
    books.save_invoice("order-1")
    books.push()
    books.connection.execute(
        "insert into xero_tenant (organisation_id, tenant_id, connection_id, name, tenant_type, accounts, tax_rates)"
        " values ('org-1', 'other', 'c', 'Hilltop Hearing', 'ORGANISATION',"
        """ '[{"Code": "777", "Name": "Elsewhere", "Class": "REVENUE", "Status": "ACTIVE"}]', '[]')"""
    )
    page = reader.page
    reader.go("/settings/clinics/clinic-1")
    mode = page.get_by_role("group", name="Synchronisation mode")
    mode.get_by_label("Manual", exact=True).check()
    tenant = page.get_by_label("Xero organisation/tenant")
    tenant.select_option(label="Hilltop Hearing")
    expect(page.get_by_text("Accounts and tax rates below are those of Hilltop Hearing")).to_be_visible()
    expect(mode.get_by_label("Manual", exact=True)).to_be_checked()
    account = page.get_by_role("group", name="Services").get_by_label("Default revenue account")
    account.select_option(label="777 - Elsewhere")
    tenant.select_option(value="")
    expect(page.get_by_text("Accounts and tax rates below are those of Harbour Hearing")).to_be_visible()
    expect(tenant).to_have_value("")
    expect(mode.get_by_label("Manual", exact=True)).to_be_checked()
    expect(account).to_have_value("777")
    account.select_option(value="")
    page.get_by_role("button", name="Submit").click()
    page.get_by_role("button", name="Back").click()
    expect(mode.get_by_label("Manual", exact=True)).to_be_checked()
    page.get_by_role("button", name="Submit").click()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    page.reload()
    expect(page.get_by_text("Saved.")).to_have_count(0)
    assert books.connection.execute("select mode, tenant_id from clinic_override").fetchall() == [("manual", None)]
    assert reader.complaints == []


def test_headings_and_tables_can_be_followed_by_ear(reader: Reader, books: Books) -> None:
    books.settings(services_revenue_account=None)
    books.save_invoice("order-1")
    books.push()
    for path in (
        "/settings",
        f"/log/{books.log()[-1]['id']}",
        "/log",
        "/problems",
        "/orders/order-1",
        "/settings/clinics/clinic-1",
    ):
        reader.go(path)
        if path == "/log":
            reader.page.get_by_text("Details of entry").first.click()
            expect(reader.page.get_by_text("Attempt", exact=True)).to_be_visible()
        assert reader.faults() == [], path
