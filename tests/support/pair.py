"""Two servers side by side: the same words to both, their answers compared.

What depends on the clock, on how a server is built inside or on a newer Redis than the reference
is taken out of both answers by the rules below before they are compared.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from support.servers import Server
from support.wire import Connection, Reply, Word, pairs, to_bytes

ANY: Reply = ("any", None)
BLOCKED_SECONDS = 20

# Fields of XINFO that follow the clock or the inner structure.
UNSTABLE_FIELDS = {
    b"radix-tree-keys",
    b"radix-tree-nodes",
    b"idle",
    b"inactive",
    b"seen-time",
    b"active-time",
}
# Fields of XINFO that the reference, redis-server 8.2, does not have.
NEWER_FIELDS = {
    b"idmp-duration",
    b"idmp-maxsize",
    b"pids-tracked",
    b"iids-tracked",
    b"iids-added",
    b"iids-duplicates",
    b"nacked-count",
}


class MismatchError(AssertionError):
    """Headwater and the reference answered differently."""


class Peers:
    """One client as each of the two servers sees it."""

    def __init__(self, ours: Connection, theirs: Connection) -> None:
        self.ours = ours
        self.theirs = theirs
        self.blocked = False

    def close(self) -> None:
        self.ours.close()
        self.theirs.close()


class Pair:
    """Both servers, emptied, and the clients that a test connects to them.

    `history` is what was said, for the message of a failure; `failed` tells that there was one.
    """

    def __init__(self, ours: Server, theirs: Server, resp: int = 2) -> None:
        self.servers = (ours, theirs)
        self.resp = resp
        self.history: list[str] = []
        self.failed = False
        self.watchers = (ours.connect(), theirs.connect())
        self.main = self.connect()
        self.same(self.main, "FLUSHALL")

    def connect(self) -> Peers:
        ours, theirs = (server.connect() for server in self.servers)
        ours.hello(self.resp)
        theirs.hello(self.resp)
        return Peers(ours, theirs)

    def close(self) -> None:
        for server in self.servers:
            server.close_connections()

    def same(self, peers: Peers, *words: Word) -> Reply:
        """Say `words` to both and return the answer they agree on, clock figures taken out."""
        self._note(words)
        peers.ours.send(*words)
        peers.theirs.send(*words)
        return self.agree(words, *self._read(peers))

    def same_all(self, peers: Peers, requests: list[tuple[Word, ...]]) -> None:
        """The same for many requests in one pipeline."""
        first = " ".join(map(str, requests[0])) if requests else ""
        self.history.append(f"(pipeline of {len(requests)}, first: {first})")
        answers = zip(
            requests, peers.ours.pipeline(requests), peers.theirs.pipeline(requests), strict=True
        )
        for words, ours, theirs in answers:
            self.agree(words, ours, theirs)

    def agree(self, words: tuple[Word, ...], ours: Reply, theirs: Reply) -> Reply:
        normal = normalizer(words)
        ours, theirs = (
            normal(as_newer(server, reply))
            for server, reply in zip(self.servers, (ours, theirs), strict=True)
        )
        if ours != theirs and not near(words, ours, theirs):
            raise MismatchError(self._message(words, ours, theirs))
        return ours

    def _read(self, peers: Peers) -> tuple[Reply, Reply]:
        theirs = peers.theirs.read()
        try:
            return peers.ours.read(), theirs
        except (OSError, EOFError) as error:
            self.servers[0].check_alive()
            raise MismatchError(self._message((), ("no answer", repr(error)), theirs)) from error

    def _note(self, words: Iterable[Word]) -> None:
        self.history.append(" ".join(repr(to_bytes(word))[2:-1] for word in words))

    def _message(self, words: tuple[Word, ...], ours: Reply, theirs: Reply) -> str:
        """Describe a difference; whoever cleans up later can tell from `failed`."""
        self.failed = True
        said = "\n    ".join(self.history[-60:])
        spot = f"\n  first difference: {difference(theirs, ours)}"
        return (
            f"RESP{self.resp}, after\n    {said}\n  said: {words!r}\n"
            f"  want: {shown(theirs)}\n  got:  {shown(ours)}{spot}"
        )

    # Clients that block. A client is known to be blocked when the server says so.

    def send(self, peers: Peers, *words: Word) -> None:
        """Say `words`, which may block; settle() tells whether they did."""
        self._note(("(blocking)", *words))
        peers.ours.send(*words)
        peers.theirs.send(*words)
        peers.blocked = True
        self._words = words
        self.settle([peers])

    def settle(self, clients: Iterable[Peers]) -> list[Peers]:
        """Compare who of the blocked clients has an answer by now, and the answers.

        Return those that were answered. Whatever was said before on other connections must have
        been answered already: then a client that a server still marks as blocked stays so.
        """
        answered = []
        for peers in clients:
            if not peers.blocked:
                continue
            ours = self._is_answered(self.watchers[0], peers.ours)
            theirs = self._is_answered(self.watchers[1], peers.theirs)
            if ours != theirs:
                state = {True: "answered", False: "blocked"}
                got: Reply = peers.ours.read() if ours else ("blocked", None)
                want: Reply = peers.theirs.read() if theirs else ("blocked", None)
                what = f"client should be {state[theirs]}, is {state[ours]}"
                raise MismatchError(self._message((what,), got, want))
            if ours:
                peers.blocked = False
                answered.append(peers)
                self.agree(("XREADGROUP",), peers.ours.read(), peers.theirs.read())
        return answered

    def settle_all(self, clients: list[Peers]) -> list[Peers]:
        """Like settle, for clients that must be answered soon: waits for their answers."""
        for peers in clients:
            for connection in (peers.ours, peers.theirs):
                if not connection.has_data(BLOCKED_SECONDS):
                    raise MismatchError(self._message((), ("no answer", None), ("", None)))
        return self.settle(clients)

    def _is_answered(self, watcher: Connection, connection: Connection) -> bool:
        deadline = time.monotonic() + BLOCKED_SECONDS
        while time.monotonic() < deadline:
            if connection.has_data():
                return True
            if is_blocked(watcher, connection.id) and not connection.has_data():
                return False
            time.sleep(0.0005)
        raise MismatchError(self._message((), ("neither blocked nor answered", None), ("", None)))

    def wait_gone(self, peers: Peers) -> None:
        """Return once both servers have noticed that the client is gone."""
        for watcher, connection in zip(self.watchers, (peers.ours, peers.theirs), strict=True):
            deadline = time.monotonic() + BLOCKED_SECONDS
            while watcher.ok("CLIENT", "LIST", "ID", connection.id).strip():
                if time.monotonic() > deadline:
                    raise MismatchError(self._message((), ("still listed", None), ("gone", None)))
                time.sleep(0.0005)


def is_blocked(watcher: Connection, client_id: int) -> bool:
    """Whether CLIENT LIST, asked on another connection, marks the client as blocked."""
    text: bytes = watcher.ok("CLIENT", "LIST", "ID", client_id)
    flags = next((word[6:] for word in text.split() if word.startswith(b"flags=")), b"")
    return b"b" in flags


def shown(reply: Reply) -> str:
    text = repr(reply)
    return text if len(text) < 1200 else f"{text[:800]} ... {text[-300:]}"


def difference(want: Reply, got: Reply, place: str = "reply") -> str:
    """Where two replies differ first, for people to read."""
    if want[0] != got[0] or not isinstance(want[1], list):
        return f"{place}: want {shown(want)}, got {shown(got)}"
    if len(want[1]) != len(got[1]):
        return f"{place}: want {len(want[1])} items, got {len(got[1])}"
    for number, (left, right) in enumerate(zip(want[1], got[1], strict=True)):
        if left == right:
            continue
        if want[0] == "%":
            name = left[0][1]
            if left[0] != right[0]:
                return f"{place}[{number}]: want key {left[0]}, got {right[0]}"
            return difference(left[1], right[1], f"{place}[{name!r}]")
        return difference(left, right, f"{place}[{number}]")
    return "none"


# Rules per command: Reply -> Reply.

Rule = Callable[[Reply], Reply]


def normalizer(words: tuple[Word, ...]) -> Rule:
    """What to take out of an answer to `words` before it is compared."""
    names = [to_bytes(word).upper() for word in words[:2]]
    name = names[0] if names else b""
    if name == b"XINFO":
        return without_unstable_fields
    if name == b"XPENDING":
        return without_idle_times
    if name in (b"KEYS", b"COMMAND"):
        return as_set
    if names == [b"CONFIG", b"GET"]:
        return lambda reply: ("set", sorted(pairs(reply).items())) if reply[0] in "%*" else reply
    if name == b"RANDOMKEY" or names == [b"MEMORY", b"USAGE"] or names == [b"OBJECT", b"IDLETIME"]:
        return only_type
    if name == b"ROLE":
        return without_offset
    if name == b"HELLO":
        return without_greeting
    return lambda reply: reply


NO_ARGUMENTS = b", with args beginning with: "


def as_newer(server: Server, reply: Reply) -> Reply:
    """The reference's answer as Redis 8.10 words it: unknown commands without arguments."""
    kind, value = reply
    if server.kind == "redis" and kind == "-" and value.endswith(NO_ARGUMENTS):
        return kind, value.removesuffix(NO_ARGUMENTS)
    return reply


def without_offset(reply: Reply) -> Reply:
    """ROLE of a master: its replication offset counts differently."""
    kind, value = reply
    return (kind, [value[0], ANY, *value[2:]]) if kind == "*" else reply


def without_greeting(reply: Reply) -> Reply:
    """HELLO: which fields there are, and the protocol."""
    if reply[0] not in "%*":
        return reply
    fields = pairs(reply)
    return "*", [("*", [("$", name) for name in fields]), fields[b"proto"]]


def without_unstable_fields(reply: Reply) -> Reply:
    """XINFO, at every depth: fields by name, unstable values replaced, newer fields left out."""
    kind, value = reply
    if kind == "%" or (kind == "*" and _names_fields(value)):
        fields = pairs(reply)
        kept = []
        for name, item in fields.items():
            if name in NEWER_FIELDS:
                continue
            if name in (b"pel", b"pending") and item[0] == "*":
                shown_item: Reply = ("*", [_without_times(entry) for entry in item[1]])
            elif name in UNSTABLE_FIELDS:
                shown_item = ANY
            else:
                shown_item = without_unstable_fields(item)
            kept.append((("$", name), shown_item))
        return kind, kept
    if kind == "*":
        return kind, [without_unstable_fields(item) for item in value]
    return reply


def _names_fields(value: list[Reply]) -> bool:
    return bool(value) and value[0][0] == "$" and value[0][1] in (b"name", b"length")


def _without_times(entry: Reply) -> Reply:
    """[id, (consumer,) delivery time, count] without its time: the last but one."""
    kind, items = entry
    return kind, [*items[:-2], ANY, items[-1]]


def without_idle_times(reply: Reply) -> Reply:
    """XPENDING with a range: [id, consumer, idle, count] without idle."""
    kind, value = reply
    if kind != "*" or not all(item[0] == "*" and len(item[1]) == 4 for item in value):
        return reply
    return kind, [_without_times(item) for item in value]


# How far apart the two servers may be when they are asked for a time, in its unit.
TOLERANCE = {b"TTL": 3, b"EXPIRETIME": 3, b"PTTL": 3000, b"PEXPIRETIME": 3000}


def near(words: tuple[Word, ...], ours: Reply, theirs: Reply) -> bool:
    """Whether both are times to live, or to expire at, that differ by the two servers' clocks."""
    tolerance = TOLERANCE.get(to_bytes(words[0]).upper(), 0) if words else 0
    if not tolerance or (ours[0], theirs[0]) != (":", ":"):
        return False
    return bool(min(ours[1], theirs[1]) > 0 and abs(ours[1] - theirs[1]) <= tolerance)


def as_set(reply: Reply) -> Reply:
    kind, value = reply
    return (kind, sorted(value)) if isinstance(value, list) else reply


def only_type(reply: Reply) -> Reply:
    return reply if reply[0] in ("nil", "-") else (reply[0], None)
