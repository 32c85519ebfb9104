"""What an accepted step leaves behind, also where Xero's answer is not as documented."""

from decimal import Decimal
from typing import Any

import pytest

from consumer.results import load_catalogue
from consumer.sync.exchange import StepResult
from consumer.sync.link import LinkStatus
from consumer.sync.outcome import link_after, success_message, warnings
from consumer.sync.step import Stage, Step
from tests.sync.books import ORGANISATION, line
from tests.sync.desk import TENANT, Desk


def new_invoice() -> tuple[Desk, Step]:
    desk = Desk()
    desk.save_invoice()
    desk.accept(desk.step(Stage.CONTACT_CREATE))
    return desk, desk.step(Stage.INVOICE_CREATE)


@pytest.mark.parametrize("total", [None, "40.00", "much", True, [40]])
def test_a_total_that_is_no_number_is_no_total(total: Any) -> None:
    desk, step = new_invoice()
    document = {"InvoiceID": "id", "Total": total, "Status": "AUTHORISED", "LineItems": None}
    link = link_after(step, tenant_id=TENANT, organisation_id=ORGANISATION, xero_id="id", document=document)
    assert "total" not in link.detail
    assert (link.xero_id, link.status, link.content_hash) == ("id", LinkStatus.AUTHORISED, step.content_hash)
    result = StepResult(step, ok=True, xero_id="id", document=document, messages=(), warnings=())
    assert warnings(result, desk.order(), load_catalogue()) == ()


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ("DRAFT", LinkStatus.DRAFT),
        ("SUBMITTED", LinkStatus.DRAFT),
        ("AUTHORISED", LinkStatus.AUTHORISED),
        ("PAID", LinkStatus.AUTHORISED),
        ("VOIDED", LinkStatus.GONE),
        ("DELETED", LinkStatus.GONE),
        (None, LinkStatus.AUTHORISED),
    ],
)
def test_the_status_is_what_xero_says(said: str | None, status: LinkStatus) -> None:
    _, step = new_invoice()
    document = {} if said is None else {"Status": said}
    link = link_after(step, tenant_id=TENANT, organisation_id=ORGANISATION, xero_id="id", document=document)
    assert link.status is status


def test_lines_are_known_by_what_they_hold_not_by_their_place_in_the_answer() -> None:
    desk = Desk()
    desk.save_invoice(
        lines=[line("a", unit_price="100.0000", discount="40.0000"), line("b", unit_price="50.0000")], total="110.0000"
    )
    desk.accept(desk.step(Stage.CONTACT_CREATE))
    step = desk.step(Stage.INVOICE_CREATE)
    answered = [{**item, "LineItemID": f"id-{place}"} for place, item in enumerate(step.body["LineItems"])]
    document = {"LineItems": list(reversed(answered))}
    link = link_after(step, tenant_id=TENANT, organisation_id=ORGANISATION, xero_id="id", document=document)
    assert link.detail["line_item_ids"] == {"a": "id-0", "b": "id-1"}


@pytest.mark.parametrize("items", [[], [{}], [{"LineItemID": "a"}, {"LineItemID": "b"}]])
def test_lines_that_can_not_be_told_apart_are_not_remembered(items: list[Any]) -> None:
    _, step = new_invoice()
    link = link_after(step, tenant_id=TENANT, organisation_id=ORGANISATION, xero_id="id", document={"LineItems": items})
    assert link.detail["line_item_ids"] == {}


def test_every_step_has_words() -> None:
    desk = Desk()
    desk.save_invoice()
    desk.save_payment(amount="10.0000")
    desk.save_credit_note()
    steps = desk.push()
    desk.save_invoice(reference="PO 7")
    desk.save_credit_note(total="5.0000")
    desk.save_payment(amount="5.0000")
    steps += desk.push()
    desk.delete_payment()
    desk.delete_credit_note()
    steps += desk.push()
    assert {step.stage for step in steps} >= set(Stage) - {Stage.CONTACT_RENAME, Stage.CREDIT_NOTE_UPDATE}
    for step in steps:
        message = success_message(step, {"Total": Decimal(40), "Status": "AUTHORISED"})
        assert message.endswith(".") or "→" in message
        assert "None" not in message
