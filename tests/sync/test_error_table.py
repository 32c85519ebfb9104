"""Everything that Xero is known to say against what we send: produced for real, explained, and gone once it is mended.

The numbers are those of the list of Xero's errors that the problem catalogue started from.
"""

import re

import pytest

from tests.sync.books import Books, patient
from tests.sync.conftest import REMARKS
from tests.sync.error_cases import CASES, Case

ROWS = 35
# Rows that can't be produced, and why.
OUT_OF_REACH = {
    6: "a category without an account is stopped before anything is sent (mapping_incomplete)",
    7: "a category without a tax rate is stopped before anything is sent (mapping_incomplete)",
    8: "the due date is always sent; the issue date stands in",
    18: "account numbers are never sent",
    31: "every call has a key of its own, which the database keeps unique",
    35: "the simulator never says yes without an id; the client's own tests do",
}
# Rows whose whole point is that nobody is bothered: what is struck, and what the service makes of it.
QUIET = {
    25: "an old access token is renewed and the call sent again",
    28: "the minute's limit is waited out",
    29: "the day's limit is waited out",
    30: "a lost answer is looked up",
}
# Warned of on what went through, or shown in another test of this file.
ELSEWHERE = {20: "a bad e-mail is left out", 23: "too low a role in Xero", 27: "fewer rights than needed"}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.row}-{case.code}")
def test_xeros_refusals_are_explained_and_go_once_they_are_mended(books: Books, case: Case) -> None:
    case.arrange(books)
    books.settle()
    row = books.failures()[-1]
    assert (row["operation"], row["problem"], row["problem_class"]) == (case.operation, case.code, case.problem_class)
    assert case.said in (row["xero_message"] or "")
    assert row["message"]
    assert row["fix"].endswith(".")
    assert "{" not in row["message"] + row["fix"]
    assert "Test" not in row["message"] + row["fix"], "no patient is named"
    calls = len(books.calls())
    books.settle()
    assert len(books.calls()) == calls, "nothing is tried again by itself"
    if case.operation != "contact_rename":
        assert books.open_problems() == [(case.code, 1)]
    if case.mend is not None:
        case.mend(books)
        books.retry()
        books.settle()
        order = books.order()
        assert (order["synced_revision"], order["hold"]) == (order["revision"], None)
        assert books.open_problems() == []


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        (28, "rate_limit_minute"),
        (28, "rate_limit_concurrent"),
        (28, "rate_limit_app_minute"),
        (29, "rate_limit_day"),
        (30, "internal_error_before"),
        (30, "drop_after"),
        (30, "unavailable"),
    ],
)
def test_nobody_is_bothered_with_limits_and_outages(books: Books, row: int, kind: str) -> None:
    assert row in QUIET
    books.strike(kind, method="PUT", path="/Invoices$")
    books.save_invoice()
    books.settle()
    assert books.failures() == []
    assert books.invoice()["Status"] == "AUTHORISED"


def test_an_old_access_token_bothers_nobody(books: Books) -> None:
    books.simulator.control.expire_access_tokens()
    books.save_invoice()
    books.settle()
    assert books.failures() == []
    assert books.invoice()["Status"] == "AUTHORISED"


def test_an_email_that_only_xero_refuses_is_left_out(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consumer.sync.planning.bodies._EMAIL", re.compile(".*"))
    books.patients["order-1"] = patient("p", email="no address")
    books.save_invoice()
    books.settle()
    assert books.failures() == []
    assert books.contact("p")["EmailAddress"] == ""
    assert "e-mail" in books.log()[0]["warnings"][0]


def test_fewer_rights_than_needed_are_a_connection_that_must_be_made_anew(books: Books) -> None:
    books.connect(scopes=["offline_access", "accounting.contacts", "accounting.settings.read"])
    books.save_invoice()
    books.settle()
    row = books.failures()[-1]
    assert (row["problem_class"], books.order()["hold"]) == ("connection", "connection")
    books.reconnect()
    books.settle()
    assert books.invoice()["Status"] == "AUTHORISED"


def test_too_low_a_role_is_a_connection_that_must_be_made_anew(books: Books) -> None:
    said = "The User specified does not have the correct permissions to perform this action"
    books.strike("forbidden", method="PUT", path="/Invoices$", detail=said)
    books.save_invoice()
    books.settle()
    row = books.failures()[-1]
    assert (row["problem_class"], books.order()["hold"]) == ("connection", "connection")


def test_how_much_of_the_table_is_covered() -> None:
    covered = {case.row for case in CASES} | QUIET.keys() | ELSEWHERE.keys()
    assert not covered & OUT_OF_REACH.keys()
    assert covered | OUT_OF_REACH.keys() == set(range(1, ROWS + 1))
    REMARKS.append(f"table of Xero's errors: {len(covered)} of {ROWS} rows produced")
    REMARKS.extend(f"  not row {row}: {reason}" for row, reason in OUT_OF_REACH.items())
