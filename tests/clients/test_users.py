"""Users as redis-py sees them: logging in, being refused, being closed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from support.servers import Server


@pytest.fixture(params=[2, 3], ids=["resp2", "resp3"])
def protocol(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def admin(headwater: Server) -> Iterator[Any]:
    with redis.Redis(port=headwater.port, decode_responses=True) as client:
        client.acl_log_reset()
        yield client
        client.acl_deluser("shop")


def connect(server: Server, protocol: int, **credentials: str) -> Any:
    return redis.Redis(
        port=server.port,
        protocol=protocol,
        decode_responses=True,
        retry=Retry(NoBackoff(), 0),
        **credentials,  # type: ignore[arg-type]
    )


def define(admin: Any) -> None:
    admin.acl_setuser(
        "shop",
        enabled=True,
        passwords=["+its-password"],
        categories=["+@stream", "+@connection"],
        commands=["-xtrim", "+config|get"],
        keys=["orders:*"],
        channels=["news.*"],
        selectors=[("+get", "%R~settings")],
    )


def test_a_user_works(headwater: Server, admin: Any, protocol: int) -> None:
    define(admin)
    with connect(headwater, protocol, username="shop", password="its-password") as client:
        assert client.ping()
        entry = client.xadd("orders:1", {"item": "pen"})
        assert client.xrange("orders:1") == [(entry, {"item": "pen"})]
        assert client.get("settings") is None
        assert client.config_get("port") == {"port": str(headwater.port)}
        for refused in (
            lambda: client.xadd("other", {"f": "v"}),
            lambda: client.xtrim("orders:1", 0),
            lambda: client.set("settings", "v"),
            lambda: client.flushall(),
            lambda: client.config_set("maxclients", 5),
        ):
            with pytest.raises(redis.exceptions.NoPermissionError):
                refused()
        with client.pipeline() as pipeline:
            pipeline.xadd("other", {"f": "v"})
            with pytest.raises(redis.exceptions.NoPermissionError):
                pipeline.execute()
    reasons = {(entry["reason"], entry["object"]) for entry in admin.acl_log()}
    assert {("key", "other"), ("command", "xtrim"), ("command", "flushall")} <= reasons


def test_what_was_defined_is_read_back(admin: Any) -> None:
    define(admin)
    found = admin.acl_getuser("shop")
    assert found["enabled"]
    assert found["keys"] == ["~orders:*"]
    assert found["channels"] == ["&news.*"]
    assert "+@stream" in found["categories"]
    assert "+config|get" in found["commands"]
    assert "shop" in admin.acl_users()
    assert "stream" in admin.acl_cat()
    assert "xadd" in admin.acl_cat("stream")
    assert len(admin.acl_genpass()) == 64
    assert admin.acl_dryrun("shop", "xadd", "orders:1", "*", "f", "v") == "OK"
    assert "no permissions" in admin.acl_dryrun("shop", "get", "orders:1")


@pytest.mark.parametrize(
    "credentials",
    [{"username": "shop", "password": "wrong"}, {"username": "nobody", "password": "x"}],
)
def test_who_is_not_let_in(
    headwater: Server, admin: Any, protocol: int, credentials: dict[str, str]
) -> None:
    define(admin)
    client = connect(headwater, protocol, **credentials)
    with pytest.raises(redis.exceptions.AuthenticationError):
        client.ping()
    assert admin.acl_log()[0]["username"] == credentials["username"]


def test_a_deleted_user_is_gone(headwater: Server, admin: Any, protocol: int) -> None:
    define(admin)
    with connect(headwater, protocol, username="shop", password="its-password") as client:
        client.ping()
        admin.acl_deluser("shop")
        with pytest.raises(
            (redis.exceptions.ConnectionError, redis.exceptions.AuthenticationError)
        ):
            client.ping()
