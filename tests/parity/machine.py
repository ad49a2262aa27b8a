"""What the state machines share: both servers, connected anew for every run of a machine."""

from __future__ import annotations

import os
from typing import ClassVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, run_state_machine_as_test

from support.pair import Pair, Peers
from support.servers import Server
from support.wire import Word

# The first pair is what a server has at its start.
NODE_LIMITS = [(100, 4096), (10, 4096), (3, 4096), (100, 200), (1, 0), (0, 300), (7, 90)]


class ParityMachine(RuleBasedStateMachine):
    """Says the same to Headwater and to the reference; `servers` is set by run()."""

    servers: ClassVar[tuple[Server, Server]]

    def __init__(self) -> None:
        super().__init__()
        self.pair = Pair(*self.servers)
        self.main = self.pair.main

    @initialize(resp=st.sampled_from([2, 3]), limits=st.sampled_from(NODE_LIMITS))
    def start(self, resp: int, limits: tuple[int, int]) -> None:
        self.pair.resp = resp
        if resp == 3:
            self.main.ours.hello(3)
            self.main.theirs.hello(3)
        for name, value in zip(("entries", "bytes"), limits, strict=True):
            self.same("CONFIG", "SET", f"stream-node-max-{name}", value)
        self.prepare()

    def prepare(self) -> None:
        """What a machine does before its rules."""

    def same(self, *words: Word) -> None:
        self.pair.same(self.main, *words)

    def connect(self) -> Peers:
        return self.pair.connect()

    def teardown(self) -> None:
        self.pair.close()
        super().teardown()


def run(
    machine: type[ParityMachine],
    ours: Server,
    theirs: Server,
    *,
    examples: int,
    steps: int,
) -> None:
    """Run the machine; HEADWATER_PARITY_SCALE multiplies the number of examples."""
    scale = float(os.environ.get("HEADWATER_PARITY_SCALE", "1"))
    bound = type(machine.__name__, (machine,), {"servers": (ours, theirs)})
    chosen = settings(max_examples=max(1, int(examples * scale)), stateful_step_count=steps)
    try:
        run_state_machine_as_test(bound, settings=chosen)  # type: ignore[no-untyped-call]
    finally:
        for server in (ours, theirs):
            for name, value in zip(("entries", "bytes"), NODE_LIMITS[0], strict=True):
                server.connect().ok("CONFIG", "SET", f"stream-node-max-{name}", value)
