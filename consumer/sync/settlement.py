"""A settlement: somebody's word that an order is left alone, how, and until when. Pure."""

import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple

import msgspec

REASON_CHARACTERS_MAX = 500


class SettledAs(StrEnum):
    """The ways in which a person can close an order's failure."""

    DONE_IN_XERO = "done-in-xero"
    DO_NOT_SEND = "do-not-send"
    UNTIL_IT_CHANGES = "until-it-changes"


class Words(NamedTuple):
    """What people call a way, when it is the right one, and what a further change of the order in HearLink does."""

    label: str
    meaning: str
    next_change: str


_COMES_BACK = "A further change of the order in HearLink brings it back, and all of it is compared with Xero then."

WORDS: dict[SettledAs, Words] = {
    SettledAs.DONE_IN_XERO: Words(
        "done in Xero", "Somebody put into Xero by hand what the order lacked there.", _COMES_BACK
    ),
    SettledAs.DO_NOT_SEND: Words(
        "do not send",
        "Nothing more of the order is to go to Xero, whatever becomes of it.",
        "A further change of the order in HearLink is not sent either.",
    ),
    SettledAs.UNTIL_IT_CHANGES: Words(
        "leave it until it changes", "Xero is right as it is, or the order will be corrected in HearLink.", _COMES_BACK
    ),
}


class ReasonError(ValueError):
    """A reason that can't be taken; the text says why."""


class Settlement(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody settled.

    `problem` is the code of what the order failed for then. `changed`: HearLink changed the order since; `told`: the
    log says already that this is not sent.
    """

    order_id: str
    settled_as: SettledAs
    reason: str
    actor: str
    settled_at: datetime
    problem: str | None = None
    changed: bool = False
    told: bool = False

    @property
    def stands(self) -> bool:
        """Whether the order is still left alone."""
        return self.settled_as is SettledAs.DO_NOT_SEND or not self.changed

    @property
    def is_news(self) -> bool:
        """Whether a change is not sent that the log doesn't tell of."""
        return self.stands and self.changed and not self.told

    def values(self) -> dict[str, str]:
        """Return what the catalogue's words need."""
        words = WORDS[self.settled_as]
        return {
            "order_id": self.order_id,
            "way": words.label,
            "actor": self.actor,
            "settled_on": f"{self.settled_at.astimezone(UTC):%d %B %Y}".lstrip("0"),
            "reason": self.reason,
            "next_change": words.next_change,
        }


def read_reason(text: str | None) -> str:
    """Return `text` as a reason is kept, on one line.

    Raises:
        ReasonError: it says nothing, or more than REASON_CHARACTERS_MAX characters.
    """
    reason = re.sub(r"[\s\x00-\x1f\x7f]+", " ", text or "").strip()
    if not re.search(r"\w", reason):
        raise ReasonError("Say why: whoever looks at the order later has nothing else to go by.")
    if len(reason) > REASON_CHARACTERS_MAX:
        raise ReasonError(
            f"The reason has {len(reason)} characters, and there is room for {REASON_CHARACTERS_MAX}. Say it shorter."
        )
    return reason
