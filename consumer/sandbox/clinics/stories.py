"""What happens to orders in a clinic: each story opens an order or two and tells what becomes of it."""

from collections.abc import Callable
from decimal import Decimal

from consumer.orders import ProductCategory
from consumer.sandbox.clinics.book import LOCKED_UNTIL, Book
from consumer.sandbox.clinics.clinic import CLINICS
from consumer.sandbox.clinics.script import OrderScript, SampleLine

AIDS, ACCESSORIES = ProductCategory.HEARING_AIDS, ProductCategory.ACCESSORIES
SERVICES, CUSTOM = ProductCategory.SERVICES, ProductCategory.CUSTOM_ITEMS

Story = Callable[[Book], None]


# Daily work.


def counter_sale(book: Book) -> None:
    """Accessories over the counter, paid a moment later."""
    order = book.open()
    order.save_invoice([book.line(ACCESSORIES), book.line(ACCESSORIES)], due_days=0)
    order.wait(minutes=2)
    order.pay(order.total, book.rng.choice(("CARD", "CASH")))


def online_booking(book: Book) -> None:
    """An appointment booked and paid online: order and payment in the very same second, by nobody."""
    order = book.open()
    order.actor = None
    order.now = order.now.replace(microsecond=100_000)
    order.save_invoice([book.line(SERVICES)], due_days=0, reference="Online booking")
    order.wait(milliseconds=300)
    order.pay(order.total, "CARD", reference="Online booking")


def service_on_account(book: Book) -> None:
    """A service that is paid by transfer, sometimes later than this month."""
    order = book.open(days=12)
    order.save_invoice([book.line(SERVICES)], due_days=book.due_days())
    if book.rng.random() < 0.7:  # noqa: PLR2004 -- most pay within the month
        order.wait(days=book.rng.randint(1, 12))
        order.pay(order.total, "BANK_TRANSFER")


def fitting_with_deposit(book: Book) -> None:
    """Hearing aids: a deposit when ordered, the balance when fitted."""
    order = book.open(days=14)
    lines = [book.line(AIDS), book.line(SERVICES)]
    order.save_invoice(lines, due_days=book.due_days())
    order.wait(minutes=4)
    deposit = _deposit(order)
    order.pay(deposit, "CARD", reference="Deposit")
    order.wait(days=book.rng.randint(6, 12))
    order.pay(order.total - deposit, book.rng.choice(("CARD", "FINANCE", "BANK_TRANSFER")))


def edited_before_payment(book: Book) -> None:
    """The invoice is corrected twice before anybody pays."""
    order = book.open(days=10)
    lines = [book.line(AIDS), book.line(ACCESSORIES)]
    order.save_invoice(lines, due_days=book.due_days())
    order.wait(hours=2)
    order.save_invoice([*lines, book.line(SERVICES)])
    order.wait(days=book.rng.randint(1, 4))
    order.save_invoice([lines[0], book.line(SERVICES)])
    order.wait(days=3)
    order.pay(order.total, "CARD")


def several_payments(book: Book) -> None:
    """The insurer pays a part, the patient the rest in two."""
    order = book.open(days=12)
    order.save_invoice([book.line(AIDS), book.line(SERVICES)], due_days=30)
    order.wait(days=2)
    part = _deposit(order)
    order.pay(part, "INSURER", reference="Claim accepted")
    order.wait(days=5)
    order.pay(part, "CARD")
    order.pay(order.total - 2 * part, "CASH")


# Corrections.


def payment_amount_corrected(book: Book) -> None:
    """A slip of the keyboard, found the next day."""
    order = book.open(days=3)
    order.save_invoice([book.line(SERVICES), book.line(ACCESSORIES)], due_days=book.due_days())
    order.wait(minutes=1)
    payment_id = order.pay(_deposit(order), "CARD")
    order.wait(days=1)
    order.change_payment(payment_id, order.total, "CARD")


def payment_method_corrected(book: Book) -> None:
    """Cash it was, not card."""
    order = book.open(days=3)
    order.save_invoice([book.line(ACCESSORIES)], due_days=0)
    payment_id = order.pay(order.total, "CARD")
    order.wait(days=2)
    order.change_payment(payment_id, order.total, "CASH")


def payment_deleted(book: Book) -> None:
    """A payment that belonged to somebody else."""
    order = book.open(days=5)
    order.save_invoice([book.line(SERVICES)], due_days=30)
    order.wait(hours=1)
    payment_id = order.pay(order.total, "BANK_TRANSFER")
    order.wait(days=2)
    order.delete_payment(payment_id)


def deposit_before_invoice(book: Book) -> None:
    """The deposit is taken before the invoice is written."""
    order = book.open(days=2)
    order.pay(Decimal(50), "CARD", reference="Deposit")
    order.wait(days=1)
    order.save_invoice([book.line(AIDS)], due_days=book.due_days())


def invoice_deleted(book: Book) -> None:
    """An invoice that should not have been written, found a week later: Xero keeps it."""
    order = book.open(days=9, clinic=CLINICS[0])
    order.save_invoice([book.line(SERVICES)], due_days=14)
    order.wait(days=8)
    order.delete_invoice()


def edited_after_payment(book: Book) -> None:
    """The price changes after the invoice was paid: Xero does not follow that, and the log says why."""
    order = book.open(days=8, clinic=CLINICS[0])
    line = book.line(AIDS)
    order.save_invoice([line], due_days=0)
    order.pay(order.total, "CARD")
    order.wait(days=7)
    order.save_invoice([line._replace(discount=Decimal(100))])


# Credits, returns, exchanges.


def partial_credit(book: Book) -> None:
    """One part of the order is credited, the rest is paid."""
    order = book.open(days=10)
    lines = [book.line(AIDS), book.line(SERVICES)]
    order.save_invoice(lines, due_days=30)
    order.wait(days=3)
    whole = order.total
    order.credit([lines[1]], reason="Goodwill")
    order.wait(days=4)
    order.pay(whole - _worth(order, lines[1]), "CARD")


def returned_in_trial(book: Book) -> None:
    """Hearing aids come back within the trial period: the deposit is taken out, everything is credited."""
    order = book.open(days=15)
    order.save_invoice([book.line(AIDS)], due_days=30)
    payment_id = order.pay(_deposit(order), "CARD", reference="Deposit")
    order.wait(days=book.rng.randint(7, 14))
    order.delete_payment(payment_id)
    order.credit(reason="Returned in trial period")


def exchange(book: Book) -> None:
    """One pair is credited in full, and another one ordered on the same day."""
    first = book.open(days=12)
    first.save_invoice([book.line(AIDS)], due_days=30)
    first.wait(days=book.rng.randint(5, 10))
    first.credit(reason="Exchange")
    second = book.open(clinic=first.clinic, patient=first.patient, at=first.now)
    second.wait(minutes=3)
    second.save_invoice([book.line(AIDS), book.line(ACCESSORIES)], due_days=14, reference="Exchange")
    second.pay(second.total, "CARD")


def credit_note_deleted(book: Book) -> None:
    """A credit note by mistake; the invoice is paid after all."""
    order = book.open(days=8)
    order.save_invoice([book.line(SERVICES), book.line(ACCESSORIES)], due_days=14)
    order.wait(days=1)
    note_id = order.credit(reason="By mistake")
    order.wait(days=1)
    order.delete_credit_note(note_id)
    order.wait(days=3)
    order.pay(order.total, "CARD")


def credit_after_payment(book: Book) -> None:
    """A credit note for what is paid already: nothing is left in Xero that it could be set against."""
    order = book.open(days=6, clinic=CLINICS[0])
    order.save_invoice([book.line(ACCESSORIES)], due_days=0)
    order.pay(order.total, "CARD")
    order.wait(days=4)
    order.credit(reason="Faulty")


# Endings.


def cancelled(book: Book) -> None:
    """The patient thinks better of it."""
    order = book.open(days=6)
    order.save_invoice([book.line(AIDS)], due_days=14)
    order.wait(days=book.rng.randint(1, 5))
    order.close("CANCELLED")


def written_off(book: Book) -> None:
    """The rest will never be paid."""
    order = book.open(days=24)
    order.save_invoice([book.line(SERVICES), book.line(ACCESSORIES)], due_days=0)
    order.pay(_deposit(order), "CASH")
    order.wait(days=22)
    order.close("WRITTEN_OFF")


# People.


def patient_renamed(book: Book) -> None:
    """A patient takes another name between two visits."""
    patient = book.patients.add()
    order = book.open(days=9, clinic=CLINICS[0], patient=patient)
    line = book.line(SERVICES)
    order.save_invoice([line], due_days=30)
    order.wait(days=6)
    order.patient = patient.renamed(f"{patient.last_name}-Newname")
    order.save_invoice([line, book.line(ACCESSORIES)])
    order.wait(days=1)
    order.pay(order.total, "BANK_TRANSFER")


def namesakes(book: Book) -> None:
    """Two patients with one name, who must never share a contact."""
    first = book.patients.add()
    second = book.patients.add(first_name=first.first_name, last_name=first.last_name)
    for patient in (first, second):
        order = book.open(clinic=CLINICS[0], patient=patient)
        order.save_invoice([book.line(SERVICES)], due_days=14)


def awkward_patient(book: Book) -> None:
    """A name with signs and spaces that Xero does not take, and an e-mail address that is none."""
    patient = book.patients.add()
    patient = book.patients.add(
        first_name=f" {patient.first_name}  <new>", last_name=f"{patient.last_name}-Second ", email="asked, has none"
    )
    order = book.open(clinic=CLINICS[1], patient=patient)
    order.save_invoice([book.line(SERVICES)], due_days=None)
    order.wait(minutes=1)
    order.pay(order.total, "CARD")


# Prices.


def discounted(book: Book) -> None:
    """A discount on one line and a price of four places on the other."""
    order = book.open(days=2)
    batteries = book.line(ACCESSORIES)
    order.save_invoice([book.line(AIDS, discount="150"), batteries._replace(unit_price=Decimal("1.2375"))])
    order.wait(days=1)
    order.pay(order.total, "CARD")


def sum_differs(book: Book) -> None:
    """HearLink's own sum is off, which is worth a warning."""
    order = book.open(clinic=CLINICS[0])
    order.save_invoice([book.line(AIDS)], total_off=Decimal("0.50"))


# What needs somebody.


def custom_items(book: Book) -> None:
    """Ear moulds at clinic 2, whose account for them is archived in the demo."""
    order = book.open(days=4, clinic=CLINICS[1])
    order.save_invoice([book.line(CUSTOM), book.line(SERVICES)], due_days=book.due_days())
    order.wait(days=2)
    order.pay(order.total, "CARD")


def backdated(book: Book) -> None:
    """An invoice with a date of last month, which the bookkeeper has locked."""
    order = book.open(clinic=CLINICS[0])
    order.save_invoice([book.line(SERVICES)], issued_on=LOCKED_UNTIL)


def number_used_twice(book: Book) -> None:
    """Two clinics that share their books use one invoice number."""
    first = book.open(clinic=CLINICS[0])
    first.save_invoice([book.line(ACCESSORIES)], due_days=14)
    second = book.open(clinic=CLINICS[1], number=first.number)
    second.save_invoice([book.line(ACCESSORIES)], due_days=14)


def resynced(book: Book) -> None:
    """Somebody presses "Resync to Xero" although nothing is amiss."""
    order = book.open(days=3, clinic=CLINICS[0])
    order.save_invoice([book.line(SERVICES)], due_days=14)
    order.wait(days=1)
    order.request_sync()


def nothing_yet(book: Book) -> None:
    """An order without an invoice, for which somebody presses "Sync to Xero"."""
    order = book.open(clinic=CLINICS[0])
    order.request_sync()


# Each happens at least once in a month of enough orders; those that take two orders count twice.
TRAPS: tuple[Story, ...] = (
    custom_items,
    backdated,
    number_used_twice,
    payment_amount_corrected,
    payment_method_corrected,
    payment_deleted,
    partial_credit,
    returned_in_trial,
    exchange,
    credit_note_deleted,
    cancelled,
    written_off,
    patient_renamed,
    namesakes,
    awkward_patient,
    discounted,
    sum_differs,
    deposit_before_invoice,
    invoice_deleted,
    edited_after_payment,
    credit_after_payment,
    resynced,
    nothing_yet,
)

# And how often what happens beside them.
DAILY_WORK: dict[Story, int] = {
    counter_sale: 30,
    online_booking: 18,
    service_on_account: 14,
    fitting_with_deposit: 18,
    edited_before_payment: 7,
    several_payments: 4,
    payment_amount_corrected: 2,
    payment_method_corrected: 2,
    payment_deleted: 1,
    partial_credit: 2,
    returned_in_trial: 2,
    credit_note_deleted: 1,
    cancelled: 1,
    discounted: 4,
    custom_items: 2,
}


def _deposit(order: OrderScript) -> Decimal:
    """A fifth of the order, in whole pounds and at least one."""
    return max(Decimal(1), (order.total / 5).quantize(Decimal(1)))


def _worth(order: OrderScript, line: SampleLine) -> Decimal:
    """What one line comes to with its tax."""
    amount = (line.quantity * line.price).quantize(Decimal("0.01")) - (line.discount or 0)
    percent = order.clinic.tax_percent[line.product.category]
    return amount if order.clinic.prices_include_tax else amount + (amount * percent / 100).quantize(Decimal("0.01"))
