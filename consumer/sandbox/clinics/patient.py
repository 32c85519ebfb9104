"""Patients that plainly are samples: trees for first names, and surnames that say so."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from random import Random
from typing import Any

_FIRST_NAMES = (
    "Alder",
    "Ash",
    "Aspen",
    "Birch",
    "Cedar",
    "Elder",
    "Fern",
    "Hawthorn",
    "Hazel",
    "Holly",
    "Hornbeam",
    "Ivy",
    "Juniper",
    "Larch",
    "Laurel",
    "Linden",
    "Maple",
    "Myrtle",
    "Olive",
    "Poplar",
    "Rowan",
    "Spruce",
    "Sycamore",
    "Willow",
)
_SURNAMES = (
    "Sampleton",
    "Exampleby",
    "Demoford",
    "Testwick",
    "Mockridge",
    "Placeham",
    "Dummerby",
    "Trialstone",
    "Pretendale",
    "Showcase",
    "Fillerman",
    "Modelby",
)
# Shares of the patients.
_WITH_EMAIL, _WITH_PHONE, _WITH_ADDRESS, _WITH_FLAT = 0.8, 0.9, 0.85, 0.15
_STREETS = ("Sample Street", "Example Lane", "Placeholder Road", "Demo Crescent", "Model Way")
_TOWNS = ("Sampleham", "Exampleford", "Testbridge", "Demominster")


@dataclass(frozen=True, slots=True)
class SamplePatient:
    """A patient at one moment, by the contract's fields; the address is the contract's document."""

    patient_id: str
    first_name: str
    last_name: str
    email: str | None = None
    phone: str | None = None
    address: dict[str, Any] | None = None

    def renamed(self, last_name: str) -> "SamplePatient":
        """Return the same person under another surname."""
        return replace(self, last_name=last_name)

    def document(self) -> dict[str, Any]:
        """Return the contract's record."""
        return {
            "patient_id": self.patient_id,
            "first_name": self.first_name,
            "last_name": self.last_name,
            "email": self.email,
            "phone": self.phone,
            "address": self.address,
        }


class PatientRegister:
    """Hands out new patients, each with a name that no other has, and remembers them.

    `mark` is part of their ids and surnames, which sets them apart from those of another register.
    """

    def __init__(self, rng: Random, mark: str = "") -> None:
        self._rng = rng
        self._mark = mark
        self._names = _names(rng)
        self.patients: list[SamplePatient] = []

    def add(self, **changes: Any) -> SamplePatient:
        """Register a new patient; `changes` overrule what would be made up."""
        number = len(self.patients) + 1
        first_name, last_name = next(self._names)
        patient = SamplePatient(
            patient_id=f"patient-{self._mark}{number:05d}",
            first_name=first_name,
            last_name=f"{last_name}-{self._mark.rstrip('-')}" if self._mark else last_name,
            # Addresses of example.com, and numbers that British telephony keeps for drama, reach nobody.
            email=f"patient{number}@example.com" if self._rng.random() < _WITH_EMAIL else None,
            phone=f"020 7946 0{self._rng.randrange(1000):03d}" if self._rng.random() < _WITH_PHONE else None,
            address=self._address() if self._rng.random() < _WITH_ADDRESS else None,
        )
        patient = replace(patient, **changes)
        self.patients.append(patient)
        return patient

    def _address(self) -> dict[str, Any]:
        return {
            "line1": f"{self._rng.randint(1, 199)} {self._rng.choice(_STREETS)}",
            "line2": "Flat 2" if self._rng.random() < _WITH_FLAT else None,
            "city": self._rng.choice(_TOWNS),
            "region": None,
            "postal_code": f"ZZ{self._rng.randint(1, 99)} {self._rng.randint(1, 9)}ZZ",
            "country": "GB",
        }


def _names(rng: Random) -> Iterator[tuple[str, str]]:
    """Yield names without end and without repetition: single surnames first, then double and longer ones."""
    length = 1
    while True:
        names = [(first, "-".join(surnames)) for first, *surnames in product(_FIRST_NAMES, *[_SURNAMES] * length)]
        rng.shuffle(names)
        yield from names
        length += 1
