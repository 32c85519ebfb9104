"""The page about failures that no retry can end, walked through as it is written."""

import re

import pytest

from consumer.orders import ChangeKind
from consumer.sync.settlement import SettledAs
from tests.cli.service import Service
from tests.deploy.test_runbook import TEXTS
from tests.deploy.walk import Walk
from tests.sync.books import invoice

pytestmark = pytest.mark.timeout(240)

PAGE = "runbook/settle.md"


def test_a_failure_is_closed_and_that_taken_back(service: Service) -> None:
    service.set_up()
    names = {"ORDER_ID": "order-1", "CODE": "account_archived"}
    with Walk(service, PAGE, names) as walk:
        walk.start("projection", "push")
        service.simulator.control.archive_account(service.tenant_id, "200")
        service.send_invoice("order-1")
        service.wait_until_quiet()
        assert service.status()["failed"] == 1
        assert "account_archived" in walk.do("hearlink-xero problems")
        assert "invoice_create" in walk.do("hearlink-xero plan")
        assert "refunded by hand in Xero" in walk.do("hearlink-xero settle")
        status = service.status()
        assert (status["failed"], status["settled"], status["open_problems"]) == (0, 1, 0)
        assert "refunded by hand in Xero" in walk.do("hearlink-xero timeline")
        assert "order-1" in walk.do("hearlink-xero problems --settled")
        service.simulator.control.restore_account(service.tenant_id, "200")
        walk.do("hearlink-xero unsettle")
        service.wait_until_quiet()
        assert service.expect("logs", "--order", "order-1", "--json", "--limit", "1").lines[0]["outcome"] == "succeeded"
        service.send("order-1", ChangeKind.INVOICE_SAVED, {"invoice": invoice("WH-order-1", reference="other")})
        service.wait_until_quiet()
        assert service.status()["failed"] == 0


def test_the_page_names_every_way() -> None:
    assert set(re.findall(r"^\| `([a-z][a-z-]+)` \|", TEXTS[PAGE], re.MULTILINE)) == set(SettledAs)
