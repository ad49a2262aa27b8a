"""Random transactions, and what others change meanwhile, have the same outcome on both servers."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import rule

from parity import machine
from parity.machine import ParityMachine
from support.pair import Peers
from support.servers import Server

pytestmark = pytest.mark.timeout(900)  # a failing example is made smaller first

queued = st.sampled_from(
    [
        ("SET", "a", "1"),
        ("SET", "b", "2", "XX"),
        ("GET", "a"),
        ("XADD", "s", "x-*", "f", "v"),
        ("XADD", "s", "5-*", "f", "v"),
        ("XLEN", "s"),
        ("XRANGE", "s", "-", "+"),
        ("XREAD", "BLOCK", "0", "STREAMS", "s", "$"),
        ("XLEN", "a"),
        ("DEL", "a", "s"),
        ("NOSUCH", "a"),
        ("GET",),
        ("GET", "a", "b"),
        ("SELECT", "1"),
        ("SELECT", "0"),
        ("EXPIRE", "a", "1000"),
        ("FLUSHALL",),
        ("PING",),
        ("MULTI",),
        ("WATCH", "a"),
        ("UNWATCH",),
        ("XGROUP", "NOSUCH"),
        ("XINFO",),
        ("HELLO", "9"),
        ("CLIENT", "NOSUCH"),
        ("COPY", "a", "b", "REPLACE"),
        ("SWAPDB", "0", "1"),
        ("INCRBY", "a", "5"),
        ("APPEND", "b", "more"),
        ("GETEX", "a", "PERSIST"),
        ("GETDEL", "b"),
        ("MSETNX", "a", "1", "b", "2"),
        ("SETEX", "a", "1000", "1"),
        ("RPUSH", "l", "1", "2", "3"),
        ("LPOP", "l"),
        ("LMOVE", "l", "b", "LEFT", "RIGHT"),
        ("LSET", "l", "7", "x"),
        ("BLPOP", "l", "0"),
        ("BLPOP", "nothing", "0"),
        ("BLMPOP", "0", "2", "nothing", "l", "LEFT", "COUNT", "2"),
        ("BLMOVE", "nothing", "l", "LEFT", "LEFT", "0"),
        ("LRANGE", "l", "0", "-1"),
        ("EVAL", "return redis.call('INCR', KEYS[1])", "1", "a"),
        ("EVAL", "redis.call('SET', 'a', 'x'); redis.call('INCR', 'a')", "0"),
        ("EVAL", "return redis.pcall('RPUSH', 'l', ARGV[1])", "0", "s"),
        ("EVAL", "return redis.call('BLPOP', 'nothing', 0)", "0"),
        ("EVAL", "redis.call('FLUSHALL') redis.call('SET', 'b', 1) return {1, {2}}", "0"),
        ("EVAL_RO", "return redis.call('SET', 'a', 1)", "0"),
        ("EVALSHA", "0" * 40, "0"),
        ("EVAL", "return redis.call('MULTI')", "0"),
        ("PUBLISH", "c", "m"),
        ("SPUBLISH", "c", "m"),
        ("PUBSUB", "NUMSUB", "c"),
    ]
)


def blocks(words: tuple[str, ...]) -> bool:
    """Whether the words would wait outside of a transaction."""
    return "BLOCK" in words or words[0].startswith("BL")


class TransactionMachine(ParityMachine):
    def prepare(self) -> None:
        self.other: Peers = self.connect()

    @rule(commands=st.lists(queued, max_size=6), end=st.sampled_from(["EXEC", "EXEC", "DISCARD"]))
    def transaction(self, commands: list[tuple[str, ...]], end: str) -> None:
        self.same("MULTI")
        for words in commands:
            self.same(*words)
        self.same(end)

    @rule(words=queued)
    def single(self, words: tuple[str, ...]) -> None:
        if not blocks(words) and words[0] != "MULTI":
            self.same(*words)

    @rule(watched=st.lists(st.sampled_from(["a", "b", "s", "none"]), min_size=1, max_size=3))
    def watch(self, watched: list[str]) -> None:
        self.same("WATCH", *watched)

    @rule(
        words=st.one_of(
            queued,
            st.sampled_from(
                [
                    ("EXPIRE", "a", "-1"),
                    ("PEXPIREAT", "a", "1"),
                    ("PERSIST", "a"),
                    ("TOUCH", "a"),
                    ("RENAME", "a", "b"),
                    ("XDEL", "s", "5-0"),
                    ("XTRIM", "s", "MAXLEN", "0"),
                    ("XGROUP", "CREATE", "s", "g", "0", "MKSTREAM"),
                    ("XSETID", "s", "9-0"),
                    ("XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", ">"),
                    ("XACK", "s", "g", "5-0"),
                    ("FLUSHDB",),
                    ("LPUSH", "a", "x"),
                    ("LTRIM", "l", "0", "-1"),
                    ("LREM", "a", "0", "none"),
                    ("LPOP", "a", "0"),
                    ("RPOPLPUSH", "a", "a"),
                    ("GETEX", "a"),
                    ("GETEX", "a", "EX", "1000"),
                    ("APPEND", "a", ""),
                    ("SETRANGE", "a", "0", ""),
                    ("MOVE", "a", "1"),
                    ("SET", "a", "1", "NX"),
                    ("XADD", "s", "1-1", "f", "v"),
                ]
            ),
        )
    )
    def meddle(self, words: tuple[str, ...]) -> None:
        """Another client changes, or does not change, what is watched."""
        if not blocks(words) and words[0] not in ("MULTI", "WATCH", "SELECT"):
            self.pair.same(self.other, *words)

    @rule(words=st.sampled_from([("EXEC",), ("DISCARD",), ("UNWATCH",), ("EXEC", "x"), ("RESET",)]))
    def outside(self, words: tuple[str, ...]) -> None:
        self.same(*words)
        if words == ("RESET",):
            self.same("HELLO", self.pair.resp)


def test_transactions(headwater: Server, reference: Server) -> None:
    machine.run(TransactionMachine, headwater, reference, examples=150, steps=30)


@pytest.mark.slow
def test_transactions_at_length(headwater: Server, reference: Server) -> None:
    machine.run(TransactionMachine, headwater, reference, examples=1000, steps=60)
