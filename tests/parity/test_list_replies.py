"""Every reply and error of list commands, as redis-server gives them, in both protocols."""

from __future__ import annotations

import pytest

from support.pair import Pair
from support.servers import Server

LINES = """
BLPOP none nope
BLPOP none -1
BLPOP none 1e400
BLPOP none inf
BLPOP none -inf
BLPOP none nan
BLPOP none 9223372036854775807
BLPOP none 9223372036854775
BLPOP none .01
BLPOP none 1e-5000
BLPOP none 0.01x
BLPOP none 1_0
BLPOP s nope
BLPOP s 1
BLMOVE none s LEFT XX nope
BLMOVE none s LEFT LEFT nope
BLMPOP nope 1 none LEFT
BLMPOP nope 0 none LEFT
BLMPOP 0.01 1 none LEFT COUNT 0
BLMPOP 0.01 1 none LEFT COUNT 1 COUNT 2
LMPOP 1 none LEFT
LMPOP 2 s l LEFT
LMPOP 2 none l RIGHT COUNT 2
LMPOP -1 l LEFT
LMPOP a l LEFT
LMPOP 5 l LEFT
LMPOP 1 l UP
LMPOP 1 l LEFT COUNT
LMPOP 1 l LEFT BAD 1
LPOP none
LPOP none 1
LPOP l 0
LPOP s 0
LPOP l -1
LPOP none -1
LPOP l a
LPOP l 1 2
LPOP l 2
RPOP l 9
RPUSH l a b c a
LPOS l a RANK 0
LPOS l a RANK -9223372036854775808
LPOS l a COUNT -1
LPOS l a MAXLEN -1
LPOS l a COUNT x
LPOS l a MAXLEN x
LPOS l a RANK x
LPOS l a COUNT
LPOS l a FOO 1
LPOS none a
LPOS none a COUNT 0
LPOS l z
LPOS l z COUNT 1
LPOS l a COUNT 0
LPOS l a RANK -1
LPOS l a RANK 2 RANK 1 COUNT 2 COUNT 1
LPOS s a RANK 0
LPOS s a
LINSERT none BEFORE a b
LINSERT none FOO a b
LINSERT l FOO a b
LINSERT l BEFORE zz b
LINSERT s BEFORE zz b
LINSERT l after a q
LSET none 0 a
LSET l 99 a
LSET l x a
LSET none x a
LSET s x a
LSET l -1 Z
LREM l x a
LREM none x a
LREM s 0 a
LREM l -9223372036854775808 a
LREM l 0 a
LTRIM none 0 0
LTRIM l x 0
LTRIM l 0 x
LTRIM s 0 0
LTRIM l 5 1
LRANGE l 0 -1
LRANGE none x 1
LRANGE none 0 1
LRANGE s 0 1
LINDEX none 0
LINDEX none x
LINDEX s x
LINDEX s 0
RPUSH l a
LINDEX l 5
LINDEX l x
LLEN none
LLEN s
LPUSHX none a
LPUSHX s a
RPUSH s a
RPUSHX l a b
LMOVE none l LEFT LEFT
LMOVE none s LEFT LEFT
LMOVE l s LEFT LEFT
LMOVE s none LEFT LEFT
LMOVE s none FOO LEFT
LMOVE l l LEFT RIGHT
RPOPLPUSH none l
RPOPLPUSH l l
RPOPLPUSH s l
RPOPLPUSH l s
BLPOP none 0.001
BRPOP none 1e-3
BLMOVE none x LEFT LEFT .001
BRPOPLPUSH none x 0x1p-10
BLMPOP +.001 1 none LEFT
RPUSH l a b c d e f g
BLMPOP 0.001 2 l l RIGHT COUNT 2
BLPOP l l 0
BLMOVE l l LEFT RIGHT 0
BLPOP none 0x
BLPOP none 0x1p
BLPOP none infinit
BLPOP none 1e9999
""".strip().split("\n")


@pytest.mark.parametrize("resp", [2, 3])
def test_replies(headwater: Server, reference: Server, resp: int) -> None:
    pair = Pair(headwater, reference)
    pair.resp = resp
    try:
        if resp == 3:
            pair.main.ours.hello(3)
            pair.main.theirs.hello(3)
        for words in (("SET", "s", "x"), ("RPUSH", "l", *"abcabc")):
            pair.same(pair.main, *words)
        for line in LINES:
            pair.same(pair.main, *line.split(" "))
        pair.same(pair.main, "MULTI")
        for line in (
            "BLPOP none 0",
            "BRPOP none 0",
            "BLMOVE none x LEFT LEFT 0",
            "BRPOPLPUSH none x 0",
            "BLMPOP 0 1 none LEFT",
        ):
            pair.same(pair.main, *line.split())
        pair.same(pair.main, "EXEC")
    finally:
        pair.close()
