"""The pages over HTTP, without a browser: what they show, and what their forms do."""

import io
import re
import zipfile
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import pytest

from consumer.operations.assembly import Assembly
from tests.console.conftest import Visitor, deliver_requests
from tests.sync.books import Books, line


def fail_an_order(books: Books) -> None:
    """An order whose account was archived in Xero."""
    books.simulator.control.archive_account(books.tenant_id, "200")
    books.save_invoice("order-1")
    books.push()


@pytest.mark.usefixtures("books")
def test_the_way_in_leads_to_the_sync_log_of_the_only_organisation(visitor: Visitor) -> None:
    answer = visitor.get("/")
    assert answer.url.endswith("/organisations/org-1/log")
    assert "Nothing was synced yet." in answer.text


def test_a_failure_is_explained_retried_and_gone(visitor: Visitor, books: Books, assembly: Assembly) -> None:
    fail_an_order(books)
    page = visitor.page("/log").text
    assert "<b>1</b> failed" in page
    assert "Account" in page
    assert "Retry WH-order-1" in page
    problems = visitor.page("/problems").text
    assert "1 order" in problems
    assert "What Xero said" in problems
    books.settings(services_revenue_account="260")
    answer = visitor.post("/retry", {"order_id": "order-1"})
    assert answer.status_code == 200
    assert "1 order was requested" in answer.text
    (request,) = deliver_requests(books, assembly)
    assert (request.order_id, request.actor, request.trigger) == ("order-1", "local user", "manual")
    books.push()
    assert "<b>0</b> failed" in visitor.page("/log").text
    assert "There is nothing to do" in visitor.page("/problems").text


def test_every_page_answers(visitor: Visitor, books: Books) -> None:
    fail_an_order(books)
    books.save_invoice("order-2", lines=[line(category="HEARING_AIDS")])
    books.save_payment("order-2")
    books.save_credit_note("order-2")
    books.settings(services_revenue_account="260", hearing_aids_revenue_account="210")
    books.push()
    for path in (
        "/log",
        "/log?outcome=failed",
        "/retry?outcome=failed",
        "/problems",
        "/orders",
        "/orders?q=WH-order-2",
    ):
        visitor.page(path)
    for path in ("/orders/order-1", "/orders/order-2", "/sync/order-2", "/sync/order-1", "/export"):
        visitor.page(path)
    for path in ("/settings", "/settings/clinics/clinic-1", "/settings/other-organisation"):
        visitor.page(path)
    log_ids = [row["id"] for row in books.log()]
    for log_id in log_ids:
        visitor.page(f"/log/{log_id}")


def test_an_order_that_has_nothing_for_xero_says_so(visitor: Visitor, books: Books) -> None:
    books.save_invoice("order-1")
    books.close("order-1", outcome="WRITTEN_OFF")
    books.save_invoice("order-2")
    books.delete_invoice("order-2")
    books.save_invoice("order-3")
    books.push()
    for order_id, words in (("order-1", "the order is written off"), ("order-2", "it has no invoice")):
        text = visitor.page(f"/orders/{order_id}").text
        assert f"Nothing to send: {words}</span>" in text
        assert "Synced" not in text.partition("</h1>")[2].partition("Timeline")[0]
        assert "Nothing of this order is in Xero." in text
    assert "Synced</span>" in visitor.page("/orders/order-3").text


def test_gaps_are_told_as_people_count(visitor: Visitor, books: Books) -> None:
    books.sequences["order-1"] = 1
    books.save_invoice("order-1")
    assert "Change 1 of this order has not come from HearLink yet." in visitor.page("/orders/order-1").text
    books.sequences["order-1"] = 5
    books.save_payment("order-1")
    assert "Changes 1, 3 to 5 of this order have not come" in visitor.page("/orders/order-1").text


def test_what_happened_and_what_to_do_are_two_sentences(visitor: Visitor, books: Books) -> None:
    books.settings(synchronisation_enabled=False)
    books.save_invoice("order-1")
    books.request_sync("order-1")
    books.push()
    for path in ("/log", "/sync/order-1", f"/log/{books.log()[-1]['id']}"):
        text = visitor.page(path).text
        assert "Synchronisation is disabled" in text, path
        assert "Synchronisation is disabled <strong>" not in text, path
        assert "disabled Turn" not in text, path


def test_no_crowd_opens_more_connections_than_there_are_threads(visitor: Visitor, books: Books) -> None:
    books.save_invoice("order-1")
    with ThreadPoolExecutor(40) as crowd:
        list(crowd.map(lambda _: visitor.page("/orders/order-1"), range(200)))
    row = books.connection.execute(
        "select count(*) from pg_stat_activity where application_name = 'hearlink-xero console'"
        " and datname = current_database()"
    ).fetchone()
    assert row is not None
    assert 1 <= row[0] <= 12


def test_an_order_may_be_called_anything(visitor: Visitor, books: Books, assembly: Assembly) -> None:
    order_id = "a/b c?d&e=ü#sync"
    books.save_invoice(order_id, number="N 1/2")
    assert quote(order_id, safe="") in visitor.page("/orders", q="N 1/2").url
    mark = quote(order_id, safe="")
    assert "N 1/2" in visitor.page(f"/orders/{mark}").text
    assert "N 1/2" in visitor.page(f"/sync/{mark}").text
    assert visitor.api(f"/plan/{mark}").json()["order_id"] == order_id
    assert visitor.sync(order_id).status_code == 200
    (request,) = deliver_requests(books, assembly)
    assert request.order_id == order_id
    books.push()
    assert visitor.page("/log", order=order_id).text.count("N 1/2") >= 2


def test_no_order_is_taken_for_another_ones_page(visitor: Visitor, books: Books, assembly: Assembly) -> None:
    ids = ("slash", "slash/sync", "a/b/sync", "slash/plan", "slash/timeline", "slash/../slash")
    for number, order_id in enumerate(ids):
        books.save_invoice(order_id, number=f"N-{number}")
        mark = quote(order_id, safe="")
        assert f"<h1>Invoice N-{number}</h1>" in visitor.page("/orders", q=order_id).text
        assert visitor.api(f"/orders/{mark}").json()["invoice_number"] == f"N-{number}"
        assert visitor.api(f"/plan/{mark}").json()["order_id"] == order_id
        assert visitor.api(f"/timeline/{mark}").json()["order_id"] == order_id
        assert visitor.api(f"/sync/{mark}", {}).status_code == 202
        assert f"<h1>Invoice N-{number}</h1>" in visitor.sync(order_id).text
    assert sorted(request.order_id for request in deliver_requests(books, assembly)) == sorted(2 * ids)
    books.push()
    for number, order_id in enumerate(ids):
        (link,) = set(re.findall(r'href="([^"]+/orders/[^"]+)"', visitor.page("/log", order=order_id).text))
        page = visitor.get(link).text
        assert f"<h1>Invoice N-{number}</h1>" in page
        (button,) = re.findall(r'href="([^"]+/sync/[^"]+)"', page)
        assert f"N-{number}" in visitor.get(button).text


def test_an_export_of_a_clinic_that_nobody_named_is_refused(visitor: Visitor, books: Books) -> None:
    books.save_invoice("order-1")
    form = {"kind": "invoices", "since": "2026-10-01", "until": "2026-10-31", "clinic": "nowhere"}
    answer = visitor.post("/export", form)
    assert answer.status_code == 400
    assert "nowhere" in answer.text


def test_an_export_holds_the_rows_of_the_organisation_alone(visitor: Visitor, books: Books) -> None:
    books.save_invoice("order-1")
    visitor.post("/settings/refresh", {})
    # As if another organisation had the same clinic and the same books.
    books.connection.execute(
        "insert into orders (order_id, organisation_id, clinic_id, patient_id, invoice_id, invoice_number, issued_on,"
        " sequence, revision, event_id, occurred_at, state)"
        " select 'foreign', 'org-2', clinic_id, patient_id, invoice_id, 'FOREIGN', issued_on, 1, 1, 'e', now(), state"
        " from orders"
    )
    answer = visitor.post("/export", {"kind": "invoices", "since": "2026-10-01", "until": "2026-10-31"})
    assert answer.headers["Content-Disposition"] == 'attachment; filename="invoices-2026-10-01-to-2026-10-31.zip"'
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        name, notes = archive.namelist()
        text = archive.read(name).decode()
        assert "1 documents" in archive.read(notes).decode()
    assert "WH-order-1" in text
    assert text.count("\r\n") == 2
    for form in ({"kind": "bills"}, {"since": "2026-11-01"}, {"until": ""}):
        wrong = {"kind": "invoices", "since": "2026-10-01", "until": "2026-10-31", **form}
        assert visitor.post("/export", wrong).status_code == 400
