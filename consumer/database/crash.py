"""Named points at which a test ends this process with SIGKILL, to show that nothing depends on a good moment.

`CRASH_POINT=name` kills at the first pass of the point `name`, `CRASH_POINT=name:3` at the third.
`CRASH_POINTS_FILE=path` appends the name of each point passed to that file. Without the two, a point costs nothing.
"""

import os
import signal
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

# Every boundary between two things that can't be done at once. A test kills a process at each of them.
CRASH_POINTS: Mapping[str, str] = MappingProxyType(
    {
        "projection.after_claim": "partitions are claimed in Postgres, and not read yet",
        "projection.after_swap": "the offsets are moved, in an open transaction",
        "projection.before_commit": "offsets and orders are written, in an open transaction",
        "projection.after_commit": "a batch is in Postgres, and Kafka's offsets don't know yet",
        "push.after_claim": "orders are claimed and the attempt is counted, nothing is decided",
        "push.after_intent": "a call is on record, and nothing of it has left",
        "push.after_send": "the request is written to the socket, the answer not read",
        "push.after_answer": "the answer is read, and nothing of it is written down",
        "push.before_result": "all is ready to be written down",
        "push.after_result": "the result is in Postgres",
        "push.after_look_up": "the fate of a lost call is known, and not written down",
        "tokens.after_refresh": "Xero gave new tokens, which are not stored",
        "settle.before_commit": "a person's settlement is written, in an open transaction",
        "relay.before_produce": "messages are read from the outbox",
        "relay.after_produce": "messages are handed to Kafka's client, none is acknowledged for certain",
        "relay.before_delete": "messages are acknowledged and still in the outbox",
        "relay.after_delete": "messages are gone from the outbox",
    }
)

_POINT, _, _NTH = os.environ.get("CRASH_POINT", "").partition(":")
_FILE = os.environ.get("CRASH_POINTS_FILE", "")
_ACTIVE = bool(_POINT or _FILE)
_passed: Counter[str] = Counter()


def crash_point(name: str) -> None:
    """Do nothing, unless the environment says to die here or to note that this point of `CRASH_POINTS` was passed."""
    if not _ACTIVE:
        return
    _passed[name] += 1
    if _FILE:
        with Path(_FILE).open("a", encoding="utf-8") as file:
            file.write(f"{name}\n")
    if name == _POINT and _passed[name] == int(_NTH or 1):
        os.kill(os.getpid(), signal.SIGKILL)
