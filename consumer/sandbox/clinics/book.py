"""The month's order book: who comes when, to which clinic, and under which number."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import count
from random import Random

from consumer.orders import ProductCategory
from consumer.sandbox.clinics.clinic import CLINICS, SampleClinic
from consumer.sandbox.clinics.patient import PatientRegister, SamplePatient
from consumer.sandbox.clinics.product import any_product
from consumer.sandbox.clinics.script import OrderScript, SampleLine

FIRST_DAY = date(2026, 10, 1)
# In the demo the bookkeeper has locked the first tenant's books up to this day.
LOCKED_UNTIL = FIRST_DAY - timedelta(days=1)
_DAYS = 30
_SUNDAY = 6
# How orders spread over the three clinics.
_CLINIC_WEIGHTS = (5, 3, 2)
_RETURNING = 0.15
_WITHOUT_DUE_DATE = 0.15


class Book:
    """Opens orders, deterministically by `seed`; `orders` are all that were opened.

    `mark` is part of ids, numbers and surnames: two books with different marks have nothing in common.
    """

    def __init__(self, seed: int, mark: str = "") -> None:
        self.rng = Random(seed)
        self.patients = PatientRegister(self.rng, mark)
        self._mark = mark
        self.orders: list[OrderScript] = []
        self._numbers = {clinic.clinic_id: count(1) for clinic in CLINICS}
        # Those who may come again; whoever plays a part of their own stays out.
        self._regulars: list[SamplePatient] = []

    def open(
        self,
        *,
        days: int = 0,
        clinic: SampleClinic | None = None,
        patient: SamplePatient | None = None,
        number: str | None = None,
        at: datetime | None = None,
    ) -> OrderScript:
        """Open an order that has `days` left in the month; what isn't given is drawn."""
        clinic = clinic or self.rng.choices(CLINICS, _CLINIC_WEIGHTS)[0]
        order = OrderScript(
            f"order-{self._mark}{len(self.orders) + 1:05d}",
            clinic,
            patient or self._someone(),
            number or f"{clinic.number_prefix}{self._mark}{next(self._numbers[clinic.clinic_id]):05d}",
            now=at or self._working_hour(days),
            rng=self.rng,
        )
        order.actor = f"user-{self.rng.randint(1, 6)}"
        self.orders.append(order)
        return order

    def line(self, category: ProductCategory, *, discount: str | None = None) -> SampleLine:
        """Draw a line of `category`."""
        product = any_product(self.rng, category)
        quantity = Decimal(self.rng.randint(1, product.most))
        return SampleLine(product, quantity, None if discount is None else Decimal(discount))

    def due_days(self) -> int | None:
        """Draw the time to pay; None where the clinic leaves it open."""
        return None if self.rng.random() < _WITHOUT_DUE_DATE else self.rng.choice((0, 14, 30))

    def _someone(self) -> SamplePatient:
        if self._regulars and self.rng.random() < _RETURNING:
            return self.rng.choice(self._regulars)
        patient = self.patients.add()
        self._regulars.append(patient)
        return patient

    def _working_hour(self, days: int) -> datetime:
        day = FIRST_DAY + timedelta(days=self.rng.randrange(_DAYS - days))
        if day.weekday() == _SUNDAY:
            day += timedelta(days=1)
        minutes = self.rng.randrange(8 * 60)
        moment = datetime.combine(day, time(9), UTC) + timedelta(minutes=minutes)
        return moment + timedelta(microseconds=self.rng.randrange(60_000_000))
