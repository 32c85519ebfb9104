"""The service's own command, whose loops stand still while a file says so.

`python -m tests.deploy.live.disturbed FOLDER run ...`: FOLDER/projection stops the poll loop, FOLDER/push the pushing
threads, FOLDER/lag the look at the lag, as a fault in our code would; all else goes on. FOLDER/broken ends the
projection with an exception.
"""

import sys
import time
from pathlib import Path
from typing import Any

from consumer import cli
from consumer.projection import LagWatch
from consumer.projection.projection import Projection
from consumer.sync.pusher import Pusher


def main() -> None:
    folder = Path(sys.argv[1])
    _disturb(Projection, "_step", folder / "projection", folder / "broken")
    _disturb(LagWatch, "look", folder / "lag", folder / "nothing")
    _disturb(Pusher, "_round", folder / "push", folder / "nothing")
    sys.argv = ["hearlink-xero", *sys.argv[2:]]
    cli.main()


def _disturb(loop: type, step: str, stuck: Path, broken: Path) -> None:
    go_round = getattr(loop, step)

    def disturbed(*arguments: Any) -> Any:
        while stuck.exists():
            time.sleep(0.05)
        if broken.exists():
            raise RuntimeError
        return go_round(*arguments)

    setattr(loop, step, disturbed)


if __name__ == "__main__":
    main()
