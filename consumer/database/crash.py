"""Named points at which a test ends this process with SIGKILL, to show that nothing depends on a good moment.

`CRASH_POINT=name` kills at the first pass of the point `name`, `CRASH_POINT=name:3` at the third.
`CRASH_POINTS_FILE=path` appends the name of each point passed to that file. Without the two, a point costs nothing.
"""

import os
import signal
from collections import Counter
from pathlib import Path

_POINT, _, _NTH = os.environ.get("CRASH_POINT", "").partition(":")
_FILE = os.environ.get("CRASH_POINTS_FILE", "")
_ACTIVE = bool(_POINT or _FILE)
_passed: Counter[str] = Counter()


def crash_point(name: str) -> None:
    """Do nothing, unless the environment says to die here or to note that this point was passed."""
    if not _ACTIVE:
        return
    _passed[name] += 1
    if _FILE:
        with Path(_FILE).open("a", encoding="utf-8") as file:
            file.write(f"{name}\n")
    if name == _POINT and _passed[name] == int(_NTH or 1):
        os.kill(os.getpid(), signal.SIGKILL)
