from decimal import Decimal
from typing import Any

import pytest

from consumer.xero import AnswerLostError, XeroAnswer
from consumer.xero.answer import (
    ALLOCATIONS,
    INVOICES,
    PAYMENTS,
    read_document,
    read_result,
    read_results,
)
from consumer.xero.payloads import ZERO_GUID

_ID = "243216c5-369e-4056-ac67-05388f86dc81"


def test_fractions_are_read_as_decimals() -> None:
    document = read_document(b'{"Total": 11.450, "Count": 3}')
    assert str(document["Total"]) == "11.450"
    assert isinstance(document["Total"], Decimal)
    assert document["Count"] == 3


@pytest.mark.parametrize("body", [b"", b"[]", b'{"a": NaN}', b'{"a": 1', b"\xff", b"[" * 100_000, b"1" * 5_000])
def test_what_is_no_document_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_document(body)


def test_a_saved_element_has_its_id() -> None:
    result = read_result(INVOICES, 3, {"InvoiceID": _ID, "StatusAttributeString": "OK"})
    assert (result.position, result.ok, result.xero_id, result.messages) == (3, True, _ID, ())


@pytest.mark.parametrize(
    "element",
    [
        {"InvoiceID": ZERO_GUID, "StatusAttributeString": "ERROR", "ValidationErrors": [{"Message": "no"}]},
        {"InvoiceID": _ID, "StatusAttributeString": "ERROR", "ValidationErrors": [{"Description": " no "}]},
        {"InvoiceID": _ID, "HasErrors": True, "Contact": {"ValidationErrors": [{"Message": "no"}]}},
        {"InvoiceID": _ID, "LineItems": [{}, {"ValidationErrors": [{"Message": "no"}, {"Message": "no"}]}]},
        {"InvoiceID": _ID, "HasValidationErrors": True, "Addresses": [{"ValidationErrors": ["no"]}]},
    ],
)
def test_errors_are_found_wherever_they_are(element: dict[str, Any]) -> None:
    result = read_result(INVOICES, 0, element)
    assert (result.ok, result.xero_id, result.messages) == (False, None, ("no",))


@pytest.mark.parametrize("errors", [5, True, "no", {"ValidationError": {"Message": "no"}}, [None, [["no"]]]])
def test_errors_of_any_shape_are_read(errors: Any) -> None:
    result = read_result(INVOICES, 0, {"InvoiceID": _ID, "HasErrors": True, "validationErrors": errors})
    assert (result.ok, set(result.messages) <= {"no"}) == (False, True)


def test_all_messages_are_kept_in_their_order() -> None:
    element = {
        "StatusAttributeString": "ERROR",
        "Contact": {"ValidationErrors": [{"Message": "inner"}]},
        "ValidationErrors": [{"Message": "first"}, {"Message": "second"}],
        "Warnings": [{"Message": "mind"}],
    }
    result = read_result(INVOICES, 0, element)
    assert result.messages == ("first", "second", "inner")
    assert result.warnings == ("mind",)


def test_an_explicit_ok_outweighs_what_was_left_out_below() -> None:
    element = {
        "InvoiceID": _ID,
        "StatusAttributeString": "WARNING",
        "Warnings": [{"Message": "mind"}],
        "Contact": {"ValidationErrors": [{"Message": "phone left out"}]},
    }
    result = read_result(INVOICES, 0, element)
    assert result.ok
    assert result.warnings == ("mind", "phone left out")


def test_a_zero_id_is_no_success() -> None:
    result = read_result(INVOICES, 0, {"InvoiceID": ZERO_GUID, "StatusAttributeString": "OK"})
    assert not result.ok
    assert result.unmade
    assert result.messages == (), "Xero said nothing, and nobody speaks for it"


@pytest.mark.parametrize("element", [{}, {"InvoiceID": ""}, {"InvoiceID": None}])
def test_neither_error_nor_id_leaves_doubt(element: dict[str, Any]) -> None:
    with pytest.raises(AnswerLostError, match="neither"):
        read_result(INVOICES, 0, element)


def test_an_allocation_may_come_without_its_id() -> None:
    result = read_result(ALLOCATIONS, 0, {"Amount": 5, "Invoice": {"InvoiceID": _ID}})
    assert (result.ok, result.xero_id) == (True, None)


def results_of(sent: list[dict[str, Any]], answered: list[Any]) -> list[bool]:
    return [result.ok for result in read_results(INVOICES, sent, XeroAnswer(200, {"Invoices": answered}))]


def test_elements_are_paired_by_position() -> None:
    sent = [{"InvoiceNumber": "HL-1"}, {"InvoiceNumber": "HL-2"}]
    answered = [
        {"InvoiceNumber": "HL-1", "InvoiceID": _ID},
        {"InvoiceNumber": " hl-2", "InvoiceID": ZERO_GUID, "HasErrors": True},
    ]
    assert results_of(sent, answered) == [True, False]


@pytest.mark.parametrize(
    "answered",
    [
        [],
        [{"InvoiceID": _ID}] * 3,
        [{"InvoiceNumber": "HL-2", "InvoiceID": _ID}, {"InvoiceNumber": "HL-1", "InvoiceID": _ID}],
        ["no object", "either"],
    ],
)
def test_an_answer_that_does_not_fit_leaves_doubt(answered: list[Any]) -> None:
    with pytest.raises(AnswerLostError):
        results_of([{"InvoiceNumber": "HL-1"}, {"InvoiceNumber": "HL-2"}], answered)


def test_payments_of_one_invoice_are_told_apart_by_their_references() -> None:
    sent = [{"Invoice": {"InvoiceID": _ID}, "Reference": reference} for reference in ("CARD p1", "CARD p2")]
    answered = [{**element, "PaymentID": f"id-{place}"} for place, element in enumerate(sent)]
    read_results(PAYMENTS, sent, XeroAnswer(200, {"Payments": answered}))
    with pytest.raises(AnswerLostError, match="another Reference"):
        read_results(PAYMENTS, sent, XeroAnswer(200, {"Payments": answered[::-1]}))


def test_a_document_of_another_number_is_told_by_its_mark() -> None:
    """Saved, but not as it was sent: no doubt that it is there, and no success."""
    sent = [{"InvoiceNumber": "HL-1", "Url": "https://app.example/orders/1"}]
    answered = {"InvoiceNumber": "INV-0001", "InvoiceID": _ID, "Url": "https://app.example/orders/1"}
    (result,) = read_results(INVOICES, sent, XeroAnswer(200, {"Invoices": [answered]}))
    assert (result.ok, result.xero_id, result.document) == (False, _ID, answered)
    for mark in ({"Url": "https://app.example/orders/2"}, {"Url": None}):
        with pytest.raises(AnswerLostError, match="InvoiceNumber"):
            read_results(INVOICES, sent, XeroAnswer(200, {"Invoices": [answered | mark]}))


def test_a_payment_must_be_on_the_invoice_that_was_paid() -> None:
    sent = [{"Invoice": {"InvoiceID": _ID}}]
    answered = [{"PaymentID": _ID, "Invoice": {"InvoiceID": _ID.replace("2", "3")}}]
    with pytest.raises(AnswerLostError, match=r"Invoice\.InvoiceID"):
        read_results(PAYMENTS, sent, XeroAnswer(200, {"Payments": answered}))


def test_an_answer_of_something_else_leaves_doubt() -> None:
    with pytest.raises(AnswerLostError, match="no list"):
        XeroAnswer(200, {"Contacts": []}).elements("Invoices")
