"""The organisation, its three clinics, and the settings that fit them."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from consumer.orders import ProductCategory

ORGANISATION_ID = "org-1"
# Clinics 1 and 2 keep their books together, clinic 3 has its own.
TENANT_NAMES = ("Harbour Hearing", "Hilltop Hearing")
# Under these ids `hearlink-xero sandbox xero` has them, so that the settings fit each start.
TENANT_IDS = ("0c7f4a52-6f0e-4d1b-9a57-000000000001", "0c7f4a52-6f0e-4d1b-9a57-000000000002")
# Clinic 2 books custom items here. In the demo the bookkeeper has archived it, so that something is to be mended.
ARCHIVED_ACCOUNT = "260"

_STANDARD_TAX = Decimal(20)
_NO_TAX = Decimal(0)


@dataclass(frozen=True, slots=True)
class SampleClinic:
    """One clinic; `tax_percent` is what its settings below come to, for HearLink's own sums."""

    clinic_id: str
    tenant_name: str
    # Clinics 1 and 3 count alike, which is no clash: their books are apart.
    number_prefix: str
    prices_include_tax: bool
    tax_percent: Mapping[ProductCategory, Decimal]
    # Its orders wait until a person asks for them.
    manual: bool = False


_TAX_PERCENT = {
    ProductCategory.HEARING_AIDS: _NO_TAX,
    ProductCategory.ACCESSORIES: _STANDARD_TAX,
    ProductCategory.SERVICES: _NO_TAX,
    ProductCategory.CUSTOM_ITEMS: _STANDARD_TAX,
}

CLINICS = (
    SampleClinic("clinic-1", TENANT_NAMES[0], "WH", prices_include_tax=True, tax_percent=_TAX_PERCENT),
    SampleClinic("clinic-2", TENANT_NAMES[0], "MD", prices_include_tax=True, tax_percent=_TAX_PERCENT),
    SampleClinic(
        "clinic-3",
        TENANT_NAMES[1],
        "WH",
        prices_include_tax=False,
        tax_percent={**_TAX_PERCENT, ProductCategory.SERVICES: _STANDARD_TAX},
        manual=True,
    ),
)

_SETTINGS = """\
[organisation]
id = "{organisation_id}"
synchronisation_enabled = true
mode = "auto"
invoice_status = "authorised"
tenant_id = "{first_tenant}"
payment_account = "090"

[organisation.categories.hearing_aids]
revenue_account = "210"
tax_type = "ZERORATEDOUTPUT"
[organisation.categories.accessories]
revenue_account = "220"
tax_type = "OUTPUT2"
[organisation.categories.services]
revenue_account = "230"
tax_type = "EXEMPTOUTPUT"
[organisation.categories.custom_items]
revenue_account = "200"
tax_type = "OUTPUT2"

[[clinic]]
id = "clinic-1"

# Invoices of clinic 2 start as drafts, for somebody to look at.
[[clinic]]
id = "clinic-2"
invoice_status = "draft"
{custom_items}
# Clinic 3 has books of its own and sends orders on request.
[[clinic]]
id = "clinic-3"
mode = "manual"
tenant_id = "{second_tenant}"
payment_account = "092"
[clinic.categories.services]
revenue_account = "200"
tax_type = "OUTPUT2"
"""

_CUSTOM_ITEMS = f"""\
[clinic.categories.custom_items]
revenue_account = "{ARCHIVED_ACCOUNT}"
"""


def settings_text(tenant_ids: tuple[str, str], *, mended: bool = False) -> str:
    """Return the settings file, as `settings apply` takes it, for the two tenants of `TENANT_NAMES`.

    `mended` leaves out what names the archived account, so that clinic 2 inherits the organisation's.
    """
    return _SETTINGS.format(
        organisation_id=ORGANISATION_ID,
        first_tenant=tenant_ids[0],
        second_tenant=tenant_ids[1],
        custom_items="" if mended else _CUSTOM_ITEMS,
    )
