"""What the README tells a newcomer to run, as it stands there: from an empty database to an invoice in Xero."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.service import PATIENCE_SECONDS, Service
from tests.sync.books import line

pytestmark = pytest.mark.timeout(180)

_README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
# Whoever connects looks at a page and consents; the simulator's page consents by itself.
_BROWSER = "import sys, urllib.request; urllib.request.urlopen(sys.argv[1], timeout=30).read()"


def test_the_commands_of_the_quick_start_bring_an_order_to_xero(service: Service) -> None:
    (block,) = re.findall(r"```sh\n(hearlink-xero migrate\n.*?)```", _README, re.DOTALL)
    (settings,) = re.findall(r"```toml\n(.*?)```", _README, re.DOTALL)
    (tenant_id,) = re.findall(r'tenant_id = "(.*)"', settings)
    *commands, run = block.splitlines()
    assert run.startswith("hearlink-xero run ")
    service.simulator.control.demo_tenant("Harbour Hearing", tenant_id=tenant_id)
    (service.folder / "settings.toml").write_text(settings, encoding="utf-8")
    browser = service.folder / "browser"
    browser.write_text(f"#!{sys.executable}\n{_BROWSER}\n", encoding="utf-8")
    browser.chmod(0o755)
    service.environment |= {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "BROWSER": f"{browser} %s",
    }
    # In production the topics are declared; see deploy/.
    service.expect("topics", "ensure", "--partitions", "3")
    subprocess.run(
        ["bash", "-e", "-c", "\n".join(commands)],
        cwd=service.folder,
        env=service.environment,
        timeout=PATIENCE_SECONDS,
        check=True,
    )
    with service.start() as running:
        running.wait_for("partitions_assigned")
        service.send_invoice("order-1", lines=[line(category="HEARING_AIDS")])
        assert service.wait_until_quiet()["failed"] == 0
        (made,) = service.simulator.control.ledger(tenant_id)["Invoices"]
        assert made["InvoiceNumber"] == "WH-order-1"
        assert running.stop() == 0
