"""The data every case works on: order events of five fields, the same on every run.

The stored orders all have the same width and IDs of the same width, so that any reply of n entries
has one size: the load generator counts bytes instead of parsing (see `bench.load`).
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from itertools import repeat

from bench.wire import Control, ReplyError, Value, Words, encode, info

ORDERS = b"orders"
INCOMING = b"incoming"
ARCHIVE = b"archive"
GROUP = b"order-processors"
IDLE_GROUP = b"without-pending"

STORED_ORDERS = 100_000  # 1,000 blocks of 100 entries; a multiple of every consuming case's lap
LIST, ITEM, STORED_ITEMS = "list", "item:000000000000001", 10_000
STORED_VALUES = 100_000
VALUE = "x" * 100
MILLION = 1_000_000
COLD_ORDERS = MILLION  # so many that few of the blocks a read finds were read shortly before
OWN_PENDING = 10  # entries of the consumer whose history is read, among a million of another
SMALL_CONSUMER, BIG_CONSUMER = "worker-small", "worker-big"
_FIRST_MS = 1_700_000_000_000
_FILL_BATCH = 1_000
_READ_BATCH = 1_000  # entries one XREADGROUP takes while a group is filled
_CONSUMERS = 50
_PACKING = "stream_packing_pending"  # of INFO memory: blocks that wait to be compressed
_PACKING_TIMEOUT_S = 30.0
_PACKING_STEP_S = 0.05
SMALL_BYTES = 200  # field and value of the one entry of a small stream
_FIELDS_PERIOD = 12_600  # after so many orders all fields but the order's number come again
_ORDER_HEAD = (
    b"*13\r\n$4\r\nXADD\r\n$%d\r\n%s\r\n" % (len(ORDERS), ORDERS)
    + b"$15\r\n%d-%d\r\n$7\r\norderId\r\n$12\r\nord-%08d\r\n"
)

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


def scattered(number: int, room: int, stored: int = STORED_ORDERS) -> int:
    """An order number for the `number`-th request with `room` orders from it on, spread evenly."""
    return number * 7919 % (stored - room)


def store_orders(control: Control, count: int = STORED_ORDERS) -> None:
    """Make the stream ORDERS hold `count` entries; does nothing when it does already."""
    if control.call("XLEN", ORDERS) == count:
        return
    control.call("DEL", ORDERS)
    control.stream(fill_payloads(count))
    _check(control.call("XLEN", ORDERS), count, "stored orders")


def value_key(number: int) -> str:
    """One of the STORED_VALUES keys that hold a string."""
    return f"session:{number * 7919 % STORED_VALUES:06d}"


def store_values(control: Control) -> None:
    """Let each of the keys hold a string."""
    numbers = range(STORED_VALUES)
    control.stream(
        b"".join(encode(("SET", value_key(number), VALUE)) for number in numbers[i : i + 1000])
        for i in range(0, STORED_VALUES, 1000)
    )
    _check(control.call("GET", value_key(1)), VALUE.encode(), "a stored value")


SCRIPT = "return redis.call('set', KEYS[1], ARGV[1])"
SCRIPT_SHA = hashlib.sha1(SCRIPT.encode(), usedforsecurity=False).hexdigest()


def load_script(control: Control) -> None:
    """The script that EVALSHA cases run is in the cache."""
    _check(control.call("SCRIPT", "LOAD", SCRIPT), SCRIPT_SHA.encode(), "the script's SHA-1")


def clear_queues(control: Control) -> None:
    """No lists."""
    control.call("FLUSHALL")


def store_items(control: Control) -> None:
    """A list of STORED_ITEMS."""
    control.call("DEL", LIST)
    control.stream(
        encode(("RPUSH", LIST, *(f"item:{i:015}" for i in range(start, start + 1000))))
        for start in range(0, STORED_ITEMS, 1000)
    )
    _check(control.call("LLEN", LIST), STORED_ITEMS, "items")


def store_cold(control: Control) -> None:
    """COLD_ORDERS stored, and compressed as far as the server is going to."""
    store_orders(control, COLD_ORDERS)
    end = time.monotonic() + _PACKING_TIMEOUT_S
    while not packed(control) and time.monotonic() < end:
        time.sleep(_PACKING_STEP_S)


def packed(control: Control) -> bool:
    """Whether no block waits to be compressed, as far as the server says."""
    return info(control, "memory").get(_PACKING, "0") == "0"


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
    _deliver_all(control)


def managed_group(control: Control) -> None:
    """`fresh_group` with settings: due again after a minute, five times at most, in order by ID."""
    fresh_group(control)
    settings = ("ACKWAIT", 60_000, "MAXDELIVERIES", 5, "ORDERBY", "orderId")
    control.call("XGROUP", "CFGSET", ORDERS, GROUP, *settings)


def managed_delivered_group(control: Control) -> None:
    """`delivered_group` with these settings."""
    managed_group(control)
    _deliver_all(control)


def _deliver_all(control: Control) -> None:
    control.stream(
        encode(read_new(client_name(turn % _CONSUMERS), _READ_BATCH))
        for turn in range(STORED_ORDERS // _READ_BATCH)
    )
    summary = control.call("XPENDING", ORDERS, GROUP)
    pending = summary[0] if isinstance(summary, list) else None
    _check(pending, STORED_ORDERS, "pending orders")


def waiting_group(control: Control) -> None:
    """A group on INCOMING to which nothing is new; nothing of it or of the stream goes away."""
    try:
        control.call("XGROUP", "CREATE", INCOMING, GROUP, "$", "MKSTREAM")
    except ReplyError as error:
        if not str(error).startswith("BUSYGROUP"):
            raise
    control.call("XGROUP", "SETID", INCOMING, GROUP, "$")


def million_pending(control: Control) -> None:
    """MILLION stored orders, all pending and just delivered: OWN_PENDING in their middle to
    SMALL_CONSUMER, the others to BIG_CONSUMER. IDLE_GROUP has none pending and none new.

    Does nothing when it is so already.
    """
    count = MILLION
    store_orders(control, count)
    if _pending(control) == count:
        return
    control.call("XGROUP", "CREATE", ORDERS, IDLE_GROUP, "$")
    control.call("XGROUP", "CREATE", ORDERS, GROUP, "0")
    before = count // 2 // _READ_BATCH * _READ_BATCH
    control.stream(take_pending(before))
    control.call(*read_new(SMALL_CONSUMER, OWN_PENDING))
    control.stream(take_pending(count - before))
    _check(_pending(control), count, "pending orders")


def read_all(control: Control, count: int) -> None:
    """Read the `count` stored orders once, as a group would, without one."""
    control.stream(
        encode(("XRANGE", ORDERS, order_id(number), "+", "COUNT", _READ_BATCH))
        for number in range(0, count, _READ_BATCH)
    )


def one_consumer_pending(control: Control, count: int) -> None:
    """A group on ORDERS in which all the `count` stored orders are pending for one consumer."""
    control.call("XGROUP", "CREATE", ORDERS, GROUP, "0")
    control.stream(take_pending(count))
    _check(_pending(control), count, "pending orders")


def take_pending(count: int) -> Iterator[bytes]:
    """Payloads by which BIG_CONSUMER reads up to so many new orders, and a few more."""
    return repeat(encode(read_new(BIG_CONSUMER, _READ_BATCH)), -(-count // _READ_BATCH))


def store_archive(control: Control, count: int) -> None:
    """Make the stream ARCHIVE hold `count` entries of one short field, as fast as can be."""
    one = encode(("XADD", ARCHIVE, "*", "n", "1"))
    control.call("DEL", ARCHIVE)
    control.stream(one * min(_FILL_BATCH, count - at) for at in range(0, count, _FILL_BATCH))
    _check(control.call("XLEN", ARCHIVE), count, "archived entries")


def store_small_streams(control: Control, count: int) -> None:
    """`count` streams of one entry of SMALL_BYTES, each with an expiry a day away."""
    before = control.call("DBSIZE")
    control.stream(_small_payloads(count))
    _check(control.call("DBSIZE"), count + (before if isinstance(before, int) else 0), "streams")


def _small_payloads(count: int) -> Iterator[bytes]:
    for start in range(0, count, _FILL_BATCH):
        yield b"".join(
            encode(("XADD", key, "*", "event", f"{number:0{SMALL_BYTES - 5}d}"))
            + encode(("EXPIRE", key, 86_400))
            for number in range(start, min(start + _FILL_BATCH, count))
            for key in (f"session:{number:08d}",)
        )


def _pending(control: Control) -> Value:
    """How many entries of GROUP on ORDERS are pending; None without such a group."""
    try:
        summary = control.call("XPENDING", ORDERS, GROUP)
    except ReplyError:
        return None
    return summary[0] if isinstance(summary, list) else None


def fill_payloads(count: int) -> Iterator[bytes]:
    """All orders in batches, as `encode` gives them, which takes longer than the servers do."""
    tails = [_bulks(fields(number)[2:]) for number in range(min(count, _FIELDS_PERIOD))]
    for start in range(0, count, _FILL_BATCH):
        yield b"".join(
            _ORDER_HEAD % (_FIRST_MS + number // 4, number % 4, number)
            + tails[number % _FIELDS_PERIOD]
            for number in range(start, min(start + _FILL_BATCH, count))
        )


def _bulks(words: Words) -> bytes:
    """The words as bulk strings, without an array around them."""
    return encode(words).partition(b"\r\n")[2]


def _check(found: object, wanted: object, what: str) -> None:
    if found != wanted:
        raise RuntimeError(f"{what}: {found!r} instead of {wanted}")
