from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from consumer.xero import account_reference, batches, read_amount, read_date, read_instant
from consumer.xero.payloads import BATCH_BYTES, TooLargeError, encode_body, look_up_lists


def test_amounts_leave_digit_by_digit() -> None:
    assert encode_body({"UnitAmount": Decimal("0.1000"), "Big": Decimal("9999999999.99")}) == (
        b'{"UnitAmount":0.1000,"Big":9999999999.99}'
    )


def test_batches_hold_at_most_fifty() -> None:
    elements = [{"n": number} for number in range(120)]
    cut = list(batches(elements))
    assert [len(batch) for batch in cut] == [50, 50, 20]
    assert [element for batch in cut for element in batch] == elements


def test_batches_stay_below_the_size_of_a_request() -> None:
    elements = [{"text": "ü" * 400_000} for _ in range(6)]
    cut = list(batches(elements))
    assert [len(batch) for batch in cut] == [3, 3]
    assert all(len(encode_body({"CreditNotes": batch})) <= BATCH_BYTES for batch in cut)


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        (["WH1"] * 90, [40, 40, 10]),
        # As an address has them: nine characters each, and twelve for what lies outside the basic plane.
        (["€" * 100] * 5, [1, 1, 1, 1, 1]),
        (["x" * 250] * 8, [6, 2]),
        (["💥" * 255, "WH1", "WH2"], [1, 2]),
        ([], []),
    ],
)
def test_lists_of_a_look_up_fit_an_address(numbers: list[str], expected: list[int]) -> None:
    cut = list(look_up_lists(numbers, str))
    assert [len(some) for some in cut] == expected
    assert [number for some in cut for number in some] == numbers


def test_an_element_too_large_for_any_request_is_refused() -> None:
    with pytest.raises(TooLargeError, match="Element 1"):
        list(batches([{}, {"text": "x" * BATCH_BYTES}]))


def test_nothing_makes_no_batch() -> None:
    assert list(batches([])) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/Date(1789344000000+0000)/", datetime(2026, 9, 14, tzinfo=UTC)),
        ("/Date(1551822670731)/", datetime(2019, 3, 5, 21, 51, 10, 731_000, tzinfo=UTC)),
        # The offset is decoration: the number is UTC.
        ("/Date(1789344000000+1300)/", datetime(2026, 9, 14, tzinfo=UTC)),
        ("/Date(-86400000+0000)/", datetime(1969, 12, 31, tzinfo=UTC)),
        ("2026-09-14T00:00:00", datetime(2026, 9, 14, tzinfo=UTC)),
        ("2026-09-14T01:00:00+01:00", datetime(2026, 9, 14, tzinfo=UTC)),
        (None, None),
        ("", None),
    ],
)
def test_times_are_read_as_xero_writes_them(text: str | None, expected: datetime | None) -> None:
    assert read_instant(text) == expected


def test_dates_are_read_as_xero_writes_them() -> None:
    assert read_date("/Date(1789344000000+0000)/") == date(2026, 9, 14)
    assert read_date("2026-09-14") == date(2026, 9, 14)
    assert read_date(None) is None


def test_what_is_no_date_is_refused() -> None:
    with pytest.raises(ValueError, match="soon"):
        read_date("soon")


def test_amounts_are_read_exactly() -> None:
    assert read_amount(Decimal("11.45")) == Decimal("11.45")
    assert read_amount(100) == Decimal(100)
    assert read_amount(None) == 0
    for wrong in (True, "11.45", 11.45):
        with pytest.raises(ValueError, match="no amount"):
            read_amount(wrong)


def test_accounts_go_by_code_or_by_id() -> None:
    guid = "0e8e1d2c-6d6d-4c39-9bd1-6a1c30a4c0b8"
    assert account_reference("200") == {"AccountCode": "200"}
    assert account_reference("090", code_key="Code") == {"Code": "090"}
    assert account_reference(guid, code_key="Code") == {"AccountID": guid}
