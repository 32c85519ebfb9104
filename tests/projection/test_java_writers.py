"""Java producers whose schemas say the contract's amounts and times otherwise, through broker and registry."""

import json
from decimal import Decimal
from typing import Any

import pytest

from consumer.contract import Registry, Schemas
from tests.contract.test_registry import FakeRegistry, registry
from tests.fixtures.java_writer import publish_as_java
from tests.fixtures.kafka import ApacheKafka
from tests.projection.world import World, event

# A fixture that pytest finds here.
__all__ = ["registry"]

pytestmark = pytest.mark.timeout(240)
_SCHEMA_ID = 7


def _with_types(schemas: Schemas, logical_type: str, **other: Any) -> dict[str, Any]:
    """The contract with another type wherever it has `logical_type`."""

    def change(schema: Any) -> Any:
        if isinstance(schema, list):
            return [change(part) for part in schema]
        if not isinstance(schema, dict):
            return schema
        if schema.get("logicalType") == logical_type:
            return {"type": schema["type"], **({**schema, **other} if other.get("scale") else other)}
        return {key: change(value) for key, value in schema.items()}

    changed: dict[str, Any] = change(schemas.current("OrderEvent"))
    assert changed != schemas.current("OrderEvent")
    return changed


def _publish(world: World, registry: FakeRegistry, schemas: Schemas, writer: dict[str, Any]) -> None:
    registry.schemas[_SCHEMA_ID] = {"schema": json.dumps(writer)}
    world.registry = Registry(registry.url)
    publish_as_java(
        world.bootstrap_servers, world.orders_topic, event("order-1", 1), schemas, writer, schema_id=_SCHEMA_ID
    )
    # Beside it one that is as it should be, which goes through in any case.
    world.publish(event("order-2", 1))


def _orders(world: World) -> dict[str, Decimal]:
    with world.running():
        world.wait_until_caught_up()
    return dict(world.rows("select order_id, total from orders order by 1"))


def test_the_contract_itself(world: World, real_kafka: ApacheKafka, registry: FakeRegistry, schemas: Schemas) -> None:
    assert real_kafka.bootstrap_servers == world.bootstrap_servers
    _publish(world, registry, schemas, schemas.current("OrderEvent"))
    assert _orders(world) == {"order-1": Decimal(1450), "order-2": Decimal(1450)}


def test_amounts_of_another_scale_are_the_same_amounts(
    world: World, real_kafka: ApacheKafka, registry: FakeRegistry, schemas: Schemas
) -> None:
    assert real_kafka.bootstrap_servers == world.bootstrap_servers
    _publish(world, registry, schemas, _with_types(schemas, "decimal", precision=24, scale=6))
    assert _orders(world) == {"order-1": Decimal(1450), "order-2": Decimal(1450)}


@pytest.mark.parametrize(
    ("logical_type", "other"), [("decimal", "big-decimal"), ("timestamp-micros", "local-timestamp-micros")]
)
def test_what_means_something_else_is_refused_by_the_fields_name(
    world: World, real_kafka: ApacheKafka, registry: FakeRegistry, schemas: Schemas, logical_type: str, other: str
) -> None:
    assert real_kafka.bootstrap_servers == world.bootstrap_servers
    _publish(world, registry, schemas, _with_types(schemas, logical_type, logicalType=other))
    assert list(_orders(world)) == ["order-2"]
    ((reason, detail),) = world.rows("select reason, detail from dead_letter")
    assert reason == "undecodable"
    assert f"of the logical type {other} in the writer's schema" in detail
    assert "the field " in detail
