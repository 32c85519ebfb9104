"""A day after the month: single changes, one after another, and what Xero makes of each."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from random import Random
from typing import Any

from psycopg import Connection

from consumer.database import load_queries
from consumer.orders import ProductCategory
from consumer.sandbox.clinics import CLINICS, OrderScript, SampleClinic, SampleLine, SamplePatient
from consumer.sandbox.clinics.product import PRODUCTS
from consumer.sandbox.demo.feed import Feed
from consumer.sandbox.demo.screen import Screen
from consumer.sandbox.xero import ControlClient

_QUERIES = load_queries(__file__, "picture.sql")
_PAIR = SampleLine(PRODUCTS[ProductCategory.HEARING_AIDS][1])
_FITTING = SampleLine(PRODUCTS[ProductCategory.SERVICES][3])
_CHARGER = SampleLine(PRODUCTS[ProductCategory.ACCESSORIES][3])


class LiveDay:
    """Plays the day; `latencies` are the seconds from Kafka to Xero of each change that called Xero."""

    def __init__(
        self, feed: Feed, connection: Connection[Any], xero: ControlClient, tenant_ids: tuple[str, str], screen: Screen
    ) -> None:
        self._feed = feed
        self._connection = connection
        self._xero = xero
        self._tenant_ids = dict(zip((CLINICS[0].tenant_name, CLINICS[2].tenant_name), tenant_ids, strict=True))
        self._screen = screen
        self._rng = Random(1)
        self._opened = 0
        self.latencies: list[float] = []

    def play(self) -> None:
        """Play all changes; each is shown with its rows of the sync log and with Xero's document.

        Raises:
            StandstillError: the service does not deal with one of them.
        """
        first, second, third = (self._order(clinic) for clinic in CLINICS)
        self._change("Clinic 1 saves an order (its invoices start authorised)", first, lambda: _save(first, _PAIR))
        self._change("Clinic 2 saves an order (its invoices start as drafts)", second, lambda: _save(second, _FITTING))
        self._change("Clinic 3 saves an order (it sends on request)", third, lambda: _save(third, _PAIR))
        self._change('Somebody presses "Sync to Xero" at clinic 3', third, third.request_sync)

        self._change("Clinic 1 takes a deposit", first, lambda: first.pay(Decimal(300), "CARD", reference="Deposit"))
        second.patient = second.patient.renamed("Renamed-Sample")
        self._change(
            "At clinic 2 the patient has another name, and the order another line",
            second,
            lambda: _save(second, _FITTING, _CHARGER),
        )
        deposit_id = f"payment-1-of-{first.order_id}"
        self._change(
            "The deposit was 350 and cash: Xero can't edit payments",
            first,
            lambda: first.change_payment(deposit_id, Decimal(350), "CASH", reference="Deposit"),
        )
        self._change(
            "Clinic 2 is paid: the draft is authorised first", second, lambda: second.pay(Decimal(20), "BANK_TRANSFER")
        )
        self._change(
            "Clinic 1 credits a part: a credit note, set against the invoice",
            first,
            lambda: first.credit([_CHARGER], reason="Faulty"),
        )

    def _order(self, clinic: SampleClinic) -> OrderScript:
        self._opened += 1
        number = self._opened
        patient = SamplePatient(f"patient-live-{number}", ("Ash", "Fern", "Ivy")[number - 1], "Live-Sample")
        return OrderScript(
            f"order-live-{number}", clinic, patient, f"LIVE-{number}", now=datetime.now(UTC), rng=self._rng
        )

    def _change(self, title: str, order: OrderScript, change: Callable[[], object]) -> None:
        after_id = self._last_log_id()
        order.now = datetime.now(UTC)
        change()
        seconds = self._feed.follow(order)
        rows = self._connection.execute(
            _QUERIES["order_log"], {"order_id": order.order_id, "after_id": after_id}
        ).fetchall()
        self._screen.line(f"- {title}")
        if rows:
            self.latencies.append(seconds)
            operations = ", ".join(f"{operation} {outcome}" for operation, outcome, *_ in rows)
            self._screen.text(f"{seconds * 1000:4.0f} ms  {operations}", indent="  ")
        else:
            self._screen.line(f"  {seconds * 1000:4.0f} ms  nothing sent")
        self._screen.text(f"in Xero: {self._in_xero(order)}", indent="           ")

    def _last_log_id(self) -> int:
        row = self._connection.execute(_QUERIES["last_log_id"]).fetchone()
        assert row is not None  # noqa: S101 -- a maximum without grouping gives one row.
        return int(row[0])

    def _in_xero(self, order: OrderScript) -> str:
        """Describe the order's invoice as the ledger has it."""
        ledger = self._xero.call("ledger", tenant_id=self._tenant_ids[order.clinic.tenant_name])
        for invoice in ledger["Invoices"]:
            if invoice["InvoiceNumber"] == order.number:
                return (
                    f"{invoice['Status']} of {invoice['Total']:,.2f}, paid {invoice['AmountPaid']:,.2f}, credited "
                    f"{invoice['AmountCredited']:,.2f}, to {invoice['Contact']['Name']}"
                )
        return "no invoice"


def _save(order: OrderScript, *lines: SampleLine) -> None:
    order.save_invoice(list(lines))
