"""Any body of an error is read, for Xero's own words and no others."""

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.xero.error_body import read_error

_XML = """<?xml version="1.0" encoding="utf-16"?>
<ApiException xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
  <ErrorNumber>10</ErrorNumber><Type>ValidationException</Type><Message>A validation exception occurred</Message>
  <Elements><DataContractBase xsi:type="Invoice">
    <ValidationErrors>
      <ValidationError><Message>First &amp; foremost</Message></ValidationError>
      <ValidationError><Message>Second</Message></ValidationError>
    </ValidationErrors>
    <Warnings /><Contact><ValidationErrors><ValidationError><Message>Inner</Message></ValidationError>
    </ValidationErrors></Contact>
    <LineItems><LineItem><Description>Hearing test</Description></LineItem></LineItems>
  </DataContractBase></Elements>
</ApiException>"""
_ENTITIES = "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(25))
_BOMB = f'<!DOCTYPE b [<!ENTITY a "aaaaaaaaaa">{_ENTITIES}]><Error><Message>&z;</Message></Error>'
_OF_FILE = '<!DOCTYPE e [<!ENTITY x SYSTEM "file:///etc/hostname">]><Error><Message>&x;</Message></Error>'


def _json(document: Any) -> bytes:
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    ("body", "kind", "messages"),
    [
        (_json({"Type": "ValidationException", "Message": "A validation exception occurred", "Elements": [
            {"Type": "ACCREC", "ValidationErrors": [{"Message": "no"}]}]}), "ValidationException", ("no",)),
        (_json({"Type": "PostDataInvalidException", "Message": "JSON for post data was invalid"}),
         "PostDataInvalidException", ("JSON for post data was invalid",)),
        (_json({"Type": None, "Title": "Forbidden", "Detail": "AuthenticationUnsuccessful"}), "",
         ("AuthenticationUnsuccessful",)),
        (_json({"title": "Unauthorized", "detail": "TokenExpired"}), "", ("TokenExpired",)),
        (_json({"error": "invalid_grant"}), "", ("invalid_grant",)),
        (_json({"error": {"message": "no", "type": "odd"}}), "odd", ("no",)),
        (_json({"errors": {"Date": ["no", "never"]}, "title": "One or more validation errors occurred."}), "",
         ("no", "never")),
        (_json([{"Message": "no"}]), "", ("no",)),
        (_json(["no", "never"]), "", ("no", "never")),
        (_json("no"), "", ("no",)),
        (_json({"Elements": [{"LineItems": [{"Description": "Hearing test"}]}]}), "", ()),
        (_json({"Message": {"odd": 1}, "Detail": 5}), "", ()),
        (b"null", "", ()),
        (b"17", "", ()),
        (b"{}", "", ()),
        (b"", "", ()),
        (b" \r\n ", "", ()),
        (b"The Xero API is temporarily unavailable", "", ("The Xero API is temporarily unavailable",)),
        (b"Idempotency Key: k is used with a different request.", "",
         ("Idempotency Key: k is used with a different request.",)),
        (b'{"Type":"ValidationException","Message":"No \\"way\\"","Elements":[{"Inv', "", ('No "way"',)),
        (b"oauth_problem=rate%20limit%20exceeded&oauth_problem_advice=please%20wait", "", ("please wait",)),
        (b"<html><head><title>502</title></head><body>Bad gateway</body></html>", "", ()),
        (b"<!DOCTYPE html><html><p>No</p></html>", "", ()),
        (b"<Error><Message>cut sho", "", ()),
        (b"<Error><Message>no</Message></Error>", "", ("no",)),
        (b'\xef\xbb\xbf{"Message": "no"}', "", ("no",)),
        (_XML.encode(), "ValidationException", ("First & foremost", "Second", "Inner")),
        (_XML.encode("utf-16"), "ValidationException", ("First & foremost", "Second", "Inner")),
        (_BOMB.encode(), "", ()),
        (_OF_FILE.encode(), "", ()),
        (b"[" * 100_000, "", ()),
        (b"<a>" * 100_000, "", ()),
        (b"<a>" * 100_000 + b"</a>" * 100_000, "", ()),
    ],
)  # fmt: skip
def test_the_words_of_a_body_are_found(body: bytes, kind: str, messages: tuple[str, ...]) -> None:
    began = time.monotonic()
    error = read_error(body)
    assert (error.kind, error.messages) == (kind, messages)
    # No limit of speed: what grows without end would never come here.
    assert time.monotonic() - began < 60


def test_a_long_text_is_shown_in_part() -> None:
    (message,) = read_error(b"no " * 10_000).messages
    assert len(message) <= 500


_TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["Message", "ValidationErrors", "Elements", "Type", "errors", "detail", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(_TREES)
def test_json_of_every_shape_is_read(tree: Any) -> None:
    for message in read_error(json.dumps(tree).encode()).messages:
        assert message
        assert json.dumps(message)[1:-1] in json.dumps(tree), "never words of ours"


@given(st.binary(max_size=200))
def test_nothing_fails_to_be_read(body: bytes) -> None:
    read_error(body)
