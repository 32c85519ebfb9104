"""What the headers of an answer say about the limits."""

import pytest
from requests.structures import CaseInsensitiveDict

from consumer.xero import Observation
from consumer.xero.budget import read_observation, read_retry_after


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("26", 26), ("0", 1), ("-5", 1), ("1e9", 86_400), ("nan", None), ("soon", None), ("", None), (None, None)],
)
def test_retry_after_is_read_with_care(text: str | None, seconds: float | None) -> None:
    assert read_retry_after(text) == seconds


def test_retry_after_may_be_a_date() -> None:
    assert read_retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 1


def test_headers_are_read_whatever_their_case() -> None:
    headers = CaseInsensitiveDict(
        {
            "x-minlimit-remaining": "0",
            "X-DAYLIMIT-REMAINING": "many",
            "x-rate-limit-problem": "Minute",
            "retry-after": "26",
        }
    )
    assert read_observation(429, headers) == Observation(
        refused=True, minute_remaining=0, day_remaining=None, problem="minute", retry_after_seconds=26
    )


@pytest.mark.parametrize(
    ("status", "headers", "problem"),
    [
        (429, {"X-DayLimit-Remaining": "0", "X-MinLimit-Remaining": "58"}, "day"),
        (429, {"X-DayLimit-Remaining": "0", "X-MinLimit-Remaining": "0"}, "day"),
        (429, {"X-DayLimit-Remaining": "17", "X-MinLimit-Remaining": "0"}, "minute"),
        (429, {"X-DayLimit-Remaining": "17"}, ""),
        (429, {"X-DayLimit-Remaining": "0", "X-Rate-Limit-Problem": "concurrent"}, "concurrent"),
        (200, {"X-DayLimit-Remaining": "0"}, ""),
    ],
)
def test_a_limit_that_is_not_named_is_told_by_what_is_used_up(
    status: int, headers: dict[str, str], problem: str
) -> None:
    assert read_observation(status, CaseInsensitiveDict(headers)).problem == problem
