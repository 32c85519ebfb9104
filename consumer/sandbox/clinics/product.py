"""What the sample clinics sell."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from random import Random

from consumer.orders import ProductCategory


@dataclass(frozen=True, slots=True)
class Product:
    """A product with its list price; `most` is the largest quantity that people buy."""

    sku: str
    category: ProductCategory
    description: str
    unit_price: Decimal
    most: int = 1


def _product(sku: str, category: ProductCategory, description: str, unit_price: str, most: int = 1) -> Product:
    return Product(sku, category, description, Decimal(unit_price), most)


_AIDS, _ACCESSORIES = ProductCategory.HEARING_AIDS, ProductCategory.ACCESSORIES
_SERVICES, _CUSTOM = ProductCategory.SERVICES, ProductCategory.CUSTOM_ITEMS

PRODUCTS: Mapping[ProductCategory, tuple[Product, ...]] = {
    _AIDS: (
        _product("HA-ESS-1", _AIDS, "Hearing aid, essential, one ear", "595"),
        _product("HA-STD-2", _AIDS, "Hearing aids, standard, pair", "1495"),
        _product("HA-ADV-2", _AIDS, "Hearing aids, advanced, pair", "2295"),
        _product("HA-PRE-2", _AIDS, "Hearing aids, premium, pair", "3195"),
    ),
    _ACCESSORIES: (
        # Prices of four places, as a price list per piece has them.
        _product("AC-312", _ACCESSORIES, "Batteries, size 312", "0.4158", most=60),
        _product("AC-DRY", _ACCESSORIES, "Drying capsule", "0.8333", most=12),
        _product("AC-WAX", _ACCESSORIES, "Wax guards, pack", "8.50", most=3),
        _product("AC-CHG", _ACCESSORIES, "Charger", "145"),
        _product("AC-TVS", _ACCESSORIES, "TV streamer", "189"),
    ),
    _SERVICES: (
        _product("SV-ASS", _SERVICES, "Hearing assessment", "45"),
        _product("SV-WAX", _SERVICES, "Ear wax removal", "75"),
        _product("SV-REP", _SERVICES, "Repair, out of warranty", "95"),
        _product("SV-FIT", _SERVICES, "Fitting appointment", "120"),
        _product("SV-CAR", _SERVICES, "Aftercare, one year", "150"),
    ),
    _CUSTOM: (
        _product("CU-MLD", _CUSTOM, "Ear mould, made to measure", "65", most=2),
        _product("CU-SWM", _CUSTOM, "Swim plugs, made to measure", "89"),
        _product("CU-MUS", _CUSTOM, "Ear protection for musicians", "165"),
    ),
}


def any_product(rng: Random, category: ProductCategory) -> Product:
    """Return one product of `category`."""
    return rng.choice(PRODUCTS[category])
