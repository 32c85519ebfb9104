"""The whole story in a real browser, with the real service: connect, configure, push, fail, explain, mend, retry,
disconnect, reconnect, export."""

import io
import os
import subprocess
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, expect

from consumer.orders import ChangeKind
from tests.cli.conftest import service  # noqa: F401 -- a fixture, used by its name
from tests.cli.service import COMMAND, Service
from tests.console.browser import NARROW, PATIENCE_SECONDS, WIDE, Reader, running_browser
from tests.console.conftest import SCREENSHOTS
from tests.sync.books import payment

SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
# Where somebody wants to look at the pages; two of them are kept for the README.
PICTURES = Path(os.environ.get("CONSOLE_PICTURES", ""))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as browser:
        yield browser


@pytest.fixture
def console(service: Service) -> Iterator[str]:  # noqa: F811 -- the fixture's value
    """The console as the command starts it, at the address where Xero sends people back to."""
    url = service.environment["XERO_REDIRECT_URI"].removesuffix("/xero/callback")
    environment = {**service.environment, "CONSOLE_ADDRESS": url.replace("http://localhost", "127.0.0.1")}
    service.expect("migrate")
    log = service.folder / "console.log"
    with log.open("w") as file, subprocess.Popen([*COMMAND, "console"], env=environment, stderr=file) as process:
        until = time.monotonic() + PATIENCE_SECONDS
        while f"The console is at {url}" not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.02)
        yield url
        process.terminate()
        assert process.wait(PATIENCE_SECONDS) == 0, log.read_text()
    assert "console_defect" not in log.read_text(), log.read_text()


def test_the_whole_story(service: Service, console: str, browser: Browser) -> None:  # noqa: F811 -- the fixture's value
    reader = Reader(browser, console)
    xero = service.simulator.control
    tenant_id = xero.demo_tenant("Harbour Hearing")
    xero.set_consent(page=True)
    service.expect("topics", "ensure", "--partitions", "3")
    with service.start() as running:
        running.wait_for("partitions_assigned")
        service.send_invoice("order-1")
        look_round_before(reader)
        connect(reader)
        configure(reader)
        push(reader, service)
        fail_and_mend(reader, service, tenant_id)
        lock_and_retry(reader, service, tenant_id)
        look_at_every_page(reader)
        disconnect_and_reconnect(reader, service, tenant_id)
        export(reader)
    assert reader.complaints == []
    reader.close()


def look_round_before(reader: Reader) -> None:
    reader.wait_for(lambda: reader.shows("order-1") or reader.shows("Not synced"), "/orders?q=order-1")
    reader.go("/log")
    assert reader.shows("HearLink is not connected to Xero yet.")
    assert reader.shows("Nothing was synced yet.")
    assert reader.faults() == []


def connect(reader: Reader) -> None:
    page = reader.page
    page.get_by_role("link", name="Connect HearLink & Xero").click()
    page.get_by_role("button", name="Start Integration").click()
    page.get_by_role("button", name="Allow access").click()
    expect(page.get_by_text("Connected", exact=True)).to_be_visible()
    expect(page.get_by_role("cell", name="Harbour Hearing")).to_be_visible()
    assert not reader.shows("not connected to Xero yet")


def configure(reader: Reader) -> None:
    page = reader.page
    page.get_by_label("Xero organisation/tenant").select_option(label="Harbour Hearing")
    # The accounts of the organisation just chosen are offered, without a word of ours being lost.
    expect(page.get_by_text("Accounts and tax rates below are those of Harbour Hearing")).to_be_visible()
    page.get_by_label("Default payment account").select_option(label="090 - Business Bank Account")
    for name in ("Hearing Aids", "Accessories", "Services", "Custom Items"):
        group = page.get_by_role("group", name=name)
        group.get_by_label("Default revenue account").select_option(label="200 - Sales")
        group.get_by_label("Default tax rate").select_option(label="20% (VAT on Income)")
    page.get_by_role("group", name="Synchronisation enabled").get_by_label("On").check()
    page.get_by_role("group", name="Synchronisation mode").get_by_label("Auto").check()
    page.get_by_role("group", name="New invoices").get_by_label("Authorised").check()
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_role("heading", name="What this changes")).to_be_visible()
    assert reader.faults() == []
    photograph(reader, "settings-effect")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved.")).to_be_visible()


def push(reader: Reader, service: Service) -> None:  # noqa: F811 -- the fixture's value
    page = reader.page
    reader.go("/orders/order-1")
    page.get_by_role("link", name="Sync to Xero").click()
    expect(page.get_by_text("Invoice create").first).to_be_visible()
    expect(page.get_by_role("cell", name="WH-order-1")).to_be_visible()
    page.get_by_role("button", name="Confirm: Sync to Xero").click()
    reader.wait_for(lambda: reader.shows("Resync to Xero") and reader.shows("Synced"), "/orders/order-1")
    assert reader.shows("local user: sync order")
    service.send("order-1", ChangeKind.PAYMENT_SAVED, {"payment": payment("pay-1")})
    reader.wait_for(lambda: reader.shows("The payment of 40.00 was recorded in Xero."), "/log?order=order-1")


def fail_and_mend(reader: Reader, service: Service, tenant_id: str) -> None:  # noqa: F811 -- the fixture's value
    page = reader.page
    service.simulator.control.archive_account(tenant_id, "200")
    service.send_invoice("order-2")
    reader.wait_for(lambda: reader.shows("1 failed"), "/log")
    page.get_by_text("Details of entry").first.click()
    expect(page.get_by_role("heading", name="What Xero said")).to_be_visible()
    expect(page.get_by_role("region", name="Request")).to_be_visible()
    photograph(reader, "sync-log")
    page.get_by_role("link", name="1 failed").click()
    assert reader.shows("What to do:")
    page.get_by_role("link", name="Xero settings").last.click()
    page.get_by_role("button", name="Refresh accounts and tax rates").click()
    assert reader.shows("200 - Sales (archived or not usable for this)") or "archived" in page.content()
    for name in ("Hearing Aids", "Accessories", "Services", "Custom Items"):
        page.get_by_role("group", name=name).get_by_label("Default revenue account").select_option(
            label="260 - Other Revenue"
        )
    page.get_by_role("button", name="Submit").click()
    assert reader.shows("Orders that failed, and are tried again at once: 1")
    page.get_by_role("button", name="Save").click()
    reader.wait_for(lambda: reader.shows("There is nothing to do: no order fails."), "/problems")
    assert reader.shows("0 failed")


def lock_and_retry(reader: Reader, service: Service, tenant_id: str) -> None:  # noqa: F811 -- the fixture's value
    page = reader.page
    service.simulator.control.set_lock_dates(tenant_id, period="2026-12-31")
    service.send_invoice("order-3")
    reader.wait_for(lambda: reader.shows("1 failed"), "/log?outcome=failed&order=order-3")
    service.simulator.control.set_lock_dates(tenant_id, period=None)
    page.get_by_role("button", name="Retry WH-order-3").click()
    expect(page.get_by_text("Requested", exact=True)).to_be_visible()
    reader.wait_for(lambda: reader.shows("There is nothing to do"), "/problems")
    # The second time as a whole problem.
    service.simulator.control.set_lock_dates(tenant_id, period="2026-12-31")
    service.send_invoice("order-4")
    service.send_invoice("order-5")
    reader.wait_for(lambda: reader.shows("2 failed"), "/problems")


def look_at_every_page(reader: Reader) -> None:
    """Each page at both widths and in both schemes: nothing keeps people out, nothing has to be scrolled sideways."""
    reader.go("/log")
    log_id = reader.page.locator("summary").first.inner_text().split()[-1]
    pages = {
        "log": "/log",
        "log-filtered": "/log?outcome=failed",
        "entry": f"/log/{log_id}",
        "retry": "/retry?outcome=failed",
        "problems": "/problems",
        "find": "/orders?q=nothing",
        "order": "/orders/order-1",
        "sync": "/sync/order-4",
        "export": "/export",
        "settings": "/settings",
        "clinic": "/settings/clinics/clinic-1",
    }
    for name, path in pages.items():
        for scheme in SCHEMES:
            for size in (WIDE, NARROW):
                reader.page.emulate_media(color_scheme=scheme)
                reader.page.set_viewport_size(size)
                reader.go(path)
                assert not reader.overflows(), (name, size)
                if PICTURES.name:
                    reader.photograph(PICTURES / f"{name}-{scheme}-{size['width']}.png", whole=True)
            assert reader.faults() == [], (name, scheme)
    reader.page.emulate_media(color_scheme="light")
    reader.page.set_viewport_size(WIDE)


def disconnect_and_reconnect(reader: Reader, service: Service, tenant_id: str) -> None:  # noqa: F811 -- the fixture's value
    page = reader.page
    control = service.simulator.control
    control.set_lock_dates(tenant_id, period=None)
    control.disconnect(tenant_id)
    service.send_invoice("order-6")
    reader.wait_for(lambda: reader.shows("Xero is disconnected"), "/export")
    reader.wait_for(lambda: "Xero is disconnected" in page.inner_text("#results"), "/log?order=order-6")
    page.get_by_role("link", name="Reconnect Xero").click()
    page.get_by_role("button", name="Reconnect Xero").click()
    page.get_by_role("button", name="Allow access").click()
    expect(page.get_by_text("Connected", exact=True)).to_be_visible()
    reader.wait_for(lambda: reader.shows("Resync to Xero"), "/orders/order-6")
    assert not reader.shows("Xero is disconnected since")
    reader.go("/problems")
    page.get_by_role("button", name="Retry all").click()
    reader.wait_for(lambda: reader.shows("There is nothing to do"), "/problems")


def export(reader: Reader) -> None:
    page = reader.page
    reader.go("/export")
    page.get_by_label("First day of issue").fill("2026-10-01")
    page.get_by_label("Last day of issue").fill("2026-10-31")
    page.get_by_label("Leave out what the live sync").uncheck()
    with page.expect_download() as download:
        page.get_by_role("button", name="Export").click()
    with zipfile.ZipFile(io.BytesIO(Path(download.value.path()).read_bytes())) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".csv"))
        text = archive.read(name).decode()
    assert [text.count(f"WH-order-{number}") for number in range(1, 7)] == [1] * 6


def photograph(reader: Reader, name: str) -> None:
    if PICTURES.name:
        reader.photograph(SCREENSHOTS / f"{name}.png", whole=False)
