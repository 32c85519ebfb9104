"""Lines of invoices and credit notes: accounts, tax rates, and amounts as Xero rounds them."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from consumer.sandbox.xero import errors
from consumer.sandbox.xero.ledger import Ledger
from consumer.sandbox.xero.records import Account, Line
from consumer.sandbox.xero.values import ZERO, Json, cents, places

_HUNDRED = Decimal(100)
_LARGEST_LINE_AMOUNT = Decimal("9999999999.99")
_LARGEST_QUANTITY = Decimal(9999999999999)
_LONGEST_DESCRIPTION = 4000
_MOST_TRACKING = 2
# Accounts that Xero keeps for itself; ROUNDING alone may stand on a line.
_USABLE_SYSTEM_ACCOUNTS = frozenset({"", "ROUNDING"})


@dataclass(frozen=True, slots=True)
class LineRules:
    """How the lines of one document are read.

    Attributes:
        amount_types: Exclusive, Inclusive or NoTax.
        unit_places: Decimal places of unit amounts: 4 with ``?unitdp=4``, else 2.
        complete: Accounts and tax rates must be there (not so for drafts).
        discounts: Whether lines may carry one.
    """

    amount_types: str
    unit_places: int
    complete: bool
    discounts: bool


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums of a document's lines."""

    sub_total: Decimal
    total_tax: Decimal
    total: Decimal


class LineReader:
    """Reads the lines of one document and gathers what is wrong with each.

    Attributes:
        problems: Messages by the index of the line.
    """

    def __init__(self, ledger: Ledger, rules: LineRules) -> None:
        self._ledger = ledger
        self._rules = rules
        self.problems: defaultdict[int, list[str]] = defaultdict(list)

    def read(self, elements: Sequence[Json], old: Sequence[Line]) -> tuple[Line, ...]:
        """The new lines. With a LineItemID the old line is updated (once), without one a line is made."""
        known = {line.line_item_id: line for line in old}
        return tuple(
            self._read_line(index, element, known.pop(element.get("LineItemID", ""), None))
            for index, element in enumerate(elements)
        )

    def recheck(self, lines: Sequence[Line]) -> tuple[Line, ...]:
        """Lines that stay as they are, worked out anew (another amount type, or about to be approved)."""
        return tuple(self._work_out(index, line) for index, line in enumerate(lines))

    def _read_line(self, index: int, element: Json, old: Line | None) -> Line:
        problems = self.problems[index]
        if "LineItemID" in element and old is None:
            problems.append(errors.LINE_NOT_FOUND)
        line = old or Line(line_item_id=self._ledger.new_id())
        unit_amount = line.unit_amount
        if "UnitAmount" in element:
            unit_amount = places(element["UnitAmount"], self._rules.unit_places)
        quantity = element.get("Quantity", line.quantity)
        if quantity is None and unit_amount is not None:
            quantity = Decimal(1)
        line = replace(
            line,
            description=element.get("Description", line.description),
            quantity=None if quantity is None else places(quantity, 4),
            unit_amount=unit_amount,
            **self._read_discount(index, element, line, unit_amount),
            **self._read_account(index, element, line),
        )
        if "TaxAmount" in element:
            line = replace(line, tax_amount=cents(element["TaxAmount"]), tax_overridden=True)
        elif old is not None and _amounts_change(old, line):
            line = replace(line, tax_overridden=False)
        problems += _text_problems(element)
        line = self._work_out(index, line)
        problems += _line_amount_problems(element, line)
        return line

    def _read_discount(self, index: int, element: Json, line: Line, unit_amount: Decimal | None) -> dict[str, Any]:
        rate, amount = element.get("DiscountRate"), element.get("DiscountAmount")
        if rate is None and amount is None:
            return {"discount_rate": line.discount_rate, "discount_amount": line.discount_amount}
        if unit_amount is not None and unit_amount < ZERO:
            # Not even one of nothing.
            self.problems[index].append(errors.DISCOUNT_BESIDE_NEGATIVE)
        if not self._rules.discounts and (rate or amount):
            self.problems[index].append(errors.DISCOUNT_ON_CREDIT_NOTE)
            return {"discount_rate": None, "discount_amount": None}
        if rate and amount:
            self.problems[index].append(errors.DISCOUNT_TWICE)
        return {
            "discount_rate": rate or None,
            "discount_amount": cents(amount) if amount else None,
        }

    def _read_account(self, index: int, element: Json, line: Line) -> dict[str, Any]:
        reference = element.get("AccountCode") or element.get("AccountID")
        if reference is None:
            return {
                "account_code": line.account_code,
                "account_id": line.account_id,
                "tax_type": element.get("TaxType", line.tax_type),
            }
        account = self._ledger.account(reference)
        if account is None:
            self.problems[index].append(errors.account_invalid(reference))
        default_tax = account.tax_type if account else None
        kept_tax = line.tax_type if account and account.account_id == line.account_id else None
        return {
            "account_code": account.code if account else reference,
            "account_id": account.account_id if account else None,
            "tax_type": element.get("TaxType", kept_tax or default_tax),
        }

    def _work_out(self, index: int, line: Line) -> Line:
        account = self._check_account(index, line)
        if line.quantity is not None and line.quantity < ZERO:
            self.problems[index].append(errors.QUANTITY_NEGATIVE)
        if line.quantity is not None and line.quantity > _LARGEST_QUANTITY:
            self.problems[index].append(errors.QUANTITY_TOO_LARGE)
        line_amount = self._line_amount(index, line)
        if abs(line_amount) > _LARGEST_LINE_AMOUNT:
            self.problems[index].append(errors.LINE_AMOUNT_TOO_LARGE)
        line = replace(line, line_amount=line_amount)
        if self._rules.amount_types == "NoTax":
            return replace(line, tax_type="NONE", tax_amount=ZERO, tax_overridden=False)
        rate = self._check_tax_type(index, line, account)
        if line.tax_overridden:
            if abs(line.tax_amount) > abs(line.line_amount):
                self.problems[index].append(errors.TAX_AMOUNT_TOO_LARGE)
            elif line.tax_amount * line.line_amount < ZERO:
                self.problems[index].append(errors.TAX_AMOUNT_SIGN)
            if rate:
                return line
        # Where the rate is zero there is no tax to be given: one that is sent counts for nothing.
        tax = tax_of(line.line_amount, rate, self._rules.amount_types)
        return replace(line, tax_amount=tax, tax_overridden=False)

    def _line_amount(self, index: int, line: Line) -> Decimal:
        if line.quantity is None or line.unit_amount is None:
            return ZERO
        gross = line.quantity * line.unit_amount
        if line.discount_rate is not None:
            if not ZERO <= line.discount_rate <= _HUNDRED:
                self.problems[index].append(errors.discount_invalid(line.discount_rate))
            return cents(gross * (_HUNDRED - line.discount_rate) / _HUNDRED)
        if line.discount_amount is not None:
            if not ZERO <= line.discount_amount <= cents(gross):
                share = line.discount_amount * _HUNDRED / gross if gross else line.discount_amount
                self.problems[index].append(errors.discount_invalid(cents(share)))
            return cents(gross) - line.discount_amount
        return cents(gross)

    def _check_account(self, index: int, line: Line) -> Account | None:
        account = self._ledger.accounts.get(line.account_id) if line.account_id else None
        if account is None:
            if self._rules.complete and not line.account_code:
                self.problems[index].append(errors.ACCOUNT_REQUIRED)
            return None
        if account.status != "ACTIVE":
            self.problems[index].append(errors.account_archived(account.code))
        elif account.type == "BANK" or account.system_account not in _USABLE_SYSTEM_ACCOUNTS:
            self.problems[index].append(errors.account_invalid(account.code))
        return account

    def _check_tax_type(self, index: int, line: Line, account: Account | None) -> Decimal:
        if line.tax_type is None:
            if self._rules.complete:
                self.problems[index].append(errors.TAX_TYPE_REQUIRED)
            return ZERO
        rate = self._ledger.tax_rates.get(line.tax_type)
        if rate is None or rate.status != "ACTIVE":
            self.problems[index].append(errors.tax_type_invalid(line.tax_type, line.account_code))
            return ZERO
        if account is not None and account.account_class not in rate.applies_to:
            self.problems[index].append(errors.tax_type_invalid(line.tax_type, account.code))
        return rate.rate_percent


def tax_of(line_amount: Decimal, rate_percent: Decimal, amount_types: str) -> Decimal:
    """A line's tax, rounded to the cent: on top of the amount, or contained in it."""
    if amount_types == "Inclusive":
        return line_amount - cents(line_amount / (1 + rate_percent / _HUNDRED))
    return cents(line_amount * rate_percent / _HUNDRED)


def totals_of(lines: Sequence[Line], amount_types: str) -> Totals:
    """Sums over the lines; tax is rounded per line, then added up."""
    amounts = sum((line.line_amount for line in lines), ZERO)
    tax = sum((line.tax_amount for line in lines), ZERO)
    if amount_types == "Inclusive":
        return Totals(sub_total=amounts - tax, total_tax=tax, total=amounts)
    return Totals(sub_total=amounts, total_tax=tax, total=amounts + tax)


def money_terms(lines: Sequence[Line]) -> list[tuple[object, ...]]:
    """What of the lines may not change once payments or credit stand on the document."""
    return [
        (
            line.line_item_id,
            line.quantity,
            line.unit_amount,
            line.line_amount,
            line.tax_type,
            line.tax_amount,
            line.discount_rate,
            line.discount_amount,
        )
        for line in lines
    ]


def _amounts_change(old: Line, new: Line) -> bool:
    return (old.quantity, old.unit_amount, old.tax_type, old.discount_rate, old.discount_amount) != (
        new.quantity,
        new.unit_amount,
        new.tax_type,
        new.discount_rate,
        new.discount_amount,
    )


def _text_problems(element: Json) -> list[str]:
    problems = []
    if "Description" in element and not 1 <= len(element["Description"]) <= _LONGEST_DESCRIPTION:
        problems.append(errors.DESCRIPTION_LENGTH)
    if element.get("ItemCode"):
        problems.append(f"Item code '{element['ItemCode']}' is not valid")
    if len(element.get("Tracking", [])) > _MOST_TRACKING:
        problems.append(errors.TRACKING_TOO_MANY)
    elif element.get("Tracking"):
        problems.append(errors.TRACKING_INVALID)
    return problems


def _line_amount_problems(element: Json, line: Line) -> list[str]:
    if "LineAmount" not in element or cents(element["LineAmount"]) == line.line_amount:
        return []
    problems = [errors.line_total_differs(element["LineAmount"], line.line_amount)]
    if line.discount_rate is not None or line.discount_amount is not None:
        problems.append(errors.USE_UNIT_AMOUNT)
    return problems
