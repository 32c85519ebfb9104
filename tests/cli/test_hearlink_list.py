"""HearLink's own list, as it may come, and what is said of lines that can't be read."""

import pytest

from consumer.cli.failure import Failure
from consumer.cli.hearlink_list import read_list


@pytest.mark.parametrize(
    "text",
    [
        "order-1,3\norder-2,1\n",
        "order_id,sequence\norder-1,3\n\norder-2,1",
        "\ufeffclinic;x,sequence,order_id\nc,3,order-1\nc,1,order-2\n",
        '"order-1", 3\r\n"order-2",1\r\n',
        '{"order_id": "order-1", "sequence": 3}\n{"sequence": "1", "order_id": "order-2", "more": []}\n',
    ],
)
def test_lists_of_either_kind_are_read(text: str) -> None:
    assert list(read_list(text.splitlines(keepends=True))) == [("order-1", 3), ("order-2", 1)]


def test_an_empty_list_is_one() -> None:
    assert list(read_list([])) == []


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("order-9", "too few columns"),
        ("order-9,soon", "no sequence"),
        ("order-9,0", "no sequence"),
        ("order-9,9223372036854775808", "no sequence"),
        ("order-9,\u0661", "no sequence"),
        (",1", "no order_id"),
        ('"order-9,1', "no line of CSV"),
    ],
)
def test_a_line_of_csv_that_can_not_be_read_is_named_and_not_quoted(line: str, what: str) -> None:
    with pytest.raises(Failure, match=f"Line 2 of the list .*{what}") as told:
        list(read_list(["order-1,3\n", line]))
    assert "order-9" not in told.value.message


@pytest.mark.parametrize("line", ["{", "[1]", '{"order_id": 7, "sequence": 1}', '{"order_id": "a", "sequence": true}'])
def test_a_line_of_json_that_can_not_be_read_is_named(line: str) -> None:
    with pytest.raises(Failure, match="Line 2 of the list"):
        list(read_list(['{"order_id": "a", "sequence": 1}\n', line]))
