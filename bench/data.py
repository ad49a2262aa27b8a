"""The data every case works on: order events of five fields, the same on every run.

The stored orders all have the same width and IDs of the same width, so that any reply of n entries
has one size: the load generator counts bytes instead of parsing (see `bench.load`).
"""

from __future__ import annotations

from collections.abc import Iterator

from bench.wire import Control, Words, encode

ORDERS = b"orders"
INCOMING = b"incoming"
GROUP = b"order-processors"

STORED_ORDERS = 100_000  # 1,000 blocks of 100 entries; a multiple of every consuming case's lap
_FIRST_MS = 1_700_000_000_000
_FILL_BATCH = 1_000
_READ_BATCH = 1_000  # entries one XREADGROUP takes while a group is filled
_CONSUMERS = 50

_REGIONS = ("us-east-1", "us-west-2", "eu-west-1", "ap-east-1", "sa-east-1")
_EVENTS = ("OrderCreated", "OrderUpdated", "OrderShipped", "OrderSettled")


def fields(number: int) -> Words:
    """The five fields and values of order `number` (equal widths for every number below 10**8)."""
    return (
        "orderId",
        f"ord-{number:08d}",
        "totalAmount",
        f"{100 + number % 900}.{number * 7 % 100:02d}",
        "region",
        _REGIONS[number % len(_REGIONS)],
        "eventType",
        _EVENTS[number % len(_EVENTS)],
        "timestamp",
        f"2025-06-{1 + number % 28:02d}T{number % 24:02d}:{number % 60:02d}:00.000Z",
    )


def order_id(number: int) -> str:
    """ID of stored order `number`: four entries a millisecond, as a busy producer gives."""
    return f"{_FIRST_MS + number // 4}-{number % 4}"


def client_name(client: int) -> str:
    """Consumer name of a client."""
    return f"worker-{client:02d}"


def read_new(consumer: str, count: int) -> Words:
    """The request of a consumer for `count` entries that nobody has read yet."""
    return ("XREADGROUP", "GROUP", GROUP, consumer, "COUNT", count, "STREAMS", ORDERS, ">")


def scattered(number: int, room: int) -> int:
    """An order number for the `number`-th request with `room` orders from it on, spread evenly."""
    return number * 7919 % (STORED_ORDERS - room)


def store_orders(control: Control, count: int = STORED_ORDERS) -> None:
    """Make the stream ORDERS hold `count` entries; does nothing when it does already."""
    if control.call("XLEN", ORDERS) == count:
        return
    control.call("DEL", ORDERS)
    control.stream(_fill_payloads(count))
    _check(control.call("XLEN", ORDERS), count, "stored orders")


def clear_incoming(control: Control) -> None:
    """Let the stream that XADD cases write to start empty."""
    control.call("DEL", INCOMING)


def fresh_group(control: Control) -> None:
    """A group on ORDERS to which every stored order is new, with no pending entry."""
    store_orders(control)
    control.call("XGROUP", "DESTROY", ORDERS, GROUP)
    control.call("XGROUP", "CREATE", ORDERS, GROUP, "0")


def delivered_group(control: Control) -> None:
    """A group on ORDERS in which every stored order is pending, spread over fifty consumers."""
    fresh_group(control)
    control.stream(
        encode(read_new(client_name(turn % _CONSUMERS), _READ_BATCH))
        for turn in range(STORED_ORDERS // _READ_BATCH)
    )
    summary = control.call("XPENDING", ORDERS, GROUP)
    pending = summary[0] if isinstance(summary, list) else None
    _check(pending, STORED_ORDERS, "pending orders")


def _fill_payloads(count: int) -> Iterator[bytes]:
    for start in range(0, count, _FILL_BATCH):
        yield b"".join(
            encode(("XADD", ORDERS, order_id(number), *fields(number)))
            for number in range(start, min(start + _FILL_BATCH, count))
        )


def _check(found: object, wanted: int, what: str) -> None:
    if found != wanted:
        raise RuntimeError(f"{what}: {found!r} instead of {wanted}")
