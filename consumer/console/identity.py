"""Who visits, and what they may do."""

from collections.abc import Collection
from enum import StrEnum

import msgspec

from consumer.configuration import ConsoleSettings


class Permission(StrEnum):
    """What a route asks for. Who may sync or manage may look as well."""

    VIEW = "view"
    SYNC = "sync"
    MANAGE = "manage"


EVERYTHING = frozenset(Permission)


class Identity(msgspec.Struct, frozen=True):
    """A person who is signed in. `organisations` None = all there are."""

    user: str
    permissions: frozenset[Permission]
    organisations: tuple[str, ...] | None

    def may(self, permission: Permission) -> bool:
        """Whether they may do what asks for `permission`."""
        return permission in self.permissions

    def belongs_to(self, organisation_id: str) -> bool:
        """Whether the organisation is one of theirs."""
        return self.organisations is None or organisation_id in self.organisations


def permissions_of(groups: Collection[str], settings: ConsoleSettings) -> frozenset[Permission]:
    """Return what members of `groups` may do."""
    wanted = (
        (Permission.SYNC, settings.sync_groups),
        (Permission.MANAGE, settings.manage_groups),
    )
    granted = {permission for permission, names in wanted if not names.isdisjoint(groups)}
    if granted or not settings.view_groups.isdisjoint(groups):
        granted.add(Permission.VIEW)
    return frozenset(granted)
