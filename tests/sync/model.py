"""What Xero must hold, worked out from the rules of the product alone: no plan, no link, no hash.

The model looks at the books before a push and says how they must be after it. Amounts are chosen so that tax is never
rounded: what is not a question of rounding stays simple.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from consumer.xero import read_date
from tests.sync.books import Json

RATES = {"HEARING_AIDS": ("ZERORATEDOUTPUT", Decimal(0)), "SERVICES": ("OUTPUT2", Decimal("0.2"))}
ARCHIVED_ACCOUNT = "240"


@dataclass(frozen=True)
class Line:
    category: str
    price: int
    discount: int = 0


@dataclass(frozen=True)
class Payment:
    amount: int
    method: str = "CARD"
    day: str = "2026-10-02"


@dataclass(frozen=True)
class Clinic:
    tenant_id: str
    enabled: bool = True
    mode: str = "auto"
    invoice_status: str = "authorised"
    accounts: tuple[tuple[str, str], ...] = (("HEARING_AIDS", "200"), ("SERVICES", "260"))

    def account(self, category: str) -> str:
        return dict(self.accounts)[category]

    def can_post(self, lines: tuple[Line, ...]) -> bool:
        return all(self.account(line.category) != ARCHIVED_ACCOUNT for line in lines)


@dataclass
class Order:
    """What HearLink says of one order, and how the service should stand to it."""

    order_id: str
    clinic_id: str
    patient_id: str
    lines: tuple[Line, ...] | None = None
    inclusive: bool = True
    reference: str = ""
    # In the order in which they were last written.
    payments: dict[str, Payment] = field(default_factory=dict)
    notes: dict[str, Line] = field(default_factory=dict)
    closed: bool = False
    # Something happened since the service last looked at it; a person asked.
    changed: bool = False
    requested: bool = False
    # in_step, failed, still_failed (not tried again), manual, disabled; whether a change of settings may mend it.
    standing: str = "in_step"
    settings_problem: bool = False
    # What was removed in Xero for a change and neither replaced nor put back yet, as it was: payments, allocations.
    payment_gaps: dict[str, Payment] = field(default_factory=dict)
    note_gaps: dict[str, Decimal] = field(default_factory=dict)


@dataclass
class Held:
    """What Xero holds of one order: compared as a whole."""

    status: str | None = None
    patient_id: str | None = None
    inclusive: bool = True
    reference: str = ""
    lines: tuple[tuple[Any, ...], ...] = ()
    payments: dict[str, Payment] = field(default_factory=dict)
    # Note id: its line, its patient, whether prices include tax, how much of it is allocated.
    notes: dict[str, tuple[tuple[Any, ...], str, bool, Decimal]] = field(default_factory=dict)

    @property
    def allocated(self) -> Decimal:
        return sum((note[3] for note in self.notes.values()), Decimal(0))

    def allocate(self, key: str, amount: Decimal) -> bool:
        """Allocate so much of a note; False where that is more than is outstanding."""
        if amount > self.outstanding:
            return False
        self.notes[key] = (*self.notes[key][:3], amount)
        return True

    @property
    def outstanding(self) -> Decimal:
        paid = sum((Decimal(payment.amount) for payment in self.payments.values()), Decimal(0))
        return _gross(self.lines, inclusive=self.inclusive) - paid - self.allocated

    @property
    def settled(self) -> bool:
        return bool(self.payments) or any(note[3] for note in self.notes.values())


def _posted(line: Line, clinic: Clinic, *, note: bool = False) -> tuple[Any, ...]:
    """A line as Xero shows it: category's tax type, account, price, discount (none on credit notes)."""
    tax_type, _ = RATES[line.category]
    price, discount = (line.price - line.discount, 0) if note else (line.price, line.discount)
    return tax_type, clinic.account(line.category), Decimal(price), Decimal(discount)


def _gross(lines: Any, *, inclusive: bool) -> Decimal:
    rates = dict(RATES.values())
    amounts = [(price - discount, rates[tax_type]) for tax_type, _, price, discount in lines]
    return sum((amount if inclusive else amount * (1 + rate) for amount, rate in amounts), Decimal(0))


def _money(lines: Any) -> list[Any]:
    return [(tax_type, price, discount) for tax_type, _, price, discount in lines]


class RefusedError(Exception):
    """Xero takes this not, and what would follow waits. `for_settings`: a change of settings may mend it."""

    def __init__(self, *, for_settings: bool = False) -> None:
        super().__init__()
        self.for_settings = for_settings


def push(order: Order, held: Held, clinic: Clinic) -> None:
    """Bring `held` to what it must be after the service looked at `order`, and say on `order` how it stands."""
    requested, order.requested, order.changed = order.requested, False, False
    is_mended_by_settings, order.settings_problem = order.settings_problem, False
    waits_for = "disabled" if not clinic.enabled else "manual"
    has_failed = order.standing in {"failed", "still_failed"}
    if order.closed and clinic.enabled:
        order.standing = "in_step"
    elif not clinic.enabled and requested:
        order.standing, order.settings_problem = "disabled", True
    elif not requested and (not clinic.enabled or clinic.mode == "manual") and has_failed:
        # An edit alone mends nothing in Xero.
        order.standing, order.settings_problem = "still_failed", is_mended_by_settings
    elif not requested and (not clinic.enabled or clinic.mode == "manual"):
        order.standing = waits_for
    else:
        order.standing = "in_step"
        try:
            _send(order, held, clinic)
        except RefusedError as refusal:
            order.standing, order.settings_problem = "failed", refusal.for_settings


def _send(order: Order, held: Held, clinic: Clinic) -> None:
    wanted = {key: payment for key, payment in order.payments.items() if payment.amount}
    _remove(order, held, wanted)
    if order.lines is None:
        return
    refusals: list[RefusedError] = []
    held_back = notes_held_back = False
    kept, refused = set(order.note_gaps), set[str]()
    try:
        _send_invoice(order, held, clinic, authorised=bool(wanted or order.notes))
    except RefusedError as refusal:
        refusals.append(refusal)
        # What can be mended keeps the rest back; that something is applied to the invoice only notes, where they would
        # be of another contact than it or reckoned otherwise.
        held_back = refusal.for_settings
        notes_held_back = held_back or (order.patient_id, order.inclusive) != (held.patient_id, held.inclusive)
    if not notes_held_back:
        kept, refused = _send_notes(order, held, clinic, refusals)
    # Of what is held back, or was refused itself, only what fills a gap goes on.
    waiting = (set(order.notes) if notes_held_back else refused) - order.note_gaps.keys()
    if _all_fits(order, held, wanted, kept, waiting, is_held_back=held_back):
        _allocate(order, held, kept, refusals, waiting)
        _pay(order, held, wanted, refusals, is_held_back=held_back)
    else:
        _pay(order, held, wanted, refusals, is_held_back=held_back)
        _allocate(order, held, kept, refusals, waiting)
    if refusals:
        raise refusals[0]


def _all_fits(
    order: Order, held: Held, wanted: dict[str, Payment], kept: set[str], waiting: set[str], *, is_held_back: bool
) -> bool:
    """Whether the invoice has room for what is to be paid and allocated now; else payments come first."""
    payments = [
        Decimal(payment.amount)
        for key, payment in wanted.items()
        if key not in held.payments and (not is_held_back or key in order.payment_gaps)
    ]
    notes = [
        order.note_gaps[key] if key in kept else _gross([held.notes[key][0]], inclusive=held.notes[key][2])
        for key in order.notes
        if key in held.notes and not held.notes[key][3] and key not in waiting
    ]
    return not payments or sum(payments) + sum(notes) <= held.outstanding


def _remove(order: Order, held: Held, wanted: dict[str, Payment]) -> None:
    """What was deleted goes; what changed makes way, where something can take its place."""
    for key, payment in list(held.payments.items()):
        changed = order.lines is not None and key in wanted and wanted[key] != payment
        if changed:
            order.payment_gaps[key] = payment
        if key not in wanted or changed:
            del held.payments[key]
    for key, (line, patient_id, inclusive, allocated) in list(held.notes.items()):
        if key not in order.notes:
            del held.notes[key]
            order.note_gaps.pop(key, None)
        elif order.lines is not None and allocated:
            changed = _note_changed(order, key, line, patient_id, inclusive=inclusive)
            if changed or allocated != _gross([line], inclusive=inclusive):
                order.note_gaps[key] = allocated
                held.notes[key] = (line, patient_id, inclusive, Decimal(0))


def _note_changed(order: Order, key: str, line: tuple[Any, ...], patient_id: str, *, inclusive: bool) -> bool:
    note = order.notes[key]
    # Its category shows in its tax type alone: a re-mapped account is no change.
    now = (RATES[note.category][0], Decimal(note.price - note.discount))
    return (now, order.patient_id, order.inclusive) != ((line[0], line[2]), patient_id, inclusive)


def _send_invoice(order: Order, held: Held, clinic: Clinic, *, authorised: bool) -> None:
    assert order.lines is not None
    lines = tuple(_posted(line, clinic) for line in order.lines)
    if held.status is None:
        if not clinic.can_post(order.lines):
            raise RefusedError(for_settings=True)
        held.status = "AUTHORISED" if authorised or clinic.invoice_status == "authorised" else "DRAFT"
    else:
        money = (_money(lines), order.inclusive) != (_money(held.lines), held.inclusive)
        texts = (order.patient_id, order.reference) != (held.patient_id, held.reference)
        mapping = lines != held.lines
        if not (money or texts or (mapping and not held.settled)):
            held.status = "AUTHORISED" if authorised else held.status
            return
        if held.settled and not money:
            # Its lines stay as they were mapped.
            lines = held.lines
        elif mapping and not clinic.can_post(order.lines):
            raise RefusedError(for_settings=True)
        if money and held.settled:
            raise RefusedError
        held.status = "AUTHORISED" if authorised else held.status
    held.lines, held.inclusive, held.reference = lines, order.inclusive, order.reference
    held.patient_id = order.patient_id


def _send_notes(order: Order, held: Held, clinic: Clinic, refusals: list[RefusedError]) -> tuple[set[str], set[str]]:
    """Send what is new, then what changed; return what is to be allocated as it was, and all that Xero refused."""
    kept, refused = set(), set()
    fresh = [key for key in order.notes if key not in held.notes]
    changed = [
        key
        for key, (line, patient_id, inclusive, _) in held.notes.items()
        if _note_changed(order, key, line, patient_id, inclusive=inclusive)
    ]
    for keys in (fresh, changed):
        for key in keys:
            if clinic.can_post((order.notes[key],)):
                line = _posted(order.notes[key], clinic, note=True)
                held.notes[key] = (line, order.patient_id, order.inclusive, Decimal(0))
            else:
                refusals.append(RefusedError(for_settings=True))
                kept |= {key} & order.note_gaps.keys()
                refused.add(key)
    return kept, refused


def _allocate(order: Order, held: Held, kept: set[str], refusals: list[RefusedError], waiting: set[str]) -> None:
    too_large = []
    for key in order.notes:
        if key not in held.notes or held.notes[key][3] or key in waiting:
            continue
        line, _, inclusive, _ = held.notes[key]
        whole = order.note_gaps[key] if key in kept else _gross([line], inclusive=inclusive)
        if held.allocate(key, whole):
            order.note_gaps.pop(key, None)
        else:
            refusals.append(RefusedError())
            too_large += [key] if key in order.note_gaps.keys() - kept else []
    for key in too_large:
        if held.allocate(key, order.note_gaps[key]):
            del order.note_gaps[key]


def _pay(
    order: Order, held: Held, wanted: dict[str, Payment], refusals: list[RefusedError], *, is_held_back: bool
) -> None:
    too_large = []
    for key, payment in wanted.items():
        if key in held.payments or (is_held_back and key not in order.payment_gaps):
            continue
        if payment.amount <= held.outstanding:
            held.payments[key] = payment
            order.payment_gaps.pop(key, None)
        else:
            refusals.append(RefusedError())
            too_large += [key] if key in order.payment_gaps else []
    for key in too_large:
        if order.payment_gaps[key].amount <= held.outstanding:
            held.payments[key] = order.payment_gaps.pop(key)


def read_held(ledger: Json, order_id: str) -> Held:
    """Read what a tenant's books hold of one order, by our marks alone; twice the same is an error."""
    held = Held()
    numbers = {row["ContactID"]: row.get("ContactNumber") for row in ledger["Contacts"]}
    invoices = [row for row in ledger["Invoices"] if row.get("Url", "").endswith(f"/orders/{order_id}")]
    assert len(invoices) <= 1, f"{order_id} has {len(invoices)} invoices"
    if not invoices:
        return held
    (invoice,) = invoices
    held.status = "AUTHORISED" if invoice["Status"] == "PAID" else invoice["Status"]
    held.patient_id = numbers[invoice["Contact"]["ContactID"]]
    held.inclusive = invoice["LineAmountTypes"] == "Inclusive"
    held.reference = invoice["Reference"]
    held.lines = tuple(_read_line(line) for line in invoice["LineItems"])
    for row in ledger["Payments"]:
        if row["Status"] == "DELETED" or row["Invoice"]["InvoiceID"] != invoice["InvoiceID"]:
            continue
        method, _, key = row["Reference"].partition(" ")
        assert key not in held.payments, f"{order_id} has the payment {key} twice"
        held.payments[key] = Payment(int(row["Amount"]), method, str(read_date(row["Date"])))
    for row in ledger["CreditNotes"]:
        key = row["Reference"]
        if row["Status"] == "VOIDED" or not key.startswith(f"{order_id}/"):
            continue
        assert key not in held.notes, f"{order_id} has the credit note {key} twice"
        allocated = sum((Decimal(str(entry["Amount"])) for entry in row["Allocations"]), Decimal(0))
        held.notes[key] = (
            _read_line(row["LineItems"][0]),
            numbers[row["Contact"]["ContactID"]] or "",
            row["LineAmountTypes"] == "Inclusive",
            allocated,
        )
    return held


def _read_line(line: Json) -> tuple[Any, ...]:
    discount = Decimal(str(line.get("DiscountAmount", 0)))
    return line["TaxType"], line["AccountCode"], Decimal(str(line["UnitAmount"])), discount
