"""Sample clinics: a month of orders as clinics work, the same in every run. Nobody and nothing in it is real.

`sample_month` gives the events in the order in which they are published; the key of each message is its order id.
`sample_traffic` gives such events without end, each start others.
`bulk_messages` gives as many encoded events as a benchmark wants, quickly.
"""

from consumer.sandbox.clinics.book import FIRST_DAY, LOCKED_UNTIL
from consumer.sandbox.clinics.bulk import bulk_messages
from consumer.sandbox.clinics.clinic import (
    ARCHIVED_ACCOUNT,
    CLINICS,
    ORGANISATION_ID,
    TENANT_IDS,
    TENANT_NAMES,
    SampleClinic,
    settings_text,
)
from consumer.sandbox.clinics.month import sample_month
from consumer.sandbox.clinics.patient import SamplePatient
from consumer.sandbox.clinics.script import OrderScript, SampleLine
from consumer.sandbox.clinics.traffic import sample_traffic

__all__ = [
    "ARCHIVED_ACCOUNT",
    "CLINICS",
    "FIRST_DAY",
    "LOCKED_UNTIL",
    "ORGANISATION_ID",
    "TENANT_IDS",
    "TENANT_NAMES",
    "OrderScript",
    "SampleClinic",
    "SampleLine",
    "SamplePatient",
    "bulk_messages",
    "sample_month",
    "sample_traffic",
    "settings_text",
]
