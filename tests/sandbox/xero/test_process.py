import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import requests


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_process_says_where_it_is_and_ends_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    tenants = tmp_path / "tenants.json"
    tenants.write_text(json.dumps([{"name": "A", "limits": {"per_minute": 7}}, {"name": "B"}]))
    command = [sys.executable, "-m", "consumer.sandbox.xero", "--client-id", "c", "--tenants", str(tenants)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        said = json.loads(process.stdout.readline())
        assert said["client_id"] == "c"
        assert [tenant["name"] for tenant in said["tenants"]] == ["A", "B"]
        now = requests.get(f"{said['url']}/simulator/now", timeout=30)
        assert now.status_code == 200
        process.send_signal(number)
        assert process.wait(timeout=30) == 0
        assert process.stderr.read() == ""


def test_the_simulator_and_the_service_know_nothing_of_each_other() -> None:
    program = (
        "import sys, consumer.sandbox.xero; "
        "print([name for name in sys.modules if name.startswith('consumer.')"
        " and not name.startswith('consumer.sandbox')])"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
