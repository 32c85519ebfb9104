"""What Xero's import tells documents and contacts apart by: their numbers and names. Pure.

Two documents of one number become one there, and two patients of one name share a contact, so neither may happen.
"""

import re
from collections.abc import Callable
from functools import cache

from consumer.orders import Patient
from consumer.sync.planning import bodies
from consumer.xero.payloads import NAME_CHARACTERS

# What a spreadsheet takes for the beginning of a formula, in its plain and its wide form.
_FORMULA = frozenset("=+-@\uff1d\uff0b\uff0d\uff20")
# Whatever begins a formula of these and nothing else calls nothing and fetches nothing: for that, there must be a
# bracket, a bar, a quotation mark, a colon or an exclamation mark.
_TAME = re.compile(r"[\w =+@./#\uff1d\uff0b\uff0d\uff20-]*")


def harmless(text: str) -> str:
    """Return `text` so that no spreadsheet takes it for a formula: an apostrophe goes before what could be one."""
    return f"'{text}" if _begins_formula(text) else text


def can_stand_plain(text: str) -> bool:
    """Whether `text` may go into a cell just as it is, and do no harm in a spreadsheet.

    For numbers and ids: with an apostrophe before it, a number is another number, under which Xero would have the
    document a second time.
    """
    return not _begins_formula(text) or _TAME.fullmatch(text) is not None


def contact_name(patient: Patient, *, is_taken: bool, start_is_taken: bool) -> str:
    """Return the name of a contact that is yet to be made.

    `is_taken`: another patient bears the name. Then each of them gets the suffix that the live sync would give, as soon
    as there are two of them: who came first is not known, and one who had the plain name in an earlier file would
    share a contact with another who gets it now. `start_is_taken`: so does one whose id begins alike.
    """
    name = bodies.contact_name(patient)
    return bodies.suffixed_name(name, patient.patient_id, whole_id=start_is_taken) if is_taken else name


def patterns() -> dict[str, str | int]:
    """Return what the database must know to take for alike what `bodies` and Xero do: parameters of the query."""
    return {
        "spaces": _one_of(str.isspace, ""),
        "blanks": _one_of(_shows_nothing, "<>"),
        "name_length": NAME_CHARACTERS,
    }


def _begins_formula(text: str) -> bool:
    return text.lstrip()[:1] in _FORMULA


def _shows_nothing(char: str) -> bool:
    return not char.isprintable() or char.isspace()


@cache
def _one_of(belongs: Callable[[str], bool], more: str) -> str:
    """Return a pattern for any run of the characters that belong there, for Postgres."""
    ranges: list[list[int]] = []
    for code in range(1, 0x10000):
        if 0xD800 <= code < 0xE000 or not belongs(chr(code)):  # noqa: PLR2004 -- halves of pairs are no characters
            continue
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return f"[{more}" + "".join(rf"\u{first:04X}-\u{last:04X}" for first, last in ranges) + "]+"
