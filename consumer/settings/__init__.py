"""Settings: an organisation's defaults, its clinics' overrides, their resolution. Knows nothing of orders."""

from consumer.settings.clinic_settings import (
    CATEGORIES,
    CategorySettings,
    ClinicSettings,
    InvoiceStatus,
    Mode,
    load_clinic_settings,
)

__all__ = [
    "CATEGORIES",
    "CategorySettings",
    "ClinicSettings",
    "InvoiceStatus",
    "Mode",
    "load_clinic_settings",
]
