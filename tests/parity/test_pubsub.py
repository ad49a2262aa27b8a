"""Several clients who publish and listen, as redis-server has them: the same words to both servers.

After each step every client says PING with a number; what it is sent before the answer is what
the step has caused for it, in its order.
"""

from __future__ import annotations

import itertools
import shlex

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.servers import Server
from support.wire import Connection, Reply, encode, plain

DIALOGUES = {
    "channels": """a SUBSCRIBE x y x; b PUBLISH x hello; b PUBLISH none hello; a PING; a PING hi;
        a UNSUBSCRIBE none; a UNSUBSCRIBE x; b PUBLISH x hello; b PUBLISH y hello; a UNSUBSCRIBE y;
        b PUBLISH y hello; a PING""",
    "nothing-to-leave": "a UNSUBSCRIBE; a PUNSUBSCRIBE; a SUNSUBSCRIBE; a UNSUBSCRIBE x; a PING",
    "patterns": """a PSUBSCRIBE x* z; a SUBSCRIBE x1; b PSUBSCRIBE x*; c PUBLISH x1 m;
        c PUBLISH x2 m;
        c PUBLISH z m; c PUBLISH y m; c PUBSUB NUMPAT; a PUNSUBSCRIBE x*; c PUBLISH x1 m;
        c PUBSUB NUMPAT; b PUNSUBSCRIBE; c PUBSUB NUMPAT; a PSUBSCRIBE h[ae]llo;
        c PUBLISH hxllo m; c PUBLISH hello ''""",
    "shards": """a SSUBSCRIBE x y; a SUBSCRIBE x; b SPUBLISH x m; b PUBLISH x m; b PUBLISH y m;
        b PUBSUB SHARDCHANNELS; b PUBSUB CHANNELS; b PUBSUB SHARDNUMSUB x y none;
        b PUBSUB NUMSUB x y; a UNSUBSCRIBE; a PING; b SPUBLISH y m; a SUNSUBSCRIBE x;
        a SUNSUBSCRIBE none; a SUNSUBSCRIBE; a PING; b SPUBLISH y m""",
    "counts": """a SUBSCRIBE x; a PSUBSCRIBE p*; a SSUBSCRIBE s; a SUBSCRIBE y; a PSUBSCRIBE q*;
        a SSUBSCRIBE t; a UNSUBSCRIBE x; a PUNSUBSCRIBE p*; a SUNSUBSCRIBE s""",
    "pubsub": """b PUBSUB CHANNELS; a SUBSCRIBE abc; b PUBSUB CHANNELS; b PUBSUB CHANNELS a*;
        b PUBSUB CHANNELS b*; b PUBSUB CHANNELS a b; b PUBSUB NUMSUB; b PUBSUB NUMSUB abc none abc;
        b PUBSUB NUMPAT x; b PUBSUB WHAT; b PUBSUB; b SUBSCRIBE; b PSUBSCRIBE; b PUBLISH x;
        b PUBLISH x y z; b PUBSUB SHARDCHANNELS a b; b PUBSUB SHARDNUMSUB""",
    "state": """a SUBSCRIBE x; a GET k; a SET k v; a PUBLISH x m; a SPUBLISH x m; a MULTI; a EXEC;
        a HELLO 2; a CLIENT ID; a PUBSUB NUMPAT; a XADD s * a b; a GET; a PUBLISH; a PING a b;
        a RESET; a GET k; a PING""",
    "self": """a HELLO 3; a SUBSCRIBE x; a PSUBSCRIBE x*;
        a PUBLISH x 1 | PING between | PUBLISH x 2;
        a PUBLISH x 1 | UNSUBSCRIBE x | PUBLISH x 2; a PUNSUBSCRIBE | PUBLISH x 3""",
    "transaction": """a SUBSCRIBE x; b MULTI; b PUBLISH x 1; b SUBSCRIBE x; b PUBLISH x 2; b EXEC;
        c MULTI; c PUBLISH x 1; c NOSUCH x; c EXEC; b RESET; b MULTI; b SSUBSCRIBE s; b PING;
        b PING b;
        b UNSUBSCRIBE; b SUNSUBSCRIBE; b PING; b EXEC; b PING; b MULTI; b PUBLISH x 1; b DISCARD""",
    "self-in-transaction": """a HELLO 3; a SUBSCRIBE x; a MULTI; a PUBLISH x 1; a SPUBLISH x 2;
        a PUBLISH x 3; a PING; a EXEC""",
    "reset": """a SUBSCRIBE x; a PSUBSCRIBE x*; a SSUBSCRIBE x; a RESET; b PUBLISH x m;
        b SPUBLISH x m;
        b PUBSUB NUMPAT; b PUBSUB CHANNELS; a SUBSCRIBE y; b PUBLISH y m""",
    "protocols": """a HELLO 3; a SUBSCRIBE x; b PUBLISH x 1; a HELLO 2; b PUBLISH x 2; a HELLO 3;
        a UNSUBSCRIBE; a SUBSCRIBE x; a HELLO 3; b PUBLISH x 3""",
    "reply-off": """a HELLO 3; a SUBSCRIBE x;
        a CLIENT REPLY OFF | PUBLISH x 1 | SUBSCRIBE y | GET k |
        UNSUBSCRIBE y | PING | CLIENT REPLY ON; a CLIENT REPLY SKIP | SUBSCRIBE z | PING now;
        a CLIENT REPLY SKIP | PUBLISH z m | PING now;
        b CLIENT REPLY SKIP | SUBSCRIBE x | PING now""",
    "order": """a SUBSCRIBE x y; b PUBLISH x 1 | PUBLISH y 2 | PUBLISH x 3 | PUBLISH y 4;
        a UNSUBSCRIBE y; b PUBLISH x 1 | PUBLISH y 2 | PUBLISH x 3""",
    "events": """a CONFIG SET notify-keyspace-events KEA; a HELLO 3; a PSUBSCRIBE __keyspace*:*;
        b SUBSCRIBE __keyevent@0__:xadd m; c XADD s 1-1 a b; c DEL s; a XADD s 1-1 a b | PING;
        c MULTI; c XADD s 2-1 a b; c PUBLISH m between; c XADD s 3-1 a b; c EXEC;
        c CONFIG SET notify-keyspace-events ''; c DEL s""",
    "blocked": """a HELLO 3; a SUBSCRIBE x; b PUBLISH x 1; c PUBSUB NUMSUB x;
        a XREAD BLOCK 1 STREAMS none $; b PUBLISH x 2""",
    "binary": """a SUBSCRIBE 'a\\r\\nb'; b PUBLISH 'a\\r\\nb' '\\r\\n\\0\\xff';
        a PSUBSCRIBE '[^a]*'; b PUBLISH '' ''""",
}


def words_of(line: str) -> list[bytes]:
    raw = line.encode("latin-1").decode("unicode_escape") if "\\" in line else line
    return [word.encode("latin-1") for word in shlex.split(raw)]


class Room:
    """The clients of one server, by letter; they come when they first speak."""

    def __init__(self, server: Server, resp: int) -> None:
        self._server = server
        self._resp = resp
        self._clients: dict[str, Connection] = {}
        self._queueing: set[str] = set()
        self._numbers = itertools.count()

    def step(self, name: str, lines: list[list[bytes]]) -> dict[str, list[Reply]]:
        """What every client has been sent since the last step, once `name` has said all lines."""
        for letter in "abc":
            if letter not in self._clients:
                self._clients[letter] = self._server.connect(self._resp)
        speaker = self._clients[name]
        speaker.send_raw(b"".join(encode(line) for line in lines))
        verb = lines[-1][0].upper()
        if name in self._queueing and verb not in (b"EXEC", b"DISCARD", b"RESET"):
            return {name: [speaker.read()]}
        heard = {}
        self._queueing.discard(name)
        if verb == b"MULTI":
            heard[name] = [speaker.read()]
            if heard[name] == [("+", b"OK")]:
                self._queueing.add(name)
                return heard
        for letter, client in self._clients.items():
            if letter not in self._queueing:
                heard[letter] = self._read(client)
        return heard

    def _read(self, client: Connection) -> list[Reply]:
        mark = b"mark-%d" % next(self._numbers)
        client.send("PING", mark)
        found = []
        while plain(reply := client.read()) not in (mark, [b"pong", mark]):
            found.append(comparable(reply))
        return sorted_leaving(found)


def comparable(reply: Reply) -> Reply:
    """Names of channels come in any order, and a greeting tells of the server."""
    kind, value = reply
    if kind in "*%" and value:
        first = value[0][0] if kind == "%" else value[0]
        if first == ("$", b"server"):
            return kind, "greeting"
        if kind == "*" and all(item[0] == "$" for item in value) and first[1] not in MESSAGES:
            return kind, sorted(value)
    return reply


MESSAGES = (b"message", b"pmessage", b"smessage", b"pong")


def sorted_leaving(replies: list[Reply]) -> list[Reply]:
    """Redis leaves all channels in the order of a hash table: names are sorted, counts stay."""
    found = []
    for verb, run in itertools.groupby(replies, lambda reply: leaving(reply)):
        several = list(run)
        if verb:
            names = sorted((reply[1][1] for reply in several), key=repr)
            several = [
                (reply[0], [reply[1][0], name, reply[1][2]])
                for reply, name in zip(several, names, strict=True)
            ]
        found += several
    return found


def leaving(reply: Reply) -> bytes:
    kind, value = reply
    if kind not in "*>" or len(value) != 3 or value[0][0] != "$":
        return b""
    return value[0][1] if value[0][1].endswith(b"unsubscribe") else b""


def run_both(
    ours: Server, theirs: Server, resp: int, steps: list[tuple[str, list[list[bytes]]]]
) -> None:
    rooms = Room(ours, resp), Room(theirs, resp)
    for name, lines in steps:
        mine, wanted = (room.step(name, lines) for room in rooms)
        assert mine == wanted, f"RESP{resp}, {name}: {lines}"


@pytest.mark.parametrize("resp", [2, 3])
@pytest.mark.parametrize("name", DIALOGUES)
def test_dialogue(headwater: Server, reference: Server, name: str, resp: int) -> None:
    steps = []
    for line in DIALOGUES[name].split(";"):
        letter, _, rest = line.strip().partition(" ")
        steps.append((letter, [words_of(part) for part in rest.split(" | ")]))
    run_both(headwater, reference, resp, steps)


CHANNEL = st.sampled_from([b"a1", b"a2", b"b1", b"c"])
PATTERN = st.sampled_from([b"a*", b"b?", b"c"])
LINE = st.one_of(
    st.tuples(
        st.sampled_from([b"SUBSCRIBE", b"UNSUBSCRIBE", b"SSUBSCRIBE", b"SUNSUBSCRIBE"]), CHANNEL
    ),
    st.tuples(st.sampled_from([b"PSUBSCRIBE", b"PUNSUBSCRIBE"]), PATTERN),
    st.tuples(st.sampled_from([b"PUBLISH", b"SPUBLISH"]), CHANNEL, st.sampled_from([b"", b"m"])),
    st.tuples(
        st.sampled_from([b"UNSUBSCRIBE", b"PUNSUBSCRIBE", b"SUNSUBSCRIBE", b"RESET", b"PING"])
    ),
    st.tuples(st.just(b"PUBSUB"), st.just(b"NUMSUB"), CHANNEL),
    st.tuples(st.just(b"PUBSUB"), st.just(b"NUMPAT")),
    st.tuples(st.just(b"HELLO"), st.sampled_from([b"2", b"3"])),
)


@settings(max_examples=25)
@given(
    st.sampled_from([2, 3]),
    st.lists(
        st.tuples(st.sampled_from("abc"), st.lists(LINE.map(list), min_size=1, max_size=3)),
        max_size=25,
    ),
)
def test_any_dialogue(
    headwater_server: Server,
    redis_server: Server,
    resp: int,
    steps: list[tuple[str, list[list[bytes]]]],
) -> None:
    try:
        run_both(headwater_server, redis_server, resp, steps)
    finally:
        headwater_server.close_connections()
        redis_server.close_connections()


def test_what_is_told_of_a_listener(headwater: Server, reference: Server) -> None:
    told = []
    for server in (headwater, reference):
        client, other = server.connect(3), server.connect()
        for line in ("SUBSCRIBE a b", "PSUBSCRIBE p*", "SSUBSCRIBE s"):
            client.send(*line.split())
            for _ in line.split()[1:]:
                client.read()
        fields = dict(
            word.partition(b"=")[::2]
            for word in other.ok("CLIENT", "LIST", "ID", client.id).split()
        )
        info = other.ok("INFO", "clients", "stats").split()
        told.append(
            (
                [fields[name] for name in (b"flags", b"sub", b"psub", b"ssub")],
                [line for line in info if line.startswith(b"pubsub")],
            )
        )
    assert told[0] == told[1]
