"""Who listens to which channel, and what each listener is owed.

A message is owed at once, in the order in which messages are published, and sent at the end of
the round of the event loop: what came together for a listener leaves together, and what follows
from a change leaves behind the journal's record of it (invariant 1). Thousands of listeners are
served in slices, so that one PUBLISH does not stop the loop for as long as all those sends take.

Guarantees:
1. A listener gets its messages in the order of publishing, and those published before one of its
   own commands ran ahead of that command's reply (`Session.subscriptions` is asked).
2. A message is encoded once for each protocol, and all listeners hold the same bytes.
3. What is owed and not yet handed to the sessions is bounded: `OWED_MESSAGES`, `OWED_BYTES`.
"""

from __future__ import annotations

import logging
from collections import deque
from typing import Any

from headwater.commands.session import Session
from headwater.commands.state import ServerState
from headwater.glob import matches
from headwater.keyspace.notifications import KEYEVENT, KEYSPACE
from headwater.limits import REPLY_REFERENCE_BYTES
from headwater.resp.reply import Reply

CHANNEL, PATTERN, SHARD = 0, 1, 2
"""The three kinds of names that one can listen to."""
_CHANNEL, _PATTERN, _SHARD = CHANNEL, PATTERN, SHARD  # the same as C numbers

SLICE = 128
"""Listeners served in one go, half a millisecond of sends; if more wait, a part of them."""
SLICE_SHARE = 16
"""Of very many who wait, one part in so many is served in one go."""
OWED_MESSAGES = 1 << 19
OWED_BYTES = 32 << 20
"""What publishers may run ahead of the slices: beyond, all are served at once. Bytes are counted
once for all who receive them."""
_SLICE, _SLICE_SHARE, _OWED_MESSAGES = SLICE, SLICE_SHARE, OWED_MESSAGES
_OWED_BYTES = OWED_BYTES

_KEYSPACE, _KEYEVENT = KEYSPACE, KEYEVENT
_log = logging.getLogger("headwater")


class Subscriptions:
    """What one session listens to, each name once, and the messages it is owed.

    While a command that waited is run again, `_earlier` of what is owed was owed before; else -1.
    """

    __slots__ = (
        "_earlier",
        "_listed",
        "channels",
        "owed",
        "owed_bytes",
        "patterns",
        "session",
        "shards",
    )

    def __init__(self, session: Session) -> None:
        self.session: Session | None = session  # None when it is gone
        self.channels: dict[bytes, None] = {}
        self.patterns: dict[bytes, None] = {}
        self.shards: dict[bytes, None] = {}
        self.owed: list[bytes] = []
        self.owed_bytes = 0
        self._listed = False  # among Channels.owing
        self._earlier = -1

    def of(self, kind: int) -> dict[bytes, None]:
        """The names of one kind."""
        if kind == _CHANNEL:
            return self.channels
        return self.patterns if kind == _PATTERN else self.shards

    def count(self, kind: int) -> int:
        """What a reply about `kind` tells: channels and patterns together, or shard channels."""
        if kind == _SHARD:
            return len(self.shards)
        return len(self.channels) + len(self.patterns)

    def is_empty(self) -> bool:
        return not self.channels and not self.patterns and not self.shards

    def begin_own(self) -> None:
        """What is owed from now on belongs behind the reply that is sent next."""
        self._earlier = len(self.owed)

    def end_own(self) -> None:
        """There is no such reply."""
        self._earlier = -1

    def write_owed(self, reply: Reply) -> None:
        """Put what is owed behind what is in `reply`, and owe it no more."""
        owed = self.owed
        if not owed:
            self._earlier = -1
            return
        self.owed = []
        self.owed_bytes = 0
        if self._earlier >= 0:
            self.owed = owed[self._earlier :]
            for data in self.owed:
                self.owed_bytes += len(data)
            del owed[self._earlier :]
            self._earlier = -1
        for data in owed:
            if len(data) >= REPLY_REFERENCE_BYTES:
                reply.attach_bytes(data)
            else:
                reply.raw_bytes(data)


class _Message:
    """One message on its way to its receivers, encoded for a protocol when the first needs it.

    A big payload stays a part of its own, so that it is not copied.
    """

    __slots__ = (
        "_kind",
        "_payload",
        "_resp2",
        "_resp3",
        "_words",
        "entries",
        "parts",
        "payload_bytes",
        "size",
    )

    def __init__(self, kind: bytes, words: tuple[bytes, ...], payload: bytes) -> None:
        self._kind = kind
        self._words = words
        self._payload = payload
        self._resp2: bytes | None = None
        self._resp3: bytes | None = None
        # What comes behind the encoded part: the payload and a line end, if it is big.
        self.parts = len(payload) >= REPLY_REFERENCE_BYTES
        self.size = len(payload) + 2 if self.parts else 0
        self.entries = 3 if self.parts else 1
        self.payload_bytes = len(payload)

    def owe(self, receiver: Subscriptions, scratch: Reply) -> None:
        """Let the receiver have this message."""
        session = receiver.session
        assert session is not None
        if session.resp3:
            if self._resp3 is None:
                self._resp3 = self._encode(scratch, True)
            data = self._resp3
        else:
            if self._resp2 is None:
                self._resp2 = self._encode(scratch, False)
            data = self._resp2
        owed = receiver.owed
        owed.append(data)
        if self.parts:
            owed.append(self._payload)
            owed.append(b"\r\n")
        receiver.owed_bytes += len(data) + self.size

    def _encode(self, scratch: Reply, resp3: bool) -> bytes:
        scratch.resp3 = resp3
        scratch.push(2 + len(self._words))
        scratch.raw_bytes(self._kind)
        for word in self._words:
            scratch.bulk(word)
        if self.parts:
            scratch._head(36, len(self._payload))
        else:
            scratch.bulk(self._payload)
        if scratch.parts:  # a name that is big, too
            return b"".join([part for part in scratch.take_parts() if isinstance(part, bytes)])
        return scratch.take()


_OF_CHANNEL = b"$7\r\nmessage\r\n"
_OF_PATTERN = b"$8\r\npmessage\r\n"
_OF_SHARD = b"$8\r\nsmessage\r\n"


class Channels:
    """All channels, patterns and shard channels of one server that somebody listens to.

    Each name leads to its listener, or to a dict of them when there are several: most channels
    have one. `listening`: sessions that listen to anything. `classes`: what
    `notify-keyspace-events` says. `on_owed()`, if there is one, is called when somebody is owed
    something and nobody was: `deliver` is to be called soon, and again while it says that there is
    more.
    """

    __slots__ = (
        "_bytes",
        "_messages",
        "_names",
        "_patterns",
        "_scratch",
        "_shards",
        "_state",
        "classes",
        "listening",
        "on_owed",
        "owing",
    )

    def __init__(self, state: ServerState) -> None:
        self._state = state
        self._names: dict[bytes, Any] = {}
        self._patterns: dict[bytes, Any] = {}
        self._shards: dict[bytes, Any] = {}
        self._scratch = Reply()
        # Owed, about: what a session's own reply took is still in it, and bytes until all is sent.
        self._messages = 0
        self._bytes = 0
        self.classes = 0
        self.listening = 0
        self.owing: deque[Subscriptions] = deque()
        self.on_owed: Any = None

    def of(self, kind: int) -> dict[bytes, Any]:
        """The names of one kind that somebody listens to."""
        if kind == _CHANNEL:
            return self._names
        return self._patterns if kind == _PATTERN else self._shards

    def listeners(self, kind: int, name: bytes) -> int:
        """How many listen to a name."""
        found = self.of(kind).get(name)
        if found is None:
            return 0
        return len(found) if isinstance(found, dict) else 1

    # --- listeners come and go ---

    def subscribe(self, session: Session, kind: int, name: bytes) -> int:
        """Let the session listen to a name; returns how many of its names count for a reply."""
        mine: Subscriptions | None = session.subscriptions
        if mine is None:
            mine = session.subscriptions = Subscriptions(session)
            self.listening += 1
        names = mine.of(kind)
        if name not in names:
            names[name] = None
            known = self.of(kind)
            found = known.get(name)
            if found is None:
                known[name] = mine
            elif isinstance(found, dict):
                found[mine] = None
            else:
                known[name] = {found: None, mine: None}
        return mine.count(kind)

    def unsubscribe(self, session: Session, kind: int, name: bytes) -> int:
        """Let the session listen to a name no more; returns as `subscribe`."""
        mine: Subscriptions | None = session.subscriptions
        if mine is None:
            return 0
        names = mine.of(kind)
        if name in names:
            del names[name]
            self._remove(mine, kind, name)
            if mine.is_empty():
                session.subscriptions = None
                self.listening -= 1
        return mine.count(kind)

    def _remove(self, mine: Subscriptions, kind: int, name: bytes) -> None:
        known = self.of(kind)
        found = known.get(name)
        if isinstance(found, dict):
            found.pop(mine, None)
            if not found:
                del known[name]
        elif found is mine:
            del known[name]

    def leave(self, session: Session) -> None:
        """Let the session listen to nothing (RESET)."""
        mine: Subscriptions | None = session.subscriptions
        if mine is None:
            return
        session.subscriptions = None
        self.listening -= 1
        for kind in (_CHANNEL, _PATTERN, _SHARD):
            for name in mine.of(kind):
                self._remove(mine, kind, name)

    def forget(self, session: Session) -> None:
        """The session is gone: it listens to nothing, and is owed nothing."""
        mine: Subscriptions | None = session.subscriptions
        if mine is not None:
            self.leave(session)
            mine.session = None
            mine.owed = []
            mine.owed_bytes = 0

    # --- messages ---

    def publish(self, channel: bytes, payload: bytes) -> int:
        """Send a message to a channel; returns how many receive it, those by pattern included."""
        count = 0
        found = self._names.get(channel)
        if found is not None:
            count = self._send(_Message(_OF_CHANNEL, (channel,), payload), found)
        if self._patterns:
            for pattern, listeners in self._patterns.items():
                if matches(pattern, channel):
                    message = _Message(_OF_PATTERN, (pattern, channel), payload)
                    count += self._send(message, listeners)
        if self._messages > _OWED_MESSAGES or self._bytes > _OWED_BYTES:
            self.deliver_all()
        return count

    def publish_shard(self, channel: bytes, payload: bytes) -> int:
        """Send a message to a shard channel; returns how many receive it."""
        found = self._shards.get(channel)
        if found is None:
            return 0
        count = self._send(_Message(_OF_SHARD, (channel,), payload), found)
        if self._messages > _OWED_MESSAGES or self._bytes > _OWED_BYTES:
            self.deliver_all()
        return count

    def announce(self, event_class: int, event: bytes, key: bytes, database: int) -> None:
        """Publish a keyspace event; the keyspace's `notifier`, asked for classes that are on."""
        if (not self._names and not self._patterns) or self._state.loading:
            return
        if self.classes & _KEYSPACE:
            self.publish(b"__keyspace@%d__:%b" % (database, key), event)
        if self.classes & _KEYEVENT:
            self.publish(b"__keyevent@%d__:%b" % (database, event), key)

    def _send(self, message: _Message, listeners: Any) -> int:
        scratch = self._scratch
        self._bytes += message.payload_bytes
        if not isinstance(listeners, dict):
            only: Subscriptions = listeners
            message.owe(only, scratch)
            self._messages += message.entries
            self._list(only)
            return 1
        several: dict[Subscriptions, None] = listeners
        for one in several:
            message.owe(one, scratch)
            if not one._listed:
                self._list(one)
        n = len(several)
        self._messages += n * message.entries
        return n

    def owe(self, session: Session, mine: Subscriptions | None, data: bytes) -> None:
        """Send bytes as messages are sent, behind the reply of the command that runs.

        `mine`: what the session listens to, or did when that command began.
        """
        if mine is None:
            mine = Subscriptions(session)
        mine.owed.append(data)
        mine.owed_bytes += len(data)
        self._messages += 1
        self._list(mine)

    def _list(self, receiver: Subscriptions) -> None:
        if not receiver._listed:
            receiver._listed = True
            self.owing.append(receiver)
            if len(self.owing) == 1 and self.on_owed is not None:
                self.on_owed()

    # --- delivery ---

    def deliver(self) -> bool:
        """Send some of those who are owed something all of it; True when others are left."""
        owing = self.owing
        n = len(owing) // _SLICE_SHARE
        if n < _SLICE:
            n = _SLICE
        while owing and n > 0:
            n -= 1
            receiver: Subscriptions = owing.popleft()
            receiver._listed = False
            try:
                self._hand_over(receiver)
            except Exception:
                # Its own fault: the others get theirs.
                _log.exception("a client closed: sending it messages failed")
                self._scratch.clear()
                if receiver.session is not None:
                    receiver.session.close()
        if owing:
            return True
        self._messages = self._bytes = 0
        return False

    def deliver_all(self) -> None:
        """Send everything that is owed."""
        while self.deliver():
            pass

    def _hand_over(self, receiver: Subscriptions) -> None:
        owed = receiver.owed
        if not owed:
            return
        session = receiver.session
        n = len(owed)
        self._messages -= n
        if session is None:
            receiver.owed = []
            receiver.owed_bytes = 0
            return
        if n == 1:
            data: bytes = owed[0]
            owed.clear()
            receiver.owed_bytes = 0
            session.push(data)
            return
        receiver.owed = []
        receiver.owed_bytes = 0
        scratch = self._scratch
        for part in owed:
            data = part
            if len(data) >= REPLY_REFERENCE_BYTES:
                if scratch.pos:
                    session.push(scratch.take())
                session.push(data)
            else:
                if scratch.pos + len(data) > REPLY_REFERENCE_BYTES:
                    session.push(scratch.take())
                scratch.raw_bytes(data)
        if scratch.pos:
            session.push(scratch.take())
