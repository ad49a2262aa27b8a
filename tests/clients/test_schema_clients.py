"""Entries that do not fit, as redis-py and ioredis see it, and after a crash of the server."""

from __future__ import annotations

import json
from typing import Any

import pytest
import redis

from clients.applications import Application
from clients.conftest import CrashingServer
from clients.test_redis_py import text
from support.servers import Server

pytest.importorskip("jsonschema_rs")

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "orderId": {"type": "string", "minLength": 1},
        "totalAmount": {"type": "number"},
        "items": {"type": "array", "items": {"type": "object", "required": ["sku"]}},
    },
    "required": ["orderId", "totalAmount"],
    "additionalProperties": False,
}
REFUSED = "SCHEMA orders v1: totalAmount: 'abc' is not a number"


def test_redis_py(client: Any) -> None:
    assert client.execute_command("XSCHEMA", "SET", "orders", json.dumps(SCHEMA)) == 1
    good = {"orderId": "ord-1", "totalAmount": 12.5, "items": json.dumps([{"sku": "a"}])}
    client.xadd("orders", good)
    with pytest.raises(redis.ResponseError) as caught:
        client.xadd("orders", {"orderId": "ord-2", "totalAmount": "abc"})
    assert str(caught.value) == REFUSED
    pipe = client.pipeline()
    pipe.xadd("orders", good)
    pipe.xadd("orders", {"orderId": "ord-2", "items": "[{}]"})
    replies = pipe.execute(raise_on_error=False)
    assert isinstance(replies[1], redis.ResponseError)
    assert "items[0]: " in str(replies[1])
    assert client.xlen("orders") == 2
    newer = {**SCHEMA, "required": [*SCHEMA["required"], "items"]}
    words = ("XSCHEMA", "CHECK", "orders", json.dumps(newer))
    assert client.execute_command(*words) == []
    client.execute_command("XSCHEMA", "SET", "orders", json.dumps(SCHEMA), "COMPAT", "backward")
    assert text(client.execute_command(*words)) == ["backward: items: v2 requires it, v1 does not"]
    with pytest.raises(redis.ResponseError, match="v2: backward: items: v2 requires it"):
        client.execute_command("XSCHEMA", "SET", "orders", json.dumps(newer))


def test_a_schema_outlives_the_server(crashing: CrashingServer) -> None:
    with redis.Redis(host="127.0.0.1", port=crashing.port, decode_responses=True) as client:
        client.execute_command("XSCHEMA", "SET", "orders", json.dumps(SCHEMA), "COMPAT", "full")
        client.xadd("orders", {"orderId": "ord-1", "totalAmount": "1"})
        for _ in range(2):
            crashing.crash()
            with pytest.raises(redis.ResponseError) as caught:
                client.xadd("orders", {"orderId": "ord-2", "totalAmount": "abc"})
            assert str(caught.value) == REFUSED
            client.bgrewriteaof()
            while client.info("persistence")["aof_rewrite_in_progress"]:
                pass
        [version] = client.execute_command("XSCHEMA", "LIST", "orders")
        assert (version["version"], version["compat"]) == (1, "full")
        assert json.loads(client.execute_command("XSCHEMA", "GET", "orders")) == SCHEMA


def test_ioredis(headwater: Server, node_environment: dict[str, str]) -> None:
    with Application("ioredis_schema.js", headwater.port, environment=node_environment) as program:
        assert program.finish().endswith("done")
