"""What users may do: ACL DRYRUN of every command that both servers know, and ACL CAT."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from support.servers import Server
from support.wire import Connection, Word

USERS = {
    "nobody": "",
    "everything": "+@all ~* &*",
    "reader": "+@read ~x* ~y1",
    "writer": "+@write -@dangerous ~x?",
    "no-admin": "+@all -@admin -@dangerous ~*",
    "streams": "+@stream -xtrim ~x[0-9] &news.*",
    "single": "+get +xadd +config|get +client|id +client|setname +memory|usage ~*",
    "containers": "+xgroup +xinfo -xinfo|stream +config -config|set +object ~x*",
    "first-words": "+select|0 +debug|sleep +get|x1 +set|y1 ~*",
    "halves": "+@all %R~x* %W~y* &*",
    "both-halves": "+@all %R~x1 %W~x1 %RW~y1 resetchannels &chan &news.*",
    "fast": "+@fast +@connection -@slow ~x1 &chan",
    "slow": "+@slow -@fast ~y* &news.1",
    "selectors": "+@connection (+@read ~x*) (+@write ~y*) (+publish +subscribe &chan)",
    "one-each": "(+get ~x1) (+set ~y1) (+xread ~z) (%R~z +xrange) (%W~z +xadd)",
    "keyless": "+@all",
    "channels": "+@pubsub &news.* &chan ~*",
    "all-but": "allcommands allkeys -xadd -set -publish -multi",
    "layered": "+@all -@write +xadd -@read +xlen -@stream +get ~*",
    "scripting": "+@scripting +@transaction ~x*",
}

WORDS = (
    *("x1", "x12", "y1", "z", "other", "chan", "news.1", "news.*", "0", "1", "2", "-1", "*"),
    *("STREAMS", "GET", "GROUP", "NOACK", "COUNT", "BLOCK", "LEFT", "STORE", "BY", "KEYS", "$"),
)

USUAL = (
    "XADD x1 * f v", "XADD y1 NOMKSTREAM MAXLEN 1 * f v", "XADD other * f v",
    "XREAD COUNT 1 STREAMS x1 y1 0 0", "XREAD BLOCK 0 STREAMS STREAMS x1 $ $", "XREAD STREAMS z 0",
    "XREADGROUP GROUP g c STREAMS x1 >", "XREADGROUP GROUP STREAMS c NOACK STREAMS x1 other > >",
    "XREADGROUP GROUP g c COUNT 1 STREAMS y1 0", "XREAD STREAMS x1", "XREAD STREAMS x1 y1 0 0",
    "XGROUP CREATE x1 g $", "XGROUP CREATE y1 g $", "XGROUP DESTROY z g", "XINFO STREAM x1",
    "XINFO GROUPS y1", "XRANGE x1 - +", "XRANGE z - +", "XACK x1 g 1", "XLEN x1", "XLEN other",
    "SET x1 v", "SET y1 v GET", "SET x1 v get EX 1", "SET z v", "GET x1", "GET y1", "GETDEL x1",
    "GETEX x1", "GETEX y1 EX 1", "GETSET x1 v", "GETSET y1 v", "APPEND x1 v", "MGET x1 x2 y1",
    "MGET x1 x2", "MSET x1 v y1 v", "MSET y1 v y2 v", "MSETNX y1 v other v", "INCR x1", "INCR y1",
    "SETRANGE y1 1 v", "LCS x1 x2", "LCS x1 y1", "DEL x1 y1", "DEL y1 y2", "UNLINK y1", "EXISTS x1",
    "EXISTS other", "TOUCH x1 y1", "TYPE y1", "TTL x1", "EXPIRE y1 1", "PERSIST x1",
    "RENAME x1 y1", "RENAME y1 x1", "RENAMENX x1 x1", "COPY x1 y1", "COPY y1 x1", "MOVE x1 1",
    "OBJECT ENCODING y1", "OBJECT FREQ x1", "MEMORY USAGE y1", "MEMORY USAGE x1 SAMPLES 1",
    "DUMP x1", "DUMP y1", "RESTORE y1 0 v", "RESTORE x1 0 v", "LPUSH x1 v", "LPUSH y1 v",
    "LPOP x1", "LRANGE x1 0 1", "LRANGE y1 0 1", "BLPOP x1 y1 0", "BLPOP x1 0",
    "LMOVE x1 y1 LEFT LEFT",
    "LMOVE y1 x1 LEFT LEFT", "BLMOVE x1 y1 LEFT LEFT 0", "RPOPLPUSH y1 y2", "BRPOPLPUSH x1 y1 0",
    "LMPOP 2 x1 y1 LEFT", "LMPOP 1 x1 LEFT", "LMPOP 9 x1 LEFT", "LMPOP a x1 LEFT",
    "BLMPOP 0 2 x1 x2 LEFT", "BLMPOP 0 1 y1 RIGHT", "LINDEX x1 0", "LSET y1 0 v",
    "EVAL s 0", "EVAL s 1 x1", "EVAL s 2 x1 y1 x1", "EVAL s 2 x1", "EVAL s -1 y1", "EVAL s x y1",
    "EVAL_RO s 1 x1", "EVAL_RO s 1 y1", "EVALSHA s 1 x1", "EVALSHA_RO s 1 z", "FCALL f 1 x1",
    "FCALL_RO f 1 x1", "FCALL_RO f 1 y1", "SCRIPT LOAD s", "FUNCTION LOAD s",
    "SUBSCRIBE chan", "SUBSCRIBE chan news.1", "SUBSCRIBE other", "PSUBSCRIBE news.*",
    "PSUBSCRIBE news.1", "PSUBSCRIBE news.* *", "SSUBSCRIBE news.1 chan", "SSUBSCRIBE x1",
    "UNSUBSCRIBE other", "PUNSUBSCRIBE *", "PUBLISH chan other", "PUBLISH other chan",
    "SPUBLISH news.1 m", "SPUBLISH x1 m", "PUBSUB CHANNELS *",
    "SELECT 0", "SELECT 1", "DEBUG SLEEP 0", "DEBUG sleep 0", "DEBUG JMAP", "AUTH p", "AUTH u p",
    "HELLO 3", "QUIT", "RESET", "PING", "ECHO x1", "CONFIG GET a", "CONFIG SET a b", "CLIENT ID",
    "CLIENT LIST", "CLIENT SETNAME x", "ACL LIST", "ACL WHOAMI", "KEYS *", "SCAN 0", "RANDOMKEY",
    "FLUSHALL", "DBSIZE", "MULTI", "EXEC", "WATCH x1", "WATCH x1 y1", "WATCH other", "SORT x1",
)  # fmt: skip


MISREAD = (b"xread", b"xreadgroup")
"""Redis finds keys in requests of these that they will refuse, where the words make no sense."""


@pytest.fixture
def connections(headwater: Server, reference: Server) -> Iterator[tuple[Connection, Connection]]:
    """A connection to each server, on which the users are defined alike."""
    both = headwater.connect(), reference.connect()
    definitions = [
        ["ACL", "SETUSER", name, "reset", *rules.split()] for name, rules in USERS.items()
    ]
    for one in both:
        assert set(one.pipeline(definitions)) == {("+", b"OK")}
    yield both
    for one in both:
        one.ok("ACL", "DELUSER", *USERS)


def shared_commands(both: tuple[Connection, Connection]) -> dict[bytes, int]:
    """The arity of each command and subcommand that both servers have."""
    ours, theirs = (set(one.ok("COMMAND", "LIST")) for one in both)
    names = sorted(ours & theirs)
    rows = both[1].ok("COMMAND", "INFO", *names)
    return {name: row[1] for name, row in zip(names, rows, strict=True)}


def lines(name: bytes, arity: int, rng: random.Random) -> Iterator[list[Word]]:
    """Some command lines of the right length, of words that mean something to somebody."""
    if name in MISREAD:
        return
    first: list[Word] = list(name.split(b"|"))
    shortest = abs(arity)
    for more in (0, 1, 2, 4) if arity < 0 else (0, 0, 0):
        yield [*first, *rng.choices(WORDS, k=shortest + more - len(first))]
    yield [*first, *(["x1"] * (shortest - len(first)))]
    yield [*first, *(["y1"] * (shortest - len(first)))]


def test_every_shared_command(connections: tuple[Connection, Connection]) -> None:
    rng = random.Random(8)
    shared = shared_commands(connections)
    tried: list[list[Word]] = []
    for name, arity in shared.items():
        tried += lines(name, arity, rng)
    names = {name.split(b"|")[0] for name in shared}
    tried += [list(line.split()) for line in USUAL if line.split()[0].lower().encode() in names]
    requests = [["ACL", "DRYRUN", user, *words] for user in USERS for words in tried]
    differences = []
    for start in range(0, len(requests), 2000):
        part = requests[start : start + 2000]
        ours, theirs = (one.pipeline(part) for one in connections)
        for words, got, want in zip(part, ours, theirs, strict=True):
            if got != want:
                differences.append(f"{words}: want {want}, got {got}")
    assert not differences, "\n".join([f"{len(differences)} of {len(requests)}", *differences[:40]])


def test_categories(connections: tuple[Connection, Connection]) -> None:
    """Every category has the same commands, as far as both servers have them."""
    ours, theirs = connections
    assert ours.ok("ACL", "CAT") == theirs.ok("ACL", "CAT")
    shared = set(shared_commands(connections))
    for category in ours.ok("ACL", "CAT"):
        got, want = (set(one.ok("ACL", "CAT", category)) for one in connections)
        assert got & shared == want & shared, category
        assert got == set(ours.ok("COMMAND", "LIST", "FILTERBY", "ACLCAT", category)), category
    assert ours.call("ACL", "CAT", "none") == theirs.call("ACL", "CAT", "none")
    assert set(ours.ok("ACL", "CAT", "STREAM")) >= {b"xadd", b"xgroup|create"}
