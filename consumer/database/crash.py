"""Named places where a process may be made to die, so that tests can show that nothing is lost or doubled there.

`CRASH_POINT=name` kills the process (SIGKILL) when it first passes the point, `CRASH_POINT=name:3` at the third time.
`CRASH_POINTS_PASSED=file` appends the name of every point when it is first passed: how tests see that none was missed.
Unset, which is how it runs in production, a point costs one look at a global.
"""

import os
import signal
from pathlib import Path
from threading import Lock

_wanted, _, _nth = os.environ.get("CRASH_POINT", "").partition(":")
_passed_file = os.environ.get("CRASH_POINTS_PASSED", "")
_armed = bool(_wanted or _passed_file)
_times: dict[str, int] = {}
_lock = Lock()


def crash_point(name: str) -> None:
    """Die here if the environment says so."""
    if not _armed:
        return
    with _lock:
        times = _times[name] = _times.get(name, 0) + 1
        if times == 1 and _passed_file:
            with Path(_passed_file).open("a", encoding="utf-8") as file:
                file.write(f"{name}\n")
        if name == _wanted and times == int(_nth or 1):
            os.kill(os.getpid(), signal.SIGKILL)
