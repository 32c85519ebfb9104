"""Sentences are matched by their words, not by their typography."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.results.wording import compile_pattern, fill, fingerprint, normalised, placeholders

CAPTURES = {"account_code": '[^"]{1,36}?', "date": r"\d{1,4}[-/ ]\w{1,9}[-/ ]\d{1,4}"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Email  address\nmust be valid.", "Email address must be valid"),
        (" You have reached the limit! ", "You have reached the limit"),
        ("Account code \u2018200\u2019 is “gone”…", "Account code '200' is \"gone\"…"),
        ("nul\x00byte", "nulbyte"),
    ],
)
def test_spaces_quotes_and_closing_marks_are_evened_out(text: str, expected: str) -> None:
    assert expected == normalised(text)


@given(st.text())
def test_evening_out_twice_changes_nothing_more(text: str) -> None:
    assert normalised(text) == normalised(normalised(text))


def test_an_unknown_sentence_keeps_only_what_lasts() -> None:
    first = "The widget 'A-1' of 3f2504e0-4f89-11d3-9a0c-0305e82c3301 cost 12.50 on 30-Nov-2018."
    second = 'The widget "B" of 00000000-0000-0000-0000-000000000000 cost 7 on 1/2/2026'
    assert "the widget <text> of <id> cost <number> on <date>" == fingerprint(first) == fingerprint(second)


def test_a_fingerprint_is_bounded() -> None:
    assert len(fingerprint("word " * 10_000)) == 200


@pytest.mark.parametrize(
    ("text", "captured"),
    [
        ("Account code '200' is gone", "200"),
        ("ACCOUNT  CODE 'Ab-7' IS GONE.", "Ab-7"),
        ("Line 3: account code \u2018200\u2019 is gone. Choose another.", "200"),
        ("Account code 'it's' is gone", "it's"),
    ],
)
def test_a_pattern_finds_its_sentence_and_captures_in_the_original_case(text: str, captured: str) -> None:
    pattern = compile_pattern("Account code '{account_code}' is gone", CAPTURES)
    found = pattern.search(normalised(text))
    assert found is not None
    assert captured == found["account_code"]


def test_a_pattern_does_not_match_within_a_word() -> None:
    assert compile_pattern("code is gone", {}).search("a barcode is gone") is None
    assert compile_pattern("code is gone", {}).search("the code is gonely") is None


def test_a_star_stands_for_anything() -> None:
    assert compile_pattern("name * is taken", {}).search("name of (someone) [x] is taken")


def test_signs_of_regular_expressions_are_literal() -> None:
    assert compile_pattern("Invoice # must (be) unique?", {}).search("Invoice # must (be) unique?")
    assert compile_pattern("Invoice # must (be) unique?", {}).search("Invoice # must be uniqu") is None


def test_an_unknown_capture_is_refused() -> None:
    with pytest.raises(KeyError, match="name"):
        compile_pattern("The contact {name} is taken", CAPTURES)


def test_what_is_filled_in_is_not_read_as_a_template() -> None:
    assert {"what"} == placeholders("Xero said {what}")
    assert fill("Xero said {what}", {"what": "{order_id}", "order_id": "1"}) == "Xero said {order_id}"


def test_a_long_hostile_sentence_is_read_quickly() -> None:
    # Lazy captures side by side are where regular expressions explode.
    pattern = compile_pattern("code '{account_code}' and * may not * on {date}", CAPTURES)
    assert isinstance(pattern, re.Pattern)
    assert pattern.search("code ' and may not " * 55) is None
