"""OAuth scopes: which exist, and which one an endpoint asks for."""

GRANULAR_SCOPES = frozenset(
    {
        "accounting.invoices",
        "accounting.invoices.read",
        "accounting.payments",
        "accounting.payments.read",
    }
)
BROAD_SCOPES = frozenset({"accounting.transactions", "accounting.transactions.read"})
COMMON_SCOPES = frozenset(
    {
        "openid",
        "profile",
        "email",
        "offline_access",
        "accounting.contacts",
        "accounting.contacts.read",
        "accounting.settings",
        "accounting.settings.read",
        "accounting.attachments",
        "accounting.attachments.read",
    }
)
_AREAS = {
    "Organisation": ("accounting.settings",),
    "Accounts": ("accounting.settings",),
    "TaxRates": ("accounting.settings",),
    "Contacts": ("accounting.contacts",),
    "Invoices": ("accounting.invoices", "accounting.transactions"),
    "CreditNotes": ("accounting.invoices", "accounting.transactions"),
    "Payments": ("accounting.payments", "accounting.transactions"),
}


def known_scopes(*, broad: bool) -> frozenset[str]:
    """What an app may ask for. Apps made on or after 2 March 2026 have no broad scopes."""
    return COMMON_SCOPES | GRANULAR_SCOPES | (BROAD_SCOPES if broad else frozenset())


def scopes_for(endpoint: str, method: str) -> frozenset[str]:
    """The scopes of which one is enough for a call."""
    areas = _AREAS[endpoint]
    return frozenset((*areas, *(f"{area}.read" for area in areas))) if method == "GET" else frozenset(areas)
