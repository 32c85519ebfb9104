from urllib.parse import quote

import pytest

from tests.sandbox.xero.client import Api, line


@pytest.fixture
def books(api: Api) -> Api:
    """Three invoices of two contacts."""
    ada = api.contact("Ada Byron", "p-1")
    zoe = api.contact("Zoë Smith", "p-2")
    api.invoice(ada, InvoiceNumber="HL-1", Reference="first", Date="2026-01-10", Url="https://example.org/o/1")
    api.invoice(ada, InvoiceNumber="HL-2", Status="DRAFT", Date="2026-02-10")
    api.invoice(zoe, InvoiceNumber="HL-3", Date="2026-03-10", LineItems=[line(UnitAmount=50)])
    return api


def numbers(api: Api, query: str) -> list[str]:
    reply = api.get(f"Invoices?{query}")
    assert reply.status == 200, reply.body
    return [row["InvoiceNumber"] for row in reply.body["Invoices"]]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ('Status=="DRAFT"', ["HL-2"]),
        ('Type=="ACCREC" AND Status=="AUTHORISED"', ["HL-1", "HL-3"]),
        ('Status=="DRAFT" OR InvoiceNumber=="hl-3"', ["HL-2", "HL-3"]),
        ('InvoiceNumber=="HL-1"', ["HL-1"]),
        ('InvoiceNumber=="HL-1" && Status=="DRAFT"', []),
        ('Contact.Name=="zoe smith"', ["HL-3"]),
        ('Contact.ContactNumber=="p-1"', ["HL-1", "HL-2"]),
        ("Date >= DateTime(2026, 02, 10)", ["HL-2", "HL-3"]),
        ('Date < DateTime.Parse("2026-02-10")', ["HL-1"]),
        ("AmountDue > 60 && AmountPaid == 0", ["HL-1", "HL-2"]),
        ('(Status=="DRAFT" || Status=="AUTHORISED") AND Reference.Contains("IRS")', ["HL-1"]),
        ('InvoiceNumber.StartsWith("HL") AND InvoiceNumber.EndsWith("3")', ["HL-3"]),
        ("DueDate != null AND SentToContact == false", ["HL-1", "HL-2", "HL-3"]),
        ('Url=="https://example.org/o/1"', ["HL-1"]),
    ],
)
def test_where(books: Api, where: str, expected: list[str]) -> None:
    assert numbers(books, f"where={quote(where)}") == expected


@pytest.mark.parametrize(
    "where",
    [
        'Nothing=="x"',
        'Status=="DRAFT" AND',
        "Status DRAFT",
        '(Status=="DRAFT"',
        'Status=="DRAFT" extra',
        "Date == DateTime(2026, 99, 1)",
        "AmountDue > DateTime(2026, 1, 1)",
        "Status==§",
    ],
)
def test_a_where_that_cannot_be_read(books: Api, where: str) -> None:
    reply = books.get(f"Invoices?where={quote(where)}")
    assert (reply.status, reply.body["ErrorNumber"], reply.body["Type"]) == (400, 16, "QueryParseException")


def test_lists_and_their_conjunction(books: Api) -> None:
    assert numbers(books, "InvoiceNumbers=HL-3,HL-1,HL-3") == ["HL-3", "HL-1"]
    assert numbers(books, "Statuses=DRAFT,VOIDED") == ["HL-2"]
    assert numbers(books, "InvoiceNumbers=HL-1,HL-2&Statuses=AUTHORISED") == ["HL-1"]
    ada = books.one("Contacts", "p-1")["ContactID"]
    assert numbers(books, f"ContactIDs={ada}") == ["HL-1", "HL-2"]
    ids = ",".join(books.one("Invoices", number)["InvoiceID"] for number in ("HL-2", "HL-3"))
    assert numbers(books, f'IDs={ids}&where=Status=="DRAFT"') == ["HL-2"]


def test_order_and_search(books: Api) -> None:
    assert numbers(books, "order=Date%20DESC") == ["HL-3", "HL-2", "HL-1"]
    assert numbers(books, "order=Total,InvoiceNumber%20DESC") == ["HL-3", "HL-2", "HL-1"]
    assert numbers(books, "searchTerm=FIRST") == ["HL-1"]
    assert books.get("Invoices?order=Nothing").status == 400


def test_pages_have_lines_and_lists_have_none(books: Api) -> None:
    listed = books.get("Invoices").body
    assert "pagination" not in listed
    assert all(row["LineItems"] == [] for row in listed["Invoices"])
    page = books.get("Invoices?page=2&pageSize=2").body
    assert page["pagination"] == {"page": 2, "pageSize": 2, "pageCount": 2, "itemCount": 3}
    assert [len(row["LineItems"]) for row in page["Invoices"]] == [1]
    clamped = books.get("Invoices?page=0&pageSize=5000").body["pagination"]
    assert clamped == {"page": 1, "pageSize": 1000, "pageCount": 1, "itemCount": 3}
    assert books.get("Invoices?page=x").status == 400
    assert "LineItems" not in books.get("Invoices?page=1&summaryOnly=true").body["Invoices"][0]


def test_created_by_my_app(books: Api) -> None:
    by_hand = {
        "Type": "ACCREC",
        "InvoiceNumber": "MANUAL-1",
        "Contact": {"Name": "By hand"},
        "LineItems": [line()],
    }
    books.control.create_invoice(books.tenant_id, by_hand)
    assert numbers(books, "createdByMyApp=true") == ["HL-1", "HL-2", "HL-3"]
    assert numbers(books, "")[-1] == "MANUAL-1"


def test_if_modified_since(books: Api) -> None:
    books.control.set_clock("2026-03-16T00:00:00+00:00")
    books.control.expire_access_tokens()
    later = Api(books.xero, books.tenant_id, books.control.authorise()["access_token"])
    later.post("Invoices/HL-2", {"Reference": "touched"})
    for moment in ("2026-03-16T00:00:00", "Mon, 16 Mar 2026 00:00:00 GMT", "2026-03-16T01:00:00+01:00"):
        found = later.get("Invoices", If_Modified_Since=moment).body["Invoices"]
        assert [row["InvoiceNumber"] for row in found] == ["HL-2"]
    assert later.get("Invoices", If_Modified_Since="yesterday").status == 412


def test_contacts_are_found_in_many_ways(books: Api) -> None:
    archived = books.contact("Gone", "p-3")
    books.control.archive_contact(books.tenant_id, archived)

    def found(query: str) -> list[str]:
        return [row["Name"] for row in books.get(f"Contacts?{query}").body["Contacts"]]

    assert found("") == ["Ada Byron", "Zoë Smith"]
    assert found("includeArchived=true") == ["Ada Byron", "Zoë Smith", "Gone"]
    assert found(f"IDs={archived}") == []
    assert found(f"IDs={archived}&includeArchived=true") == ["Gone"]
    assert found("searchTerm=P-2") == ["Zoë Smith"]
    assert found('where=ContactNumber=="P-1"') == ["Ada Byron"]
    assert found('where=Name=="ADA BYRON"') == ["Ada Byron"]
    assert books.one("Contacts", "p-3")["ContactStatus"] == "ARCHIVED"
    assert "Addresses" not in books.get("Contacts?summaryOnly=true&page=1").body["Contacts"][0]
    assert books.get("Contacts/unknown").status == 404


def test_settings(books: Api) -> None:
    def codes(where: str) -> list[str]:
        return [row["Code"] for row in books.get(f"Accounts?where={quote(where)}").body["Accounts"]]

    revenue = codes('Class=="REVENUE" AND Status=="ACTIVE"')
    assert revenue == ["200", "210", "220", "230", "260", "270"]
    assert codes('Type=="BANK" OR EnablePaymentsToAccount==true') == ["090", "091", "092"]
    rates = {row["TaxType"]: row for row in books.get("TaxRates").body["TaxRates"]}
    assert rates["OUTPUT2"]["EffectiveRate"] == 20
    assert rates["INPUT2"]["CanApplyToRevenue"] is False
    organisation = books.get("Organisation").body["Organisations"][0]
    assert (organisation["BaseCurrency"], organisation["CountryCode"]) == ("GBP", "GB")
    actions = {row["Name"]: row["Status"] for row in books.get("Organisation/Actions").body["Actions"]}
    assert actions["CreateApprovedInvoice"] == "ALLOWED"
    assert actions["UseMulticurrency"] == "NOT-ALLOWED"
    account = books.get("Accounts").body["Accounts"][0]
    assert books.get(f"Accounts/{account['AccountID']}").body["Accounts"] == [account]


def test_another_currency_must_be_subscribed(api: Api) -> None:
    api.control.set_currencies(api.tenant_id, ["EUR"])
    assert api.invoice(api.contact(), CurrencyCode="EUR")["CurrencyCode"] == "EUR"


def test_the_envelope_the_formats_and_the_unknown(books: Api) -> None:
    reply = books.get("Organisation")
    assert reply.body["Status"] == "OK"
    assert reply.body["DateTimeUTC"].startswith("/Date(17")
    xml = books.get("Organisation", Accept="*/*")
    assert xml.headers["Content-Type"].startswith("text/xml")
    assert "<Name>Harbour Hearing</Name>" in xml.body
    assert books.get("Nothing").status == 404
    assert books.call("DELETE", "Invoices/HL-1").status == 501
    assert books.put("Organisation", {"Name": "x"}).status == 501
    plain = books.session.put(
        f"{books.xero.url}/api.xro/2.0/Invoices", data="<Invoice/>", headers={"Content-Type": "text/xml"}, timeout=30
    )
    assert plain.status_code == 415
    broken = books.session.put(
        f"{books.xero.url}/api.xro/2.0/Invoices",
        data='{"Total": NaN}',
        headers={"Content-Type": "application/json"},
        timeout=30,
    )
    assert (broken.status_code, broken.json()["ErrorNumber"]) == (400, 14)
    large = books.put("Contacts", {"Contacts": [{"Name": "x" * 1000}] * 4000})
    assert large.status == 413
    assert books.put("Contacts", {"Contacts": []}).body["ErrorNumber"] == 14
