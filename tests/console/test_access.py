"""What Xero refuses is on every page and in the API as it is in `status`, and gone when Xero lets us again."""

from consumer.operations import metric_table as table
from consumer.operations.assembly import Assembly
from consumer.operations.collector import Collector
from consumer.operations.running import Running
from consumer.operations.status import read_status
from tests.console.conftest import Visitor
from tests.sync.access import let_access_be_tried
from tests.sync.books import ORGANISATION, Books


def hold_a_payment(books: Books) -> None:
    books.simulator.control.set_role(books.tenant_id, "invoice_only")
    books.save_invoice()
    books.save_payment()
    books.settle()


def test_a_low_role_is_on_the_banner_until_it_is_mended(visitor: Visitor, books: Books) -> None:
    hold_a_payment(books)
    page = visitor.page("/log").text
    assert "does not have enough rights there" in page
    assert "1 order waits" in page
    assert "Xero is disconnected" not in page
    assert "Connected, but Xero refuses part of it" in visitor.page("/settings").text
    (refused,) = visitor.api("/state").json()["access"]
    assert (refused["code"], refused["scope"], refused["tenant_id"]) == (
        "permission_missing",
        "accounting.payments",
        books.tenant_id,
    )
    assert "change payments" in visitor.page("/sync/order-1").text
    books.simulator.control.set_role(books.tenant_id, "standard")
    let_access_be_tried(books)
    books.settle()
    assert "enough rights" not in visitor.page("/export").text
    assert visitor.api("/state").json()["access"] == []
    assert len(books.payments()) == 1


def test_all_faces_tell_the_same(visitor: Visitor, books: Books, assembly: Assembly) -> None:
    hold_a_payment(books)
    found = read_status(books.connection, assembly.configuration, assembly.budget)
    (shown,) = found.access
    (on_page,) = visitor.api("/state").json()["access"]
    assert (shown.code, shown.scope, shown.message, shown.fix) == (
        on_page["code"],
        on_page["scope"],
        on_page["message"],
        on_page["fix"],
    )
    assert shown.organisation_id == ORGANISATION
    assert found.waiting_for == {"connection": 1}
    samples = {family.name: family.samples for family in Collector(assembly, Running(())).collect()}
    (sample,) = samples[table.ACCESS_REFUSED.full_name]
    assert sample.labels == {
        "organisation": ORGANISATION,
        "tenant": books.tenant_id,
        "scope": "accounting.payments",
        "code": "permission_missing",
    }
    (logged,) = books.failures()
    assert (logged["problem"], logged["message"]) == (shown.code, shown.message)


def test_a_tenant_that_nobody_uses_may_be_gone(visitor: Visitor, books: Books) -> None:
    books.add_tenant("00000000-0000-4000-8000-000000000001", "Valley Hearing")
    books.connection.execute("update xero_tenant set connected = false where name = 'Valley Hearing'")
    assert visitor.api("/state").json()["access"] == []
    assert "Xero is disconnected" not in visitor.page("/export").text
