"""A simulator that keeps its books in a file has them again when it comes back, its connections too."""

from pathlib import Path

import pytest

from consumer.sandbox.xero import Limits, XeroSimulator
from consumer.sandbox.xero.books import BooksError
from tests.sandbox.xero.client import Api

UNLIMITED = Limits(per_minute=0)


def test_what_was_written_is_there_again_and_the_token_still_opens_it(tmp_path: Path) -> None:
    path = tmp_path / "books"
    with XeroSimulator(limits=UNLIMITED, books=path) as first:
        assert not first.has_books
        tenant_id = first.control.demo_tenant("Harbour Hearing")
        token = first.control.authorise()["access_token"]
        contact_id = Api(first, tenant_id, token).contact("Test Patient")
    with XeroSimulator(limits=UNLIMITED, books=path) as second:
        assert second.has_books
        assert Api(second, tenant_id, token).one("Contacts", contact_id)["Name"] == "Test Patient"
        assert second.control.tenants() == [{"tenant_id": tenant_id, "name": "Harbour Hearing", "connected": True}]


def test_the_app_of_the_command_line_counts_and_not_the_one_of_last_time(tmp_path: Path) -> None:
    path = tmp_path / "books"
    with XeroSimulator(client_id="app", client_secret="old", books=path):
        pass
    again = XeroSimulator(client_id="app", client_secret="new", books=path)
    assert again._world.identity.apps["app"].client_secret == "new"


@pytest.mark.parametrize("content", [b"", b"no books", b"\x80\x04}\x94."], ids=["empty", "text", "lacks parts"])
def test_a_file_that_holds_no_books_is_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "books"
    path.write_bytes(content)
    with pytest.raises(BooksError, match=r"books can't be read .* Remove the file to begin afresh\."):
        XeroSimulator(books=path)
    assert path.read_bytes() == content
