"""What the settings page offers for each choice, from what Xero offers. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from consumer.settings import takes_payments, takes_revenue

Documents = Iterable[Mapping[str, Any]]


class Choice(msgspec.Struct, frozen=True):
    """One entry of a list. `mark` says in a word why it can't be used any more."""

    value: str
    label: str
    mark: str = ""


def revenue_choices(accounts: Documents | None, present: str | None) -> list[Choice]:
    """Return the income accounts, and the one that is chosen at `present` whatever became of it."""
    return _accounts([account for account in accounts or () if takes_revenue(account)], accounts or (), present)


def payment_choices(accounts: Documents | None, present: str | None) -> list[Choice]:
    """Return the accounts that take payments; as `revenue_choices`."""
    return _accounts([account for account in accounts or () if takes_payments(account)], accounts or (), present)


def tax_choices(tax_rates: Documents | None, present: str | None) -> list[Choice]:
    """Return the tax rates that sales can have; as `revenue_choices`."""
    offered = [
        Choice(str(rate["TaxType"]), str(rate.get("Name", rate["TaxType"])))
        for rate in tax_rates or ()
        if rate.get("TaxType") and rate.get("Status") == "ACTIVE" and rate.get("CanApplyToRevenue") is True
    ]
    known = {str(rate.get("TaxType")): str(rate.get("Name", "")) for rate in tax_rates or ()}
    return _with_present(sorted(offered, key=lambda choice: choice.label), present, known, tax_rates is not None)


def same_account(account: Mapping[str, Any], reference: str | None) -> bool:
    """Whether `reference`, a code or an id, means `account`."""
    names = {str(account.get(key, "")).casefold() for key in ("Code", "AccountID")} - {""}
    return reference is not None and reference.casefold() in names


def _accounts(usable: list[Mapping[str, Any]], all_accounts: Documents, present: str | None) -> list[Choice]:
    offered = []
    chosen = None
    for account in usable:
        if account.get("Status") != "ACTIVE" or account.get("SystemAccount"):
            continue
        value = str(account.get("Code") or account.get("AccountID"))
        if same_account(account, present):
            # Kept as it was written: an id outlives a change of the code.
            value = chosen = str(present)
        offered.append(Choice(value, account_label(account)))
    offered.sort(key=lambda choice: choice.label)
    if present is None or chosen is not None:
        return offered
    known = {str(present): account_label(account) for account in all_accounts if same_account(account, present)}
    return _with_present(offered, present, known, bool(list(all_accounts)))


def _with_present(
    offered: list[Choice],
    present: str | None,
    known: Mapping[str, str],
    is_read: bool,  # noqa: FBT001 -- two files' one fact
) -> list[Choice]:
    if present is None or any(choice.value == present for choice in offered):
        return offered
    if not is_read:
        return [*offered, Choice(present, present)]
    label = known.get(present)
    mark = "deleted in Xero" if label is None else "archived or not usable for this"
    return [*offered, Choice(present, label or present, mark)]


def account_label(account: Mapping[str, Any]) -> str:
    """Return what people call `account`."""
    return " - ".join(str(account[key]) for key in ("Code", "Name") if account.get(key))
