"""What the next page tells a visitor once: kept in their session, so that no address can put words into our mouth."""

from typing import Literal

from starlette.requests import Request

_SESSION_KEY = "notes"
# The session is a cookie: browsers take 4 kB.
_MOST_NOTES, _LONGEST_NOTE = 3, 400

Tone = Literal["good", "note", "bad"]


def add_note(request: Request, text: str, tone: Tone = "good") -> None:
    """Have the next page say `text`."""
    notes = request.session.get(_SESSION_KEY, [])
    request.session[_SESSION_KEY] = [*notes, {"text": text[:_LONGEST_NOTE], "tone": tone}][-_MOST_NOTES:]


def take_notes(request: Request) -> list[dict[str, str]]:
    """Return what is to be told now, and not again."""
    notes: list[dict[str, str]] = request.session.pop(_SESSION_KEY, [])
    return notes
