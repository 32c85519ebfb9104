from tests.sync.books import Books


def test_an_order_becomes_a_contact_and_an_invoice(books: Books) -> None:
    books.save_invoice()
    books.push()
    (invoice,) = books.ledger()["Invoices"]
    assert invoice["InvoiceNumber"] == "WH-order-1"
    assert invoice["Status"] == "AUTHORISED"
    assert invoice["Url"] == "https://app.hearlink.co.uk/orders/order-1"
    assert books.told() == [("contact_create", "succeeded", None), ("invoice_create", "succeeded", None)]
    assert books.order()["synced_revision"] == 1


def test_everything_at_once(books: Books) -> None:
    books.save_invoice()
    books.save_payment(amount="10.0000")
    books.save_credit_note(
        total="30.0000",
        lines=[
            {
                "line_id": "l",
                "category": "SERVICES",
                "description": "Back",
                "sku": None,
                "quantity": "1.0000",
                "unit_price": "30.0000",
                "discount": None,
            }
        ],
    )
    books.push()
    print(books.told())
    books.save_payment(amount="5.0000")
    books.delete_credit_note()
    books.push()
    print(books.told())
    for row in books.log():
        print(row["operation"], row["outcome"], row["message"], row["xero_message"], row["warnings"])
    print(books.writes())
    n = len(books.writes())
    books.request_sync()
    books.push()
    assert len(books.writes()) == n
    print(books.told()[-1])
