"""Keyspace notifications: every command that writes causes the events it causes in redis-server."""

from __future__ import annotations

import re
import shlex

import pytest

from support.servers import Server
from support.wire import plain

ALL = "KEA"
EVERYTHING = "KEAmnoc"

STREAMS = {
    "xadd": "XADD s 1-1 a b; XADD s 1-1 a b; XADD s NOMKSTREAM * a b; XADD none NOMKSTREAM * a b",
    "xadd-trims": """XADD s 1-1 a b; XADD s MAXLEN 1 2-1 a b; XADD s MAXLEN 5 3-1 a b;
        XADD s MINID 9 4-1 a b; XADD s MAXLEN 0 5-1 a b; XADD s MAXLEN ~ 1 6-1 a b""",
    "xtrim": """XTRIM s MAXLEN 1; XADD s 1-1 a b; XADD s 2-1 a b; XTRIM s MAXLEN 1;
        XTRIM s MAXLEN 1; XTRIM s MINID 5; XTRIM s MAXLEN 0""",
    "xdel": "XDEL s 1-1; XADD s 1-1 a b; XDEL s 2-2; XDEL s 1-1 1-1; XDEL s 1-1; XADD s 2-1 a b",
    "xdelex": """XDELEX s IDS 1 1-1; XADD s 1-1 a b; XADD s 2-1 a b; XADD s 3-1 a b;
        XDELEX s IDS 2 1-1 9-9; XGROUP CREATE s g 0; XREADGROUP GROUP g c STREAMS s >;
        XDELEX s ACKED IDS 1 2-1; XDELEX s DELREF IDS 2 2-1 3-1; XDELEX s IDS 1 2-1""",
    "xackdel": """XADD s 1-1 a b; XADD s 2-1 a b; XADD s 3-1 a b; XADD s 4-1 a b;
        XGROUP CREATE s g 0; XGROUP CREATE s h 0; XREADGROUP GROUP g c STREAMS s >;
        XREADGROUP GROUP h c COUNT 2 STREAMS s >; XACKDEL s g IDS 1 1-1; XACKDEL s g IDS 1 1-1;
        XACKDEL s g ACKED IDS 1 2-1; XACKDEL s g DELREF IDS 2 2-1 3-1; XDEL s 4-1;
        XACKDEL s g IDS 1 4-1; XACKDEL s none IDS 1 1-1""",
    "xsetid": """XADD s 1-1 a b; XSETID s 5-5; XSETID s 6-6 ENTRIESADDED 9 MAXDELETEDID 2-2;
        XSETID s 0-1""",
    "xgroup": """XGROUP CREATE s g $; XGROUP CREATE s g $ MKSTREAM; XGROUP CREATE s g 0;
        XGROUP CREATE s h 0; XGROUP SETID s g 0; XGROUP SETID s none 0;
        XGROUP CREATECONSUMER s g c; XGROUP CREATECONSUMER s g c; XGROUP DELCONSUMER s g c;
        XGROUP DELCONSUMER s g c; XGROUP DESTROY s g; XGROUP DESTROY s g""",
    "xreadgroup": """XADD s 1-1 a b; XADD s 2-1 a b; XGROUP CREATE s g 0;
        XREADGROUP GROUP g c COUNT 1 STREAMS s >; XREADGROUP GROUP g c STREAMS s 0;
        XREADGROUP GROUP g d STREAMS s 0; XREADGROUP GROUP g e STREAMS s >;
        XREADGROUP GROUP g f STREAMS s >; XREADGROUP GROUP g f NOACK STREAMS s >;
        XREAD STREAMS s 0; XRANGE s - +; XLEN s; XPENDING s g""",
    "xreadgroup-two": """XADD s 1-1 a b; XADD t 1-1 a b; XGROUP CREATE s g 0; XGROUP CREATE t g 0;
        XREADGROUP GROUP g c STREAMS s t > >; XREADGROUP GROUP g d STREAMS s t 0 >;
        XREADGROUP GROUP none d STREAMS s t 0 >""",
    "xack": "XADD s 1-1 a b; XGROUP CREATE s g 0; XREADGROUP GROUP g c STREAMS s >; XACK s g 1-1",
    "xclaim": """XADD s 1-1 a b; XADD s 2-1 a b; XGROUP CREATE s g 0;
        XREADGROUP GROUP g c STREAMS s >; XCLAIM s g d 0 1-1; XCLAIM s g d 0 1-1 JUSTID;
        XDEL s 2-1; XCLAIM s g e 0 2-1; XCLAIM s g e 0 9-9; XCLAIM s g f 100000 1-1;
        XCLAIM s g f 0 1-1 LASTID 7-7""",
    "xautoclaim": """XADD s 1-1 a b; XADD s 2-1 a b; XGROUP CREATE s g 0;
        XREADGROUP GROUP g c STREAMS s >; XAUTOCLAIM s g d 0 0; XDEL s 2-1;
        XAUTOCLAIM s g e 0 0; XAUTOCLAIM s g f 100000 0""",
}
KEYS = {
    "del": """DEL a; SET a 1; SET b 2; DEL a none b; SET a 1; UNLINK a; UNLINK a; XADD a 1-1 a b;
        DEL a a""",
    "expire": """SET a 1; EXPIRE a 100; EXPIRE a 10 NX; EXPIRE a 10 GT; PEXPIRE a 100000;
        EXPIREAT a 9999999999; PEXPIREAT a 9999999999999; EXPIRE none 10; PERSIST a; PERSIST a;
        EXPIRE a -1; SET a 1; EXPIREAT a 1; SET a 1; PEXPIRE a 0; TTL a""",
    "rename": """SET a 1; RENAME a b; RENAME none b; SET a 1; RENAME a b; RENAMENX b b; RENAME b b;
        SET a 1; RENAMENX a b; DEL b; RENAMENX a b; XADD x 1-1 a b; RENAME x b; RENAME b c""",
    "move": """SET a 1; MOVE a 1; MOVE a 1; SET a 1; MOVE a 1; SELECT 1; MOVE a 0; DEL a; MOVE a 0;
        SELECT 0; EXPIRE a 100; MOVE a 3""",
    "copy": """SET a 1; COPY a b; COPY a b; COPY a b REPLACE; COPY none b; COPY a c DB 2;
        XADD x 1-1 a b; COPY x b REPLACE; COPY x x""",
    "flush": "SET a 1; XADD b 1-1 a b; SELECT 3; SET c 1; SWAPDB 0 3; FLUSHDB; FLUSHALL",
    "touch": "SET a 1; TOUCH a none; EXISTS a none; TYPE a; TYPE none; OBJECT ENCODING none",
    "miss": """GET none; EXISTS none; TTL none; XLEN none; XRANGE none - +; XINFO STREAM none;
        DUMP none; XREAD STREAMS none 0; XPENDING none g; XREADGROUP GROUP g c STREAMS none >;
        XACK none g 1-1; XCLAIM none g c 0 1-1; XAUTOCLAIM none g c 0 0; RENAME none x;
        MEMORY USAGE none; RANDOMKEY; OBJECT IDLETIME none; PERSIST none; EXPIRETIME none;
        XDEL none 1-1; XTRIM none MAXLEN 0; MOVE none 1; COPY none x; SET none 1 XX; GET none;
        XGROUP CREATE none g 0; DEL none; UNLINK none; TOUCH none; XINFO GROUPS none; GET none""",
    "set": """SET a 1; SET a 2; SET a 3 EX 100; SET a 3 PX 10000 GET; SET a 4 KEEPTTL; SET a 5 NX;
        SET b 5 XX; SET a 6 XX; SET a 7 EXAT 1; SET a 8 GET; SET none 8 PXAT 1; XADD x 1-1 a b;
        SET x 1; SET x 2 GET""",
    "type": """SET a 1; XADD x 1-1 a b; RENAME a x; XADD y 1-1 a b; COPY y x REPLACE;
        COPY y x REPLACE; XGROUP CREATE z g 0 MKSTREAM""",
    "reload": "SET a 1; RPUSH l a; XADD s 1-1 a b; DEBUG RELOAD; GET a; SET b 1",
    "transaction": "MULTI; SET a 1; XADD s 1-1 a b; DEL a; XADD s 1-1 a b; EXEC",
    "expired": """SET a 1; EXPIRE a 100; DEBUG SET-ACTIVE-EXPIRE 0; PEXPIRE a 1; DEBUG SLEEP 0.01;
        GET a; GET a; SET a 1 PX 1; DEBUG SLEEP 0.01; SET a 2; SET a 1 PX 1; DEBUG SLEEP 0.01;
        DEL a; SET a 1 PX 1; DEBUG SLEEP 0.01; EXISTS a; SET a 1 PX 1; DEBUG SLEEP 0.01; TTL a;
        SET a 1 PX 1; DEBUG SLEEP 0.01; RENAME a b; SET a 1; SET b 1 PX 1; DEBUG SLEEP 0.01;
        RENAME a b; SET a 1; SET b 1 PX 1; DEBUG SLEEP 0.01; COPY a b; SET a 1 PX 1;
        DEBUG SLEEP 0.01; XADD a 1-1 a b; DEBUG SET-ACTIVE-EXPIRE 1""",
}
LISTS = {
    "push": """RPUSH l a b; LPUSH l c; RPUSHX l d; LPUSHX none d; LPUSHX l e; LINSERT l BEFORE a x;
        LINSERT l AFTER none x; LSET l 0 y; LSET l 99 y; LLEN l; LRANGE l 0 -1; LPOS l a;
        LINDEX l 0""",
    "pop": """RPUSH l a b c d e f; LPOP l; RPOP l 2; LPOP l 0; LPOP none;
        LMPOP 2 none l LEFT COUNT 2;
        BLPOP l 0; RPUSH l a b; RPOP l 9; RPUSH l a; LMPOP 1 l RIGHT; RPUSH l a b; BRPOP l m 0;
        BLMPOP 0 2 l m LEFT COUNT 5; RPUSH l a; LPOP l""",
    "remove": """RPUSH l a b a c a; LREM l 1 a; LREM l 0 none; LREM l 0 a; LTRIM l 0 -1;
        LTRIM l 0 0;
        LREM l -1 b; RPUSH l a b c; LTRIM l 1 1; LTRIM l 5 9; LTRIM l 5 9; LREM l 0 a""",
    "lmove": """RPUSH l a b c; LMOVE l m LEFT RIGHT; RPOPLPUSH l m; LMOVE l l LEFT RIGHT;
        RPOPLPUSH l m;
        LMOVE m m LEFT LEFT; BLMOVE m l LEFT LEFT 0; BRPOPLPUSH m l 0; LMOVE none l LEFT LEFT;
        RPUSH one a; LMOVE one one LEFT RIGHT; SET s 1; LMOVE l s LEFT LEFT; RENAME l m;
        COPY m s REPLACE;
        SET m 1; RPUSH l a; SET l 2 GET; DEL l""",
}
STRINGS = {
    "change": """APPEND a 1; APPEND a 2; SETRANGE a 3 xx; SETRANGE none 0 ""; SETRANGE b 2 x;
        GETSET a 1;
        GETSET c 1; INCR a; DECR d; INCRBY a 5; DECRBY a 3; INCRBYFLOAT a 1.5; INCRBYFLOAT e 1.5;
        INCR b;
        STRLEN a; GETRANGE a 0 1; SUBSTR none 0 1; GETDEL a; GETDEL a; LCS c d""",
    "several": """MSET a 1 b 2 a 3; MSETNX a 1 c 2; MSETNX c 1 d 2; MGET a none; RPUSH l a;
        MSET l 1 a 1;
        SETNX a 1; SETNX n 1; SETEX a 100 1; PSETEX n 10000 1; SETEX new 100 1""",
    "getex": """SET a 1; GETEX a; GETEX a EX 100; GETEX a PERSIST; GETEX a PERSIST; GETEX a PXAT 1;
        GETEX a EX 100; SET a 1 EX 100; GETEX a EXAT 9999999999; GETEX none""",
}


class Listener:
    """A client who hears every event, and knows when it has heard all of them."""

    def __init__(self, server: Server, classes: str) -> None:
        self.main = server.connect()
        self.main.ok("CONFIG", "SET", "notify-keyspace-events", classes)
        self.main.ok("FLUSHALL")
        self.main.ok("SELECT", 0)
        self.ears = server.connect()
        self.ears.ok("PSUBSCRIBE", "__key*__:*")
        self.ears.ok("SUBSCRIBE", "the end")

    def say(self, *words: str) -> tuple[object, list[tuple[str, str]]]:
        """Whether a command failed, and the events it caused: channel and message."""
        failed = self.main.call(*words)[0] == "-"
        return failed, self.heard()

    def heard(self) -> list[tuple[str, str]]:
        if self.main.call("PUBLISH", "the end", "")[0] != ":":  # queued
            return []
        events = []
        while (message := plain(self.ears.read()))[0] != b"message":
            events.append((message[2].decode(), message[3].decode()))
        return events


def events_of(server: Server, classes: str, lines: str) -> list[object]:
    listener = Listener(server, classes)
    # Keys whose time is over go when a command meets them, and not by chance in between.
    listener.main.ok("DEBUG", "SET-ACTIVE-EXPIRE", 0)
    try:
        return [(line, *listener.say(*line)) for line in map(shlex.split, lines.split(";"))]
    finally:
        listener.main.ok("CONFIG", "SET", "notify-keyspace-events", "")
        listener.main.ok("DEBUG", "SET-ACTIVE-EXPIRE", 1)


@pytest.mark.parametrize("classes", [ALL, EVERYTHING])
@pytest.mark.parametrize("name", [*STREAMS, *KEYS, *LISTS, *STRINGS])
def test_events(headwater: Server, reference: Server, name: str, classes: str) -> None:
    lines = re.sub(r"\s+", " ", {**STREAMS, **KEYS, **LISTS, **STRINGS}[name])
    ours = events_of(headwater, classes, lines)
    theirs = events_of(reference, classes, lines)
    for mine, wanted in zip(ours, theirs, strict=True):
        assert mine == wanted
