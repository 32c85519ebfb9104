"""What can go wrong with a message, as a tree that says what to do.

ValueError
├── UndecodableError          the bytes can't be read: dead letter
└── ImpossibleEventError      (consumer.orders) read, but can't be true: dead letter
    └── ImpossibleValueError  found while reading, when there is no event yet to take the ids from
RegistryUnavailableError      the schema registry doesn't answer: wait and try again, never a dead letter
"""

from consumer.orders import ImpossibleEventError


class UndecodableError(ValueError):
    """The message can't be read, now or later: it goes to the dead letters.

    `order_id` and `organisation_id` are known only where the bytes could be read and the contract was broken after
    that.
    """

    def __init__(self, text: str, *, order_id: str | None = None, organisation_id: str | None = None) -> None:
        super().__init__(text)
        self.order_id = order_id
        self.organisation_id = organisation_id


class ImpossibleValueError(ImpossibleEventError):
    """A value was read that can't be true, such as an amount with 30 digits: it goes to the dead letters."""

    def __init__(self, text: str, *, order_id: str | None = None, organisation_id: str | None = None) -> None:
        super().__init__(text)
        self.order_id = order_id
        self.organisation_id = organisation_id


class RegistryUnavailableError(Exception):
    """The schema registry can't be asked at present; the message may be perfectly good. Wait and try again."""
