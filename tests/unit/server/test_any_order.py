"""However input is cut and whenever the client stalls: the answers are the same bytes."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.limits import READ_BUFFER_BYTES, REPLY_REFERENCE_BYTES
from support import wire
from support.connections import World

BIG = "b" * (REPLY_REFERENCE_BYTES + 7)
REQUESTS: tuple[tuple[wire.Word, ...], ...] = (
    ("PING",),
    ("ECHO", "small"),
    ("ECHO", BIG),
    ("ECHO", "v" * 70_000),
    ("XRANGE", "big", "-", "+"),
    ("XREAD", "STREAMS", "none", "big", 0, 0),
    ("XREAD", "BLOCK", 5, "STREAMS", "none", "$"),
    ("XADD", "none", "NOMKSTREAM", "*", "f", "v"),
    ("MULTI",),
    ("EXEC",),
    ("CLIENT", "REPLY", "SKIP"),
    ("CLIENT", "REPLY", "OFF"),
    ("CLIENT", "REPLY", "ON"),
    ("SET", "k", BIG),
    ("GET", "k"),
    ("NOSUCH", "x"),
    ("HELLO", 3),
    ("RESET",),
    ("MONITOR", "too many"),
)
RAW = (
    b"PING\r\n",
    b"\r\n",
    b"*0\r\n",
    b"*-1\r\n",
    b'ECHO "a b"\r\n',
    b"*1\r\n$04\r\nPING\r\n",
    b"QUIT\r\n",
)
pieces = st.one_of(st.sampled_from(REQUESTS).map(wire.encode), st.sampled_from(RAW))
STEPS = ("full", "drain", "turn", "time")


def fresh() -> World:
    world = World()
    filler = world.connect()
    filler.send(*[("XADD", "big", f"{n}-0", "f", "x" * 1000) for n in range(1, 401)])
    return world


def outcome(data: bytes, cuts: list[int], steps: list[str]) -> tuple[bytes, bool]:
    """What a client is sent, and whether it is closed; `cuts` are lengths of pieces of input."""
    world = fresh()
    client = world.connect()
    transport = client.transport
    waiting = []
    pos = 0
    for n in cuts:
        waiting.append(data[pos : pos + n])
        pos += n
    waiting.append(data[pos:])
    steps = steps[::-1]
    calm = 0
    while calm < 3:
        step = steps.pop() if steps else "end"
        if step == "full":
            transport.full = True
        elif step == "drain" or (step == "end" and transport.full):
            transport.drain() if transport.held else setattr(transport, "full", False)
        elif step == "turn":
            world.loop.run_once()
        elif step == "time":
            world.pass_ms(5)
        elif not waiting or not transport.reading or transport.closing:
            calm += 1
            world.loop.run()
            world.pass_ms(5)
        if waiting and transport.reading and not transport.closing:
            client.send_raw(waiting.pop(0))
            calm = 0
    return bytes(transport.data), transport.closing


@settings(max_examples=150)
@given(
    st.lists(pieces, max_size=25).map(b"".join),
    st.lists(st.integers(0, 40_000) | st.integers(0, 30), max_size=40),
    st.lists(st.sampled_from(STEPS), max_size=60),
)
def test_the_same_bytes(data: bytes, cuts: list[int], steps: list[str]) -> None:
    assert len(data) < 10 * READ_BUFFER_BYTES
    assert outcome(data, cuts, steps) == outcome(data, [], [])
