"""Properties of commands and of their ACL categories, as bits, with the names Redis gives them.

The order of both tables is the order in which COMMAND INFO lists the names. Nothing here knows
a single command: which command has which bits is declared in `headwater.commands.spec`.
"""

from __future__ import annotations

WRITE = 1 << 0  # may change the keyspace
READONLY = 1 << 1
DENYOOM = 1 << 2  # refused when memory is over maxmemory
ADMIN = 1 << 3
PUBSUB = 1 << 4
NOSCRIPT = 1 << 5
BLOCKING = 1 << 6
LOADING = 1 << 7  # allowed while the data set is loaded
STALE = 1 << 8  # allowed on a replica whose data is out of date
SKIP_MONITOR = 1 << 9
SKIP_SLOWLOG = 1 << 10
FAST = 1 << 11  # constant or logarithmic time
NO_AUTH = 1 << 12  # allowed before authentication
NO_MANDATORY_KEYS = 1 << 13
NO_ASYNC_LOADING = 1 << 14
NO_MULTI = 1 << 15
MOVABLE_KEYS = 1 << 16  # computed: the key positions depend on the arguments
ALLOW_BUSY = 1 << 17  # allowed while a script or a module keeps the server busy
PROTECTED = 1 << 18  # needs its own enable-...-command directive
TOUCHES_ARBITRARY_KEYS = 1 << 19
IMMEDIATE = 1 << 20  # runs inside MULTI too, instead of being queued
MAY_WRITE = 1 << 21  # no write itself, but CLIENT PAUSE WRITE holds it back: scripts, PUBLISH

FLAG_NAMES: tuple[tuple[int, str], ...] = (
    (WRITE, "write"),
    (READONLY, "readonly"),
    (DENYOOM, "denyoom"),
    (ADMIN, "admin"),
    (PUBSUB, "pubsub"),
    (NOSCRIPT, "noscript"),
    (BLOCKING, "blocking"),
    (LOADING, "loading"),
    (STALE, "stale"),
    (SKIP_MONITOR, "skip_monitor"),
    (SKIP_SLOWLOG, "skip_slowlog"),
    (FAST, "fast"),
    (NO_AUTH, "no_auth"),
    (NO_MANDATORY_KEYS, "no_mandatory_keys"),
    (NO_ASYNC_LOADING, "no_async_loading"),
    (NO_MULTI, "no_multi"),
    (MOVABLE_KEYS, "movablekeys"),
    (ALLOW_BUSY, "allow_busy"),
    # PROTECTED, TOUCHES_ARBITRARY_KEYS, IMMEDIATE and MAY_WRITE are not told to clients.
)

CATEGORY_NAMES: tuple[str, ...] = (
    "keyspace",
    "read",
    "write",
    "set",
    "sortedset",
    "list",
    "hash",
    "string",
    "bitmap",
    "hyperloglog",
    "geo",
    "stream",
    "pubsub",
    "admin",
    "fast",
    "slow",
    "blocking",
    "dangerous",
    "connection",
    "transaction",
    "scripting",
)
CATEGORY_BITS: dict[str, int] = {name: 1 << i for i, name in enumerate(CATEGORY_NAMES)}


def flag_names(flags: int) -> list[str]:
    """The names of `flags` that clients are told, in Redis's order."""
    return [name for bit, name in FLAG_NAMES if flags & bit]


def category_names(categories: int) -> list[str]:
    """The names of the ACL categories in the bitmask, without `@`, in Redis's order."""
    return [name for name, bit in CATEGORY_BITS.items() if categories & bit]


def category_bits(names: tuple[str, ...], flags: int) -> int:
    """A command's ACL categories: those it names and those its flags imply, as Redis 8.10."""
    bits = 0
    for name in names:
        bits |= CATEGORY_BITS[name]
    if flags & WRITE:
        bits |= CATEGORY_BITS["write"]
    if flags & READONLY and not bits & CATEGORY_BITS["scripting"]:
        bits |= CATEGORY_BITS["read"]
    if flags & ADMIN:
        bits |= CATEGORY_BITS["admin"] | CATEGORY_BITS["dangerous"]
    if flags & PUBSUB:
        bits |= CATEGORY_BITS["pubsub"]
    if flags & FAST:
        bits |= CATEGORY_BITS["fast"]
    else:
        bits |= CATEGORY_BITS["slow"]
    if flags & BLOCKING:
        bits |= CATEGORY_BITS["blocking"]
    return bits
