"""The simulator's memory in a file: what a simulator held is there again when it comes back."""

import pickle
from pathlib import Path

from consumer.sandbox.xero.world import World

# Not the faults, which a test sets up, nor the calls, which nobody asks for later.
_KEPT = ("clock", "default_limits", "identity", "limiter", "idempotency", "ledgers")


class BooksError(Exception):
    """The file can't be used; the message says which, why, and what to do."""


def save_books(world: World, path: Path) -> None:
    """Write what `world` holds to `path`, all of it or nothing.

    Raises:
        OSError: it can't be written.
    """
    with world.lock:
        content = pickle.dumps({name: getattr(world, name) for name in _KEPT})
    draft = path.with_name(f"{path.name}.new")
    draft.write_bytes(content)
    draft.replace(path)


def load_books(world: World, path: Path) -> bool:
    """Give `world` what `path` holds, and return whether there was anything. Only for files of `save_books`.

    Raises:
        BooksError: the file is another version's, or none of ours.
        OSError: it can't be read.
    """
    if not path.exists():
        return False
    try:
        kept = pickle.loads(path.read_bytes())  # noqa: S301 - the simulator's own file, which nobody else writes
        values = [kept[name] for name in _KEPT]
    except (pickle.UnpicklingError, EOFError, AttributeError, ImportError, LookupError, TypeError, ValueError) as error:
        raise BooksError(
            f"The books in {path} can't be read ({error}): another version wrote them, or something else did. "
            "Remove the file to begin afresh."
        ) from error
    with world.lock:
        # What came by the command line counts, not what came by it last time.
        apps = world.identity.apps
        for name, value in zip(_KEPT, values, strict=True):
            setattr(world, name, value)
        world.identity.apps.update(apps)
    return True
