"""What deploy/README.md says under "On one machine", as shell scripts."""

import re

from tests.deploy.containers.engine import REPOSITORY, compose_services, has_image

_SECTION = "On one machine"
# A machine without an image registry can have everything but these.
CAN_BE_MISSING = frozenset({"grafana"})


def scripts() -> list[str]:
    """The section's blocks of sh: start, connect and send, stop and go on.

    They are as they are written, but for a service whose image is not to be had here: then the others are named.
    """
    text = (REPOSITORY / "deploy/README.md").read_text(encoding="utf-8")
    section = text.partition(f"\n## {_SECTION}\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    there = services_here()
    if len(there) < len(compose_services()):
        blocks = [re.sub(r"(?m)^(docker compose .* up .*)$", rf"\1 {' '.join(there)}", block) for block in blocks]
    return blocks


def services_here() -> list[str]:
    """The services of the compose file, without one whose image can't be had here."""
    services = compose_services()
    return [name for name in services if name not in CAN_BE_MISSING or has_image(services[name]["image"])]


def exports(script: str) -> str:
    return "".join(f"{line}\n" for line in script.splitlines() if line.startswith("export "))
