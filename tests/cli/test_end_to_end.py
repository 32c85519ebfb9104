"""The main job, as an operator does it: from nothing to an invoice in Xero, with commands alone."""

import pytest
import requests

from tests.cli.service import Service

pytestmark = pytest.mark.timeout(180)


def test_an_order_becomes_an_invoice_in_xero(service: Service) -> None:
    tenant_id = service.set_up()
    with service.start() as running:
        url = running.url
        running.wait_for("started")
        service.send_invoice("order-1")
        found = service.wait_until_quiet()
        assert found["failed"] == 0
        (made,) = service.simulator.control.ledger(tenant_id)["Invoices"]
        assert made["InvoiceNumber"] == "WH-order-1"

        assert requests.get(f"{url}/healthz", timeout=10).status_code == 200
        ready = requests.get(f"{url}/readyz", timeout=10)
        assert ready.status_code == 200, ready.text
        metrics = requests.get(f"{url}/metrics", timeout=10).text
        assert 'hearlink_xero_events_total{outcome="applied"} 1.0' in metrics
        assert 'hearlink_xero_orders_finished_total{result="synced"} 1.0' in metrics
        assert "hearlink_xero_sync_latency_seconds_count 1.0" in metrics
        assert 'hearlink_xero_calls_total{endpoint="Invoices",method="PUT",outcome="200"} 1.0' in metrics
        assert "hearlink_xero_database_up 1.0" in metrics
        assert running.stop() == 0
    assert not [line for line in running.log if line["level"] in {"error", "critical"}], running.text
    (batch,) = [line for line in running.log if line["event"] == "batch_written"]
    assert (batch["messages"], batch["orders"], batch["outcomes"]) == (1, 1, {"applied": 1})
    (pushed,) = [line for line in running.log if line["event"] == "order_pushed"]
    assert (pushed["order_id"], pushed["event_id"], pushed["result"]) == ("order-1", "event-order-1-1", "synced")
    text = running.text + metrics
    assert not [
        word for word in ("Person patient-order-1", "example.com", "01632 960001", "High Street") if word in text
    ]
