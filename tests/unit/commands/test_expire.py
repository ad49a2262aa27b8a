"""The EXPIRE and TTL families."""

from __future__ import annotations

import pytest

from support.embedded import NOW_MS, Client, Embedded

FAMILY = [("EXPIRE", 1000, 0), ("PEXPIRE", 1, 0), ("EXPIREAT", 1000, 1), ("PEXPIREAT", 1, 1)]
NOT_AN_INTEGER = "ERR value is not an integer or out of range"
MAX = 2**63 - 1


@pytest.fixture
def world() -> Embedded:
    return Embedded()


@pytest.fixture
def client(world: Embedded) -> Client:
    return world.main


@pytest.mark.parametrize(("name", "unit_ms", "absolute"), FAMILY)
def test_a_key_expires_when_its_time_has_come(
    world: Embedded, client: Client, name: str, unit_ms: int, absolute: int
) -> None:
    client.ok("SET", "a", 1)
    number = (NOW_MS * absolute + 10_000) // unit_ms
    assert client.ok(name, "a", number) == 1
    assert client.ok("PTTL", "a") == 10_000
    assert client.ok("TTL", "a") == 10
    assert client.ok("PEXPIRETIME", "a") == NOW_MS + 10_000
    assert client.ok("EXPIRETIME", "a") == NOW_MS // 1000 + 10
    world.clock.advance(9_999)
    assert client.ok("PTTL", "a") == 1
    assert client.ok("TTL", "a") == 0
    world.clock.advance(1)
    assert client.ok("TTL", "a") == -2
    assert client.ok(name, "a", number) == 0


@pytest.mark.parametrize(("name", "unit_ms", "absolute"), FAMILY)
def test_a_past_time_deletes_the_key(
    client: Client, name: str, unit_ms: int, absolute: int
) -> None:
    for number in (-1, 0, -(2**63) // unit_ms + 1):
        client.ok("SET", "a", 1)
        assert client.ok(name, "a", number) == 1
        assert client.ok("DBSIZE") == 0
        assert client.ok(name, "a", number) == 0


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("EXPIRE", MAX),
        ("EXPIRE", -MAX),
        ("EXPIRE", MAX // 1000),
        ("EXPIREAT", MAX),
        ("EXPIREAT", MAX // 1000 + 1),
        ("PEXPIRE", MAX),
    ],
)
def test_a_time_that_is_no_64_bit_number_is_refused(client: Client, name: str, number: int) -> None:
    refusal = f"ERR invalid expire time in '{name.lower()}' command"
    assert client.error(name, "a", number) == refusal


def test_the_last_moment_of_all_is_a_time(client: Client) -> None:
    client.ok("SET", "a", 1)
    assert client.ok("PEXPIREAT", "a", MAX) == 1
    assert client.ok("PEXPIRETIME", "a") == MAX
    assert client.ok("PEXPIRE", "a", MAX - NOW_MS) == 1
    assert client.ok("PEXPIRETIME", "a") == MAX
    assert client.ok("EXPIREAT", "a", MAX // 1000) == 1


def test_conditions(client: Client) -> None:
    client.ok("SET", "a", 1)
    for words in (["XX"], ["GT"], ["XX", "GT"], ["XX", "LT"]):
        assert client.ok("EXPIRE", "a", 10, *words) == 0
    assert client.ok("EXPIRE", "a", 10, "nx") == 1
    assert client.ok("EXPIRE", "a", 10, "NX") == 0
    assert client.ok("EXPIRE", "a", 10, "GT") == 0
    assert client.ok("EXPIRE", "a", 10, "LT") == 0
    assert client.ok("EXPIRE", "a", 11, "GT") == 1
    assert client.ok("EXPIRE", "a", 9, "GT", "XX") == 0
    assert client.ok("EXPIRE", "a", 9, "LT", "XX", "XX") == 1
    assert client.ok("EXPIRE", "a", 20, "XX") == 1
    assert client.ok("EXPIRE", "a", -1, "GT") == 0
    assert client.ok("EXPIRE", "a", -1, "LT") == 1
    assert client.ok("EXISTS", "a") == 0
    client.ok("SET", "a", 1)
    assert client.ok("EXPIRE", "a", 10, "LT") == 1


def test_errors(client: Client) -> None:
    assert client.error("EXPIRE", "a", "x") == NOT_AN_INTEGER
    assert client.error("EXPIRE", "a", "x", "BAD") == "ERR Unsupported option BAD"
    nx = "ERR NX and XX, GT or LT options at the same time are not compatible"
    for other in ("XX", "GT", "LT"):
        assert client.error("EXPIRE", "a", 10, "NX", other) == nx
    gt = "ERR GT and LT options at the same time are not compatible"
    assert client.error("EXPIRE", "a", 10, "GT", "LT", "XX") == gt
    wrong = "ERR wrong number of arguments for 'expire' command"
    assert client.error("EXPIRE", "a") == wrong


def test_without_a_key_or_an_expiry(client: Client) -> None:
    client.ok("SET", "a", 1)
    for name in ("TTL", "PTTL", "EXPIRETIME", "PEXPIRETIME"):
        assert client.ok(name, "none") == -2
        assert client.ok(name, "a") == -1


def test_persist(world: Embedded, client: Client) -> None:
    client.ok("SET", "a", 1, "EX", 10)
    assert client.ok("PERSIST", "a") == 1
    assert client.ok("PERSIST", "a") == 0
    assert client.ok("PERSIST", "none") == 0
    world.clock.advance(20_000)
    assert client.ok("TTL", "a") == -1


def test_seconds_are_rounded(world: Embedded, client: Client) -> None:
    client.ok("SET", "a", 1, "PX", 1500)
    assert client.ok("TTL", "a") == 2
    world.clock.advance(1)
    assert client.ok("TTL", "a") == 1
