"""Streams and groups with settings, through restarts: as test_restarts_machine.py, and more of it.

Besides all other commands there are those that set something, and time passes in which the server
acts by itself: it delivers again, buries, drops, appends, removes. A second engine that starts from
the journal, from a base and a journal, or from a rewrite must hold the same, give the same
answers, and do the same when the same time passes; so must a copy of a stream.
"""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import rule
from test_restarts_machine import RestartsMachine, without_unrecorded

from headwater.commands.digest import value_digest
from headwater.streams.stream import Stream
from support.durable import DurableEngine
from support.embedded import Client
from support.managed_commands import PROBES, managed
from support.random_commands import Command, adding, commands, pending, reading

pytestmark = pytest.mark.timeout(900)  # a failing example is made smaller first

ANY = st.one_of(managed, managed, reading, reading, pending, adding, commands)
STEPS_MS = [1, 100, 400, 1100, 3000]


class ManagedMachine(RestartsMachine):
    """`restart` is another one: no lease is left when the two engines are compared."""

    @rule(some=st.lists(managed, min_size=1, max_size=6))
    def manage(self, some: list[Command]) -> None:
        for words in some:
            self.say(*words)

    @rule(some=st.lists(ANY, min_size=2, max_size=6))
    def transact_managed(self, some: list[Command]) -> None:
        self.say("MULTI")
        for words in some:
            self.say(*words)
        self.say("EXEC")

    @rule(some=st.lists(ANY, min_size=1, max_size=8), ms=st.sampled_from(STEPS_MS))
    def work_and_pass_time(self, some: list[Command], ms: int) -> None:
        for words in some:
            self.say(*words)
        self.store.pass_ms(ms)
        assert not self.store.state.unexpected_errors

    @rule(key=st.sampled_from(["s1", "s2"]))
    def copy(self, key: str) -> None:
        """A copy has everything."""
        self.say("COPY", key, "copied", "REPLACE")
        values = self.store.client.session.database.values
        one, other = values.get(key.encode()), values.get(b"copied")
        if isinstance(one, Stream):
            now_ms = self.store.clock.now_ms
            self.say("XGROUP", "CREATE", "copied", "unread", "0")
            assert isinstance(other, Stream)
            self.say("XGROUP", "DESTROY", "copied", "unread")
            assert value_digest(one, now_ms) == value_digest(other, now_ms)
        self.say("DEL", "copied")

    @rule(some=st.lists(ANY, max_size=10), ms=st.sampled_from([0, *STEPS_MS]), on=st.booleans())
    def restart(self, some: list[Command], ms: int, on: bool) -> None:
        """Start a twin; it does as the store does, in the same time. One of the two goes on."""
        self.end_leases()
        twin = self.twin()
        self.compare(twin)
        self.both(twin, PROBES)
        self.both(twin, [words for words in some if words[0] != "RANDOMKEY"])
        self.compare(twin)
        if ms and not self.acts_at_other_times():
            for store in (self.store, twin):
                store.client.session.close()
                store.client = Client(store.engine, 3, 2)
                store.pass_ms(ms)
            self.compare(twin)
            self.both(twin, PROBES)
        if on:
            self.store, twin = twin, self.store
            self.disk = self.store.disk
        twin.stop()

    def teardown(self) -> None:
        if self.store.client.session.transaction is None:
            self.restart([], 0, False)
        self.store.stop()

    def end_leases(self) -> None:
        """The connection that took entries closes."""
        store = self.store
        database = store.client.session.database.index
        if store.client.session.transaction is not None:
            return
        store.client.session.close()
        store.client = Client(store.engine, 2, 2)
        store.call("SELECT", database)

    def acts_at_other_times(self) -> bool:
        """When groups and consumers were last seen is not kept, nor for how long a stream has had
        too much: a server that was started does what it has to at other moments."""
        for database in self.store.state.keyspace.databases:
            for value in database.values.values():
                if not isinstance(value, Stream):
                    continue
                if value.retention is not None:
                    return True
                for group in (value.groups or {}).values():
                    known = group.redelivery
                    if known and (known.settings.group_ttl_ms or known.settings.consumer_ttl_ms):
                        return True
        return False

    def both(self, twin: DurableEngine, some: list[Command]) -> None:
        for words in some:
            words = self.picked(words)
            ours, theirs = self.say(*words), twin.call(*words)
            assert without_unrecorded(ours) == without_unrecorded(theirs), words


TestManaged = ManagedMachine.TestCase
TestManaged.settings = settings(max_examples=50, stateful_step_count=30, deadline=None)
