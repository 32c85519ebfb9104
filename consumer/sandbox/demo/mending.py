"""Two problems of the month, who mends them, and what is to be typed then."""

from collections.abc import Callable
from typing import NamedTuple

from consumer.sandbox.clinics import settings_text
from consumer.sandbox.demo.parts import Parts


class Mending(NamedTuple):
    """What mends the problem `code`: an act of somebody, told in `done`, and commands after it."""

    code: str
    act: Callable[[Parts], object]
    done: str
    commands: tuple[tuple[str, ...], ...]


def _write_mended_settings(parts: Parts) -> None:
    (parts.folder / "mended.toml").write_text(settings_text(parts.tenant_ids, mended=True))


def _open_books(parts: Parts) -> None:
    parts.xero.call("set_lock_dates", tenant_id=parts.tenant_ids[0], period=None)


MENDINGS = (
    # Settings that change let go by themselves what they held.
    Mending(
        "account_archived",
        _write_mended_settings,
        "Clinic 2 no longer has an account of its own for custom items:",
        (("settings", "apply", "mended.toml"),),
    ),
    # What is mended in Xero is known there alone, so somebody has to ask.
    Mending(
        "period_locked",
        _open_books,
        "In Xero, the accountant opens the books again:",
        (("retry", "--problem", "period_locked"),),
    ),
)
