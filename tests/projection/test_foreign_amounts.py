"""A writer that means something else by the contract's bytes is refused by name, through broker and registry."""

import copy
import json
from decimal import Decimal
from io import BytesIO
from typing import Any

from fastavro import parse_schema, schemaless_writer

from consumer.contract import Registry, Schemas
from consumer.orders import ChangeKind
from tests.contract.samples import CHANGES, PATIENT
from tests.contract.test_registry import FakeRegistry, registry
from tests.projection.world import World, event, wait_until

# A fixture that pytest finds here.
__all__ = ["registry"]

_AMOUNT = {"type": "bytes", "logicalType": "big-decimal"}


def test_amounts_as_big_decimals_become_no_other_amounts(
    world: World, registry: FakeRegistry, schemas: Schemas
) -> None:
    contract = schemas.current("OrderEvent")
    writer = json.loads(json.dumps(contract).replace(json.dumps(_total(contract)), json.dumps(_AMOUNT)))
    assert writer != contract
    registry.schemas[7] = {"schema": json.dumps(writer)}
    world.registry = Registry(registry.url)
    # 1,450.00 as Avro's Java library writes a BigDecimal: length and bytes of 145000, then the scale 2. As a decimal of
    # the contract's scale, these bytes would be 2,580,692.38.
    amount = bytes.fromhex("0602366804")
    invoice = copy.deepcopy(CHANGES[ChangeKind.INVOICE_SAVED]["invoice"])
    invoice["total"] = amount
    for part in invoice["lines"]:
        part.update(unit_price=amount, quantity=Decimal(1), discount=None)
    world.send(b"\x00" + (7).to_bytes(4, "big") + _encode(writer, {"invoice": invoice}))
    world.publish(event("order-2", 1))
    with world.running() as running:
        wait_until(lambda: running.metrics.counts["messages"] == 2)
    ((reason, detail),) = world.rows("select reason, detail from dead_letter")
    assert reason == "undecodable"
    field = "change.InvoiceSaved.invoice.total"
    assert f"the field {field} is bytes of the logical type big-decimal in the writer's schema" in detail
    assert world.rows("select order_id from orders") == [("order-2",)]


def _total(contract: dict[str, Any]) -> dict[str, Any]:
    change = next(field for field in contract["fields"] if field["name"] == "change")
    (invoice,) = change["type"][0]["fields"]
    found: dict[str, Any] = next(field for field in invoice["type"]["fields"] if field["name"] == "total")["type"]
    return found


def _encode(schema: dict[str, Any], change: dict[str, Any]) -> bytes:
    record = {
        "event_id": "7f0c8f0a-2d1b-4c9e-9a5e-1b2c3d4e5f60",
        "organisation_id": "org-1",
        "clinic_id": "clinic-1",
        "order_id": "order-1",
        "sequence": 1,
        "occurred_at": 1_769_852_400_123_456,
        "actor": None,
        "patient": PATIENT,
        "change": ("com.hearlink.orders.v1.InvoiceSaved", change),
    }
    target = BytesIO()
    schemaless_writer(target, parse_schema(copy.deepcopy(schema)), record)
    return target.getvalue()
