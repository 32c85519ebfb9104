"""How many calls the push costs: they are what a tenant has least of."""

from tests.sync.books import Books

ORDERS = 200


def test_calls_per_order(books: Books) -> None:
    orders = [f"order-{number}" for number in range(ORDERS)]
    for order_id in orders:
        books.save_invoice(order_id)
        books.save_payment(order_id, f"pay-of-{order_id}")
    books.push()
    assert len(books.payments()) == ORDERS
    assert len(books.calls()) <= 0.08 * ORDERS
    books.forget_calls()
    for order_id in orders:
        books.save_invoice(order_id, reference="PO 7")
    books.push()
    assert {row["Reference"] for row in books.ledger()["Invoices"]} == {"PO 7"}
    assert len(books.calls()) <= 0.03 * ORDERS
