"""Random consumer group commands get the same answers from Headwater and from redis-server."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import rule

from parity import machine
from parity.machine import ParityMachine
from support.servers import Server
from support.wire import Word

pytestmark = pytest.mark.timeout(900)  # a failing example is made smaller first

LONG_MS = 100_000

keys = st.sampled_from(["s1", "s1", "s2", "none"])
groups = st.sampled_from(["g1", "g1", "g2", "gone"])
consumers = st.sampled_from(["ann", "bob", "cyd"])
explicit_ids = st.one_of(
    st.builds("{}-0".format, st.integers(1, 40)),
    st.builds("{}-{}".format, st.integers(0, 5), st.integers(0, 2)),
    st.sampled_from(["0", "0-0", "7"]),
)
ids = st.one_of(
    explicit_ids, explicit_ids, explicit_ids, st.sampled_from(["x", "$", "-", "+", ">"])
)
id_lists = st.lists(ids, min_size=1, max_size=6)
counts = st.one_of(st.none(), st.integers(-1, 12), st.just(100))
references = st.sampled_from([[], [], ["KEEPREF"], ["DELREF"], ["ACKED"]])
# Real time that passes in a test stays far below LONG_MS, ages set with IDLE far above or at 0.
idle_limits = st.sampled_from([0, 0, LONG_MS, -1])


def count_option(count: int | None) -> list[Word]:
    return [] if count is None else ["COUNT", count]


class GroupMachine(ParityMachine):
    def prepare(self) -> None:
        for key in ("s1", "s2"):
            self.same("XGROUP", "CREATE", key, "g1", "0", "MKSTREAM")
            self.same("XGROUP", "CREATE", key, "g2", "$")

    @rule(key=keys, number=st.integers(1, 40), value=st.sampled_from(["v", "w" * 50]))
    def add(self, key: str, number: int, value: str) -> None:
        self.same("XADD", key, "NOMKSTREAM", f"{number}-0", "f", value)

    @rule(key=keys, count=st.integers(1, 20))
    def add_more(self, key: str, count: int) -> None:
        self.pair.same_all(
            self.main,
            [("XADD", key, "NOMKSTREAM", f"{n}-*", "f", "v") for n in range(5, 5 + count)],
        )

    @rule(
        key=st.lists(keys, min_size=1, max_size=2),
        group=groups,
        consumer=consumers,
        count=counts,
        noack=st.sampled_from([[], [], [], ["NOACK"]]),
        at=st.one_of(st.just(">"), st.just(">"), ids),
    )
    def read(
        self,
        key: list[str],
        group: str,
        consumer: str,
        count: int | None,
        noack: list[str],
        at: str,
    ) -> None:
        self.same(
            *("XREADGROUP", "GROUP", group, consumer, *count_option(count), *noack),
            *("STREAMS", *key, *(at for _ in key)),
        )

    @rule(key=keys, group=groups, some=id_lists)
    def acknowledge(self, key: str, group: str, some: list[str]) -> None:
        self.same("XACK", key, group, *some)

    @rule(key=keys, group=groups, option=references, some=id_lists)
    def acknowledge_and_delete(
        self, key: str, group: str, option: list[str], some: list[str]
    ) -> None:
        self.same("XACKDEL", key, group, *option, "IDS", len(some), *some)

    @rule(key=keys, some=id_lists, option=references)
    def delete(self, key: str, some: list[str], option: list[str]) -> None:
        if option:
            self.same("XDELEX", key, *option, "IDS", len(some), *some)
        else:
            self.same("XDEL", key, *some)

    @rule(
        key=keys,
        length=st.integers(0, 20),
        option=references,
    )
    def trim(self, key: str, length: int, option: list[str]) -> None:
        self.same("XTRIM", key, "MAXLEN", length, *option)

    @rule(key=keys, number=st.integers(0, 40), emptied=st.booleans())
    def set_last_id(self, key: str, number: int, emptied: bool) -> None:
        """The last-generated ID of a stream without entries may go back: IDs come again."""
        if emptied:
            self.same("XTRIM", key, "MAXLEN", 0)
        self.same("XSETID", key, f"{number}-0")

    @rule(
        key=keys,
        group=groups,
        consumer=consumers,
        idle=idle_limits,
        some=id_lists,
        options=st.lists(
            st.sampled_from(
                [
                    ("IDLE", 2 * LONG_MS),
                    ("IDLE", 0),
                    ("TIME", 1_000_000),
                    ("RETRYCOUNT", 7),
                    ("RETRYCOUNT", 0),
                    ("FORCE",),
                    ("FORCE",),
                    ("JUSTID",),
                    ("LASTID", "9-0"),
                    ("LASTID", "x"),
                    ("IDLE", -1),
                    ("NOSUCH",),
                ]
            ),
            max_size=3,
        ),
    )
    def claim(
        self,
        key: str,
        group: str,
        consumer: str,
        idle: int,
        some: list[str],
        options: list[tuple[Word, ...]],
    ) -> None:
        words = [word for option in options for word in option]
        self.same("XCLAIM", key, group, consumer, idle, *some, *words)

    @rule(key=keys, group=groups, consumer=consumers)
    def age(self, key: str, group: str, consumer: str) -> None:
        """Make some pending entries old without waiting."""
        some = [f"{n}-0" for n in range(1, 20, 2)]
        self.same("XCLAIM", key, group, consumer, 0, *some, "IDLE", 2 * LONG_MS, "JUSTID")

    @rule(
        key=keys,
        group=groups,
        consumer=consumers,
        idle=idle_limits,
        at=ids,
        count=st.one_of(st.none(), st.integers(-1, 12)),
        just=st.sampled_from([[], ["JUSTID"], ["NOSUCH"]]),
    )
    def autoclaim(
        self,
        key: str,
        group: str,
        consumer: str,
        idle: int,
        at: str,
        count: int | None,
        just: list[str],
    ) -> None:
        self.same("XAUTOCLAIM", key, group, consumer, idle, at, *count_option(count), *just)

    @rule(
        key=keys,
        group=groups,
        idle=st.sampled_from([[], ["IDLE", 0], ["IDLE", LONG_MS], ["IDLE", -1]]),
        low=st.one_of(st.just("-"), ids, st.builds("({}".format, ids)),
        high=st.one_of(st.just("+"), ids, st.builds("({}".format, ids)),
        count=st.sampled_from([10, 3, 1, 0, -1, 100]),
        consumer=st.sampled_from([[], ["ann"], ["bob"], ["nobody"]]),
    )
    def pending(
        self,
        key: str,
        group: str,
        idle: list[Word],
        low: str,
        high: str,
        count: int,
        consumer: list[str],
    ) -> None:
        self.same("XPENDING", key, group, *idle, low, high, count, *consumer)

    @rule(key=keys, group=groups)
    def summary(self, key: str, group: str) -> None:
        self.same("XPENDING", key, group)
        self.same("XPENDING", key, group, "-", "+", 1000)

    @rule(key=keys, count=st.one_of(st.none(), st.integers(0, 12)))
    def info(self, key: str, count: int | None) -> None:
        self.same("XINFO", "STREAM", key, "FULL", *count_option(count))
        self.same("XINFO", "GROUPS", key)
        for group in ("g1", "g2"):
            self.same("XINFO", "CONSUMERS", key, group)

    @rule(
        key=keys,
        group=groups,
        at=st.one_of(ids, st.just("$"), st.just("0")),
        options=st.sampled_from(
            [[], [], ["MKSTREAM"], ["ENTRIESREAD", 3], ["ENTRIESREAD", -1], ["ENTRIESREAD", -2]]
        ),
    )
    def create(self, key: str, group: str, at: str, options: list[Word]) -> None:
        self.same("XGROUP", "CREATE", key, group, at, *options)

    @rule(
        key=keys,
        group=groups,
        at=st.one_of(ids, st.just("$"), st.just("0")),
        read=st.one_of(st.none(), st.integers(-2, 30)),
    )
    def set_id(self, key: str, group: str, at: str, read: int | None) -> None:
        self.same(
            "XGROUP", "SETID", key, group, at, *([] if read is None else ["ENTRIESREAD", read])
        )

    @rule(key=keys, group=groups, consumer=consumers)
    def create_consumer(self, key: str, group: str, consumer: str) -> None:
        self.same("XGROUP", "CREATECONSUMER", key, group, consumer)

    @rule(key=keys, group=groups, consumer=consumers)
    def delete_consumer(self, key: str, group: str, consumer: str) -> None:
        self.same("XGROUP", "DELCONSUMER", key, group, consumer)

    @rule(key=keys, group=groups, chance=st.integers(0, 3))
    def destroy(self, key: str, group: str, chance: int) -> None:
        if chance == 0:
            self.same("XGROUP", "DESTROY", key, group)

    @rule(key=keys, at=explicit_ids)
    def set_stream_id(self, key: str, at: str) -> None:
        self.same("XSETID", key, at)

    @rule(key=keys, other=st.sampled_from(["s1", "s2", "copy"]))
    def copy(self, key: str, other: str) -> None:
        """A copy takes its groups and their pending entries along."""
        self.same("COPY", key, other, "REPLACE")
        self.same("XINFO", "STREAM", other, "FULL")


def test_groups(headwater: Server, reference: Server) -> None:
    machine.run(GroupMachine, headwater, reference, examples=250, steps=60)


@pytest.mark.slow
def test_groups_at_length(headwater: Server, reference: Server) -> None:
    machine.run(GroupMachine, headwater, reference, examples=1000, steps=100)
