"""Settings: an organisation's defaults, its clinics' overrides, their resolution. Knows nothing of orders."""

from consumer.settings.application import Difference, apply_settings, lock_settings
from consumer.settings.check import (
    Finding,
    Level,
    check_settings,
    payment_account_fault,
    takes_payments,
    takes_revenue,
)
from consumer.settings.clinic_settings import (
    AMOUNT_LIMIT,
    CATEGORIES,
    CategorySettings,
    ClinicSettings,
    InvoiceStatus,
    Mode,
    load_clinic_settings,
)
from consumer.settings.overview import ClinicOverview, SettingsOverview, load_overview
from consumer.settings.settings_file import (
    FIELDS,
    FileSettings,
    SettingsError,
    read_settings,
    read_settings_document,
    read_settings_file,
)

__all__ = [
    "AMOUNT_LIMIT",
    "CATEGORIES",
    "FIELDS",
    "CategorySettings",
    "ClinicOverview",
    "ClinicSettings",
    "Difference",
    "FileSettings",
    "Finding",
    "InvoiceStatus",
    "Level",
    "Mode",
    "SettingsError",
    "SettingsOverview",
    "apply_settings",
    "check_settings",
    "load_clinic_settings",
    "load_overview",
    "lock_settings",
    "payment_account_fault",
    "read_settings",
    "read_settings_document",
    "read_settings_file",
    "takes_payments",
    "takes_revenue",
]
