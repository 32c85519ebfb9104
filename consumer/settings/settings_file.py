"""The settings file: TOML in, checked field by field, all errors at once. Pure but for reading the file."""

import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, NamedTuple

from consumer.settings.clinic_settings import CATEGORIES, InvoiceStatus, Mode

# Xero's account codes have at most 10 characters; an account may be named by its id (a UUID) instead.
_ACCOUNT = re.compile(r"\S{1,10}|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_LONGEST_TEXT = 100
# What the column has room for.
_AMOUNT_END = Decimal(10) ** 14

Value = str | bool


class SettingsError(Exception):
    """The file can't be used; nothing was changed. `errors` has one line each: file, key, reason."""

    def __init__(self, errors: Iterable[str]) -> None:
        self.errors = tuple(errors)
        super().__init__("\n".join(self.errors))


class FileSettings(NamedTuple):
    """What the file says, by the names of `FIELDS`. What it leaves out is absent."""

    organisation_id: str
    defaults: dict[str, Value]
    # By clinic id: what each overrides.
    clinics: dict[str, dict[str, Value]]


class _Bad(NamedTuple):
    """Why a value can't be used."""

    reason: str


def _boolean(value: Any) -> Value | _Bad:
    return value if isinstance(value, bool) else _Bad("must be true or false, without quotes")


def _choice(choices: Iterable[str]) -> Callable[[Any], Value | _Bad]:
    allowed = tuple(choices)
    listed = " or ".join(f'"{choice}"' for choice in allowed)

    def check(value: Any) -> Value | _Bad:
        return value if isinstance(value, str) and value in allowed else _Bad(f"must be {listed}")

    return check


def _text(value: Any) -> Value | _Bad:
    if isinstance(value, int) and not isinstance(value, bool):
        return _Bad(f'must be text: write "{value}" with quotes')
    if not isinstance(value, str):
        return _Bad("must be text in quotes")
    if not value or value != value.strip() or len(value) > _LONGEST_TEXT or not value.isprintable():
        return _Bad(f"must have 1 to {_LONGEST_TEXT} printable characters and no blanks around them")
    return value


def _account(value: Any) -> Value | _Bad:
    text = _text(value)
    if isinstance(text, str) and _ACCOUNT.fullmatch(text) is None:
        return _Bad("must be an account's code (1 to 10 characters, no blanks) or its id (a UUID)")
    return text


def _amount(value: Any) -> Value | _Bad:
    try:
        amount = Decimal(str(value))
        # As the column has it, so that what is written and what is read compare.
        text = f"{amount:.2f}"
        if not isinstance(value, bool) and Decimal(text) == amount and 0 < amount < _AMOUNT_END:
            return text
    except InvalidOperation:
        pass
    return _Bad("must be an amount above 0 with at most two decimal places, such as 100000.00")


_SIMPLE: dict[str, Callable[[Any], Value | _Bad]] = {
    "synchronisation_enabled": _boolean,
    "mode": _choice(Mode),
    "invoice_status": _choice(InvoiceStatus),
    "tenant_id": _text,
    "payment_account": _account,
    "amount_limit": _amount,
}
_CATEGORY: dict[str, Callable[[Any], Value | _Bad]] = {"revenue_account": _account, "tax_type": _text}

# All that can be set, as the columns of `organisation` and `clinic_override` call it.
FIELDS = (*_SIMPLE, *(f"{category}_{key}" for category in CATEGORIES for key in _CATEGORY))


def read_settings_file(path: Path) -> FileSettings:
    """Read and check the file at `path`.

    Raises:
        SettingsError: it can't be read, or not be used; names every fault in it.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError([f"{path}: can't be read: {error.strerror or error}"]) from error
    except UnicodeDecodeError as error:
        raise SettingsError([f"{path}: is not UTF-8 (byte {error.start})"]) from error
    return read_settings(text, str(path))


def read_settings(text: str, name: str) -> FileSettings:
    """Read and check `text`, called `name` in errors. Raises as `read_settings_file`."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError([f"{name}: is not TOML: {error}"]) from error
    return read_settings_document(document, name)


def read_settings_document(document: Mapping[str, Any], name: str) -> FileSettings:
    """Check settings that come in the file's shape, but as a document. Raises as `read_settings_file`."""
    reader = _Reader(name)
    settings = reader.read(document)
    if reader.errors:
        raise SettingsError(reader.errors)
    return settings


class _Reader:
    """Walks a document and collects what is wrong with it."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.errors: list[str] = []

    def read(self, document: Mapping[str, Any]) -> FileSettings:
        for key in document:
            if key not in {"organisation", "clinic"}:
                self._refuse(key, "is unknown; there are [organisation] and [[clinic]]")
        clinics = self._clinics(document.get("clinic", []))
        organisation = document.get("organisation")
        if not isinstance(organisation, dict):
            wrong = "is missing" if organisation is None else "must be one table: a file is of one organisation"
            self._refuse("organisation", wrong)
            return FileSettings("", {}, clinics)
        return FileSettings(
            organisation_id=self._id(organisation, "organisation"),
            defaults=self._values(organisation, "organisation"),
            clinics=clinics,
        )

    def _clinics(self, listed: Any) -> dict[str, dict[str, Value]]:
        if not isinstance(listed, list):
            self._refuse("clinic", "must be written as [[clinic]], once for each clinic")
            return {}
        clinics: dict[str, dict[str, Value]] = {}
        for number, entry in enumerate(listed, start=1):
            place = f"clinic[{number}]"
            if not isinstance(entry, dict):
                self._refuse(place, "must be a table")
                continue
            clinic_id = self._id(entry, place)
            if clinic_id:
                place = f"{place} ({clinic_id})"
                if clinic_id in clinics:
                    self._refuse(place, "is there twice")
            clinics[clinic_id] = self._values(entry, place)
        return clinics

    def _id(self, table: Mapping[str, Any], place: str) -> str:
        if "id" not in table:
            self._refuse(f"{place}.id", "is missing")
            return ""
        return str(self._value(table["id"], _text, f"{place}.id") or "")

    def _values(self, table: Mapping[str, Any], place: str) -> dict[str, Value]:
        values: dict[str, Value | None] = {}
        for key, value in table.items():
            if key in _SIMPLE:
                values[key] = self._value(value, _SIMPLE[key], f"{place}.{key}")
            elif key == "categories":
                values |= self._categories(value, f"{place}.categories")
            elif key != "id":
                self._refuse(f"{place}.{key}", f"is unknown; known are {', '.join(('id', *_SIMPLE, 'categories'))}")
        return {key: value for key, value in values.items() if value is not None}

    def _categories(self, tables: Any, place: str) -> dict[str, Value | None]:
        values: dict[str, Value | None] = {}
        for category, table in self._table(tables, place).items():
            if category not in CATEGORIES:
                self._refuse(f"{place}.{category}", f"is unknown; the categories are {', '.join(CATEGORIES)}")
                continue
            for key, value in self._table(table, f"{place}.{category}").items():
                path = f"{place}.{category}.{key}"
                if key in _CATEGORY:
                    values[f"{category}_{key}"] = self._value(value, _CATEGORY[key], path)
                else:
                    self._refuse(path, f"is unknown; known are {', '.join(_CATEGORY)}")
        return values

    def _value(self, value: Any, check: Callable[[Any], Value | _Bad], path: str) -> Value | None:
        checked = check(value)
        if isinstance(checked, _Bad):
            self._refuse(path, checked.reason)
            return None
        return checked

    def _table(self, value: Any, path: str) -> Mapping[str, Any]:
        if isinstance(value, dict):
            return value
        self._refuse(path, "must be a table")
        return {}

    def _refuse(self, path: str, reason: str) -> None:
        self.errors.append(f"{self._name}: {path}: {reason}")
