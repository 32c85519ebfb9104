"""The service's own command, in a process that waits less for Xero: `python -m tests.chaos.worker SECONDS run ...`.

SECONDS take the place of the safe wait after a lost answer: the simulator is never so long at work on a call.
"""

import dataclasses
import sys
from functools import cached_property

from consumer import cli
from consumer.cli import run
from consumer.operations.assembly import Assembly
from consumer.sync.services import Patience, Services


def main() -> None:
    patience = Patience(safe_wait_seconds=float(sys.argv[1]), again_seconds=0.5, pause_seconds=0.2)

    class HastyAssembly(Assembly):
        @cached_property
        def services(self) -> Services:
            services: Services = vars(Assembly)["services"].func(self)
            return dataclasses.replace(services, patience=patience)

    vars(run)["Assembly"] = HastyAssembly
    sys.argv = ["hearlink-xero", *sys.argv[2:]]
    cli.main()


if __name__ == "__main__":
    main()
