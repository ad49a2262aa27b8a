"""What a consumer decides, told by hand what the server says; the clock is the test's."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import Any

import pytest
import redis

from headwater.worker import scripts, wire
from headwater.worker.errors import ConfigurationError, WorkerError
from headwater.worker.held import Verdict
from headwater.worker.machine import LONG_IDLE_MS, Machine
from headwater.worker.options import Options, Terms, generated_name
from headwater.worker.wire import Pause

BUSY = redis.ResponseError("BUSYGROUP Consumer Group name already exists")
PLAIN = [None, None, None, ["xautoclaim", -6]]
MANAGED = [["xgroup|cfgset"], ["xnack"], ["xcfgset"], ["xautoclaim"]]
SHAS = {script.sha: script for script in scripts.ALL}


class Talk:
    """A flow of a machine, step by step. `asked`: what it wants now, scripts by their object."""

    def __init__(self, flow: Any) -> None:
        self._flow = flow
        self.asked: Any = None
        self.ended = False
        self._step(lambda: next(flow))

    def answer(self, value: Any) -> Any:
        """Give the answer (an exception is raised), and return what it asks for then."""
        if isinstance(value, Exception):
            self._step(lambda: self._flow.throw(value))
        else:
            self._step(lambda: self._flow.send(value))
        return self.asked

    def _step(self, step: Callable[[], Any]) -> None:
        try:
            asked = step()
        except StopIteration:
            self.ended = True
            asked = None
        if isinstance(asked, tuple) and asked[0] == "EVALSHA":
            asked = (SHAS[asked[1]], *asked[3 + asked[2] :])
        self.asked = asked


class Case:
    """A machine whose clock stands still until the test moves it."""

    def __init__(self, **options: Any) -> None:
        self.now = 100.0
        words: dict[str, Any] = {"ack_wait": 30.0, "backoff": [5.0, 20.0], "max_deliveries": 3}
        self.machine = Machine(
            Options(stream="s", group="g", **{**words, **options}),
            "me",
            clock=lambda: self.now,
            rng=random.Random(1),
        )

    def reader(self, features: Any = PLAIN) -> Talk:
        """Its reading flow, set up, with nothing of old to be found."""
        talk = Talk(self.machine.reading())
        assert talk.asked[0] == "COMMAND INFO"
        assert talk.answer(features)[:2] == ("XGROUP", "CREATE")
        asked = talk.answer(BUSY)
        assert asked == ("XPENDING", "s", "g", b"-", "+", 11, "me")
        return talk

    def reads(self, *ids: bytes) -> Talk:
        """The flow once it has read new entries."""
        talk = self.reader()
        asked = talk.answer([])
        while asked[0] == "XAUTOCLAIM":
            asked = talk.answer([b"0-0", [], []])
        while asked[0] != "XREADGROUP":
            asked = talk.answer([])
        if asked[0] == "XREADGROUP":
            self.now += 0.2  # the first look for others' entries is due soon
            asked = talk.answer([])
        if asked[0] == "XAUTOCLAIM":
            asked = talk.answer([b"0-0", [], []])
        assert asked[0] == "XREADGROUP"
        talk.answer([[b"s", [[entry_id, [b"n", b"1"]] for entry_id in ids]]])
        return talk

    def take(self) -> Any:
        held = self.machine.take()
        assert held is not None
        return held


def test_others_entries_as_redis_6_and_7_tell_of_them() -> None:
    for answer in ([b"0-0", [b"1-0", b"2-0"]], [b"0-0", [b"1-0"], [b"2-0"]]):
        case = Case()
        talk = case.reader()
        asked = talk.answer([])
        while asked[0] != "XAUTOCLAIM":
            case.now += 0.2
            asked = talk.answer([])
        assert asked == ("XAUTOCLAIM", "s", "g", "me", 30_000, b"0-0", "COUNT", 11, "JUSTID")
        asked = talk.answer(answer)
        ids = answer[1]
        assert asked == (scripts.TAKE, "g", "me", 3, *ids)
        talk.answer([[b"1-0", 2, [b"n", b"1"]]])
        held = case.take()
        assert (held.id, held.deliveries, held.fields) == (b"1-0", 2, {b"n": b"1"})
        assert case.machine.take() is None


def test_a_script_that_the_server_does_not_know_is_handed_over() -> None:
    case = Case()
    talk = case.reader()
    talk.answer([[b"1-0", b"me", 10, 1]])
    asked = talk.answer(redis.exceptions.NoScriptError("No matching script."))
    assert asked == ("EVAL", scripts.TAKE.text, 2, "s", "s:dead-letter", "g", "me", 3, b"1-0")


def test_our_own_entries_first_page_by_page() -> None:
    case = Case(concurrency=1, prefetch=1)
    talk = Talk(case.machine.reading())
    talk.answer(PLAIN)
    assert talk.answer(b"OK") == ("XPENDING", "s", "g", b"-", "+", 2, "me")
    assert talk.answer([[b"1-0", b"me", 10, 1], [b"2-0", b"me", 10, 3]])[0] is scripts.TAKE
    # The second one had enough, and is a dead letter now.
    asked = talk.answer([[b"1-0", 2, [b"n", b"1"]], [b"2-0", -1, []]])
    assert asked == ("XPENDING", "s", "g", b"(2-0", "+", 1, "me")
    talk.answer([[b"3-0", b"me", 10, 1]])
    assert isinstance(talk.answer([[b"3-0", 2, [b"n", b"1"]]]), Pause)  # there is no room
    case.machine.settle(case.take(), Verdict.ACK)
    keeper = Talk(case.machine.keeping())
    assert keeper.asked == ("XACK", "s", "g", b"1-0")
    keeper.answer(1)
    assert talk.answer(None) == ("XPENDING", "s", "g", b"(3-0", "+", 1, "me")


def test_a_group_that_is_gone_is_made_again_from_the_beginning() -> None:
    case = Case(start="$")
    talk = Talk(case.machine.reading())
    assert talk.answer(PLAIN) == ("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM")
    talk.answer(b"OK")
    asked = talk.answer(redis.ResponseError("NOGROUP No such key 's' or consumer group 'g'"))
    assert asked[0] == "COMMAND INFO"
    assert talk.answer(PLAIN) == ("XGROUP", "CREATE", "s", "g", "0", "MKSTREAM")


def test_with_a_group_that_is_gone_all_is_forgotten_that_was_held() -> None:
    """Entries of the new stream may have the same IDs, so nothing is said of the old ones."""
    case = Case()
    talk = case.reads(b"1-0", b"2-0", b"3-0")
    told: list[Exception | None] = []
    done, busy = case.take(), case.take()
    case.machine.settle(done, Verdict.ACK, told.append)
    if isinstance(talk.asked, Pause):
        talk.answer(None)
    talk.answer(redis.ResponseError("NOGROUP No such key 's' or consumer group 'g'"))
    talk.answer(PLAIN)
    talk.answer(b"OK")
    assert told == [None]
    assert (case.machine.all_said, case.machine.held, busy.lost) == (True, 0, True)
    talk.answer([])
    while talk.asked[0] != "XREADGROUP":
        talk.answer([b"0-0", [], []])
    talk.answer([[b"s", [[b"2-0", [b"n", b"new"]]]]])
    case.machine.settle(busy, Verdict.ACK, told.append)
    assert told == [None, None]
    assert [case.take().fields for _ in range(2)] == [{b"n": b"1"}, {b"n": b"new"}]
    assert case.machine.held == 1


def test_a_failed_entry_waits_then_comes_again_and_is_buried_in_the_end() -> None:
    case = Case()
    talk = case.reads(b"1-0")
    for deliveries, wait in ((1, 5.0), (2, 20.0)):
        held = case.take()
        assert held.deliveries == deliveries
        case.machine.settle(held, Verdict.FAIL)
        asked = talk.answer(None) if isinstance(talk.asked, Pause) else talk.answer([])
        assert asked[0] == "XREADGROUP"
        case.now += wait - 0.01
        asked = talk.answer([])
        if asked[0] == "XAUTOCLAIM":
            asked = talk.answer([b"0-0", [b"1-0"], []])  # ours already: it is left to wait
        assert asked[0] == "XREADGROUP"
        assert asked[7] <= 10  # it waits on the server no longer than the entry
        case.now += 0.01
        assert talk.answer([])[:5] == (scripts.TAKE, "g", "me", 3, b"1-0")
        talk.answer([[b"1-0", deliveries + 1, [b"n", b"1"]]])
    case.machine.settle(case.take(), Verdict.FAIL)
    keeper = Talk(case.machine.keeping())
    assert keeper.asked == (scripts.BURY, "g", "me", "max-deliveries", b"1-0")
    keeper.answer(1)
    assert case.machine.held == 0


def test_a_waiting_entry_that_others_took_is_forgotten() -> None:
    case = Case()
    talk = case.reads(b"1-0")
    case.machine.settle(case.take(), Verdict.FAIL)
    case.now += 5.0
    while talk.asked[0] is not scripts.TAKE:
        talk.answer([])
    talk.answer([])
    assert case.machine.held == 0


def test_signs_of_life() -> None:
    """A third of the time that others wait; only for entries that have been held for a while."""
    case = Case()
    case.reads(b"1-0", b"2-0", b"3-0")
    lost, kept = case.take(), case.take()
    keeper = Talk(case.machine.keeping())
    assert isinstance(keeper.asked, Pause)
    case.now += 10.0
    assert keeper.answer(None) == (scripts.BEAT, "g", "me", b"1-0", b"2-0", b"3-0")
    pause = keeper.answer([b"2-0"])
    assert pause == Pause(10.0)
    assert (lost.lost, kept.lost) == (True, False)
    assert case.machine.take() is None  # the third was another's before anybody began with it
    # What is lost is not said to have failed; done is done.
    case.machine.settle(lost, Verdict.FAIL)
    assert case.machine.held == 1
    case.machine.settle(kept, Verdict.ACK)
    assert keeper.answer(None) == ("XACK", "s", "g", b"2-0")


def test_a_stop_gives_back_what_nobody_works_on() -> None:
    case = Case()
    talk = case.reads(b"1-0", b"2-0", b"3-0", b"4-0")
    busy = case.take()
    case.machine.settle(case.take(), Verdict.FAIL)
    case.now += 1.0
    case.machine.stop()
    keeper = Talk(case.machine.keeping())
    assert keeper.asked == (
        *(scripts.RETURN, "g", "me"),
        *(b"3-0", LONG_IDLE_MS, 1, b"4-0", LONG_IDLE_MS, 1),
        *(b"2-0", 26_000, 0),  # due in 4 s: others wait until it was idle for 30
    )
    assert isinstance(keeper.answer(3), Pause)
    # A reply that comes in behind the stop is given back as well.
    if not talk.ended:
        talk.answer([[b"s", [[b"5-0", [b"n", b"1"]]]]])
        assert talk.ended
        assert keeper.answer(None) == (scripts.RETURN, "g", "me", b"5-0", LONG_IDLE_MS, 1)
        keeper.answer(1)
    case.machine.settle(busy, Verdict.ACK)
    assert keeper.answer(None) == ("XACK", "s", "g", b"1-0")
    case.machine.close()
    keeper.answer(1)
    assert keeper.ended


def test_after_an_interruption_what_is_ours_is_looked_for() -> None:
    case = Case()
    talk = case.reads(b"1-0")
    case.take()
    assert talk.asked[0] == "XREADGROUP"
    waits = []
    for _ in range(8):
        pause = talk.answer(redis.ConnectionError("gone"))
        assert isinstance(pause, Pause)
        assert pause.seconds is not None
        waits.append(pause.seconds)
        assert talk.answer(None)[0] == "COMMAND INFO"
    assert all(0 < wait <= 2.0 for wait in waits)
    assert waits[7] > waits[0]
    talk.answer(PLAIN)
    assert talk.answer(BUSY) == (scripts.BEAT, "g", "me", b"1-0")
    assert talk.answer([b"1-0"])[0] == "XPENDING"
    # What we know of is not taken twice, what we do not know of is.
    asked = talk.answer([[b"1-0", b"me", 10, 1], [b"2-0", b"me", 10, 1]])
    assert asked == (scripts.TAKE, "g", "me", 3, b"2-0")


@pytest.mark.parametrize(
    "error",
    [
        redis.AuthenticationError("WRONGPASS"),
        redis.exceptions.NoPermissionError("NOPERM"),
        redis.ResponseError("WRONGTYPE Operation against a key"),
    ],
)
def test_what_will_not_pass_is_raised(error: Exception) -> None:
    talk = Case().reads()
    with pytest.raises(type(error)):
        talk.answer(error)


@pytest.mark.parametrize(
    "error",
    [
        redis.exceptions.BusyLoadingError("Redis is loading"),
        redis.exceptions.OutOfMemoryError("OOM command not allowed"),
        redis.exceptions.ReadOnlyError("You can't write against a read only replica."),
        redis.ResponseError("MISCONF Errors writing to the AOF file"),
        redis.TimeoutError("Timeout"),
        OSError("broken"),
    ],
)
def test_what_may_pass_is_tried_again(error: Exception) -> None:
    case = Case()
    case.reads(b"1-0")
    case.machine.settle(case.take(), Verdict.ACK)
    keeper = Talk(case.machine.keeping())
    assert keeper.asked == ("XACK", "s", "g", b"1-0")
    assert isinstance(keeper.answer(error), Pause)
    assert keeper.answer(None) == ("XACK", "s", "g", b"1-0")
    keeper.answer(1)
    assert case.machine.all_said


def test_a_verdict_that_the_server_refuses_leaves_the_entry_pending() -> None:
    case = Case()
    case.reads(b"1-0")
    told: list[Exception | None] = []
    case.machine.settle(case.take(), Verdict.REJECT, told.append)
    keeper = Talk(case.machine.keeping())
    error = redis.ResponseError("WRONGTYPE Operation against a key")
    assert keeper.asked[0] is scripts.BURY
    keeper.answer(error)
    assert told == [error]
    assert case.machine.held == 0


def test_who_waits_for_a_verdict_hears_of_the_end() -> None:
    case = Case()
    case.reads(b"1-0")
    told: list[Exception | None] = []
    held = case.take()
    assert case.machine.settle(held, Verdict.ACK, told.append)
    assert not case.machine.settle(held, Verdict.FAIL)  # once is enough
    case.machine.close()
    case.machine.abandon()
    assert isinstance(told[0], WorkerError)


def test_a_managed_group() -> None:
    """Settings are agreed on before anything is read; failures are the server's to deal with."""
    case = Case()
    talk = Talk(case.machine.reading())
    talk.answer(MANAGED)
    assert talk.answer(b"OK") == ("XGROUP CFGGET", "s", "g")
    nothing = {b"ackwait": 0, b"backoff": [], b"maxdeliveries": 0, b"lease": b"time"}
    rest = {b"deadletter": b"s:dead-letter", b"orderby": b""}
    asked = talk.answer({**nothing, **rest})
    assert asked == (
        *("XGROUP CFGSET", "s", "g", "ACKWAIT", 30_000, "MAXDELIVERIES", 3),
        *("BACKOFF", 5000, 20_000),
    )
    assert talk.answer(b"OK") == ("XGROUP CFGGET", "s", "g")
    now = {b"ackwait": 30_000, b"backoff": [5000, 20_000], b"maxdeliveries": 3, b"lease": b"time"}
    assert talk.answer({**now, **rest})[0] == "XPENDING"
    assert case.machine.terms.waits == (5.0, 20.0)
    assert talk.answer([])[0] == "XREADGROUP"  # others' entries come by themselves
    talk.answer({b"s": [[b"1-0", [b"n", b"1"]], [b"2-0", [b"n", b"1"]], [b"3-0", None]]})
    first, second = case.take(), case.take()
    assert (first.deliveries, case.machine.take()) == (None, None)
    case.machine.settle(first, Verdict.FAIL)
    case.machine.settle(second, Verdict.REJECT)
    keeper = Talk(case.machine.keeping())
    assert keeper.asked == (scripts.NACK, "g", "me", "FAIL", b"1-0")
    assert keeper.answer(1) == (scripts.NACK, "g", "me", "FATAL", b"2-0")


CURRENT = {
    "ackwait": 1000,
    "backoff": [100],
    "maxdeliveries": 7,
    "deadletter": b"s:dead-letter",
    "orderby": b"",
    "lease": b"time",
}


@pytest.mark.parametrize(
    ("options", "current", "words"),
    [
        ({}, CURRENT, []),
        ({"ack_wait": 1.0, "max_deliveries": 7, "backoff": [0.1]}, CURRENT, []),
        ({"ack_wait": 2.0}, CURRENT, ["ACKWAIT", 2000]),
        ({"dead_letter": "x"}, CURRENT, ["DEADLETTER", "x"]),
        ({"lease": "connection"}, {**CURRENT, "ackwait": 0}, ["LEASE", "connection"]),
        ({}, {**CURRENT, "ackwait": 0, "lease": b"connection"}, []),
        ({}, {**CURRENT, "ackwait": 0}, ["ACKWAIT", 30_000]),
        ({"order_by": "customer"}, CURRENT, ["ORDERBY", "customer"]),
        ({}, {**CURRENT, "consumerttl": 0}, ["CONSUMERTTL", 3_600_000]),
        ({}, {**CURRENT, "consumerttl": 5000}, []),
        ({"name": "pod-1"}, {**CURRENT, "consumerttl": 0}, []),
    ],
)
def test_what_is_set(options: dict[str, Any], current: dict[str, Any], words: list[Any]) -> None:
    assert Options(stream="s", group="g", **options).to_set(current) == words


@pytest.mark.parametrize(
    "options",
    [
        {"concurrency": 0},
        {"prefetch": -1},
        {"ack_wait": 0},
        {"max_deliveries": 0},
        {"backoff": []},
        {"backoff": [0]},
        {"backoff": [1] * 65},
        {"dead_letter": "s"},
        {"lease": "sometimes"},
        {"stop_timeout": -1},
    ],
)
def test_options_that_make_no_sense(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        Options(stream="s", group="g", **options)


def test_waits() -> None:
    terms = Terms(backoff=(1.0, 2.0), waits=(3.0, 1.5))
    assert [terms.wait_after(n) for n in (0, 1, 2, 3, 9)] == [1.0, 1.0, 2.0, 2.0, 2.0]
    assert terms.beat == 0.5
    assert Terms(waits=()).beat is None


FULL = redis.exceptions.OutOfMemoryError("command not allowed when used memory > 'maxmemory'.")
GONE = redis.ResponseError("NOGROUP No such key 's' or consumer group 'g'")


def test_a_group_that_is_there_already_on_a_server_that_is_full() -> None:
    """It refuses to make the group; working on what is in it is how there will be room again."""
    talk = Talk(Case().machine.reading())
    talk.answer(PLAIN)
    assert talk.answer(FULL) == ("XPENDING", "s", "g")
    assert talk.answer([0, None, None, None])[:4] == ("XPENDING", "s", "g", b"-")


def test_a_group_that_cannot_be_made_on_a_server_that_is_full() -> None:
    talk = Talk(Case().machine.reading())
    talk.answer(PLAIN)
    assert talk.answer(FULL) == ("XPENDING", "s", "g")
    assert isinstance(talk.answer(GONE), Pause)
    assert talk.answer(None)[0] == "COMMAND INFO"


@pytest.mark.parametrize(
    "answer", [3, redis.ResponseError("The user executing the script can't run this command")]
)
def test_names_of_killed_workers_are_deleted_now_and_then(answer: Any) -> None:
    case = Case()
    case.reads()
    keeper = Talk(case.machine.keeping())
    assert isinstance(keeper.asked, Pause)
    case.now += 60.0
    assert keeper.answer(None) == (scripts.TIDY, "g", "me", 3_600_000)
    assert isinstance(keeper.answer(answer), Pause)
    case.now += 400.0
    assert isinstance(keeper.answer(None), Pause)
    case.now += 400.0
    assert keeper.answer(None)[0] is scripts.TIDY


def test_a_name_that_is_made_up_ends_as_the_script_looks_for() -> None:
    assert re.search(r"-\d+-hw[0-9a-f]{8}$", generated_name())


@pytest.mark.parametrize(
    "before",
    [
        "",
        "Error running script (call to f_13a7): @user_script:3: ",
        "Error running script (call to f_13a7): @user_script:3: @user_script: 3: -",
    ],
)
def test_errors_in_scripts_of_old_and_new_servers(before: str) -> None:
    gone = redis.ResponseError(f"{before}NOGROUP No such key 's' or consumer group 'g'")
    assert (wire.is_gone(gone), wire.is_passing(gone)) == (True, False)
    full = redis.ResponseError(f"{before}OOM command not allowed when used memory > 'maxmemory'.")
    assert (wire.is_gone(full), wire.is_passing(full), wire.is_full(full)) == (False, True, True)
    wrong = redis.ResponseError(f"{before}WRONGTYPE Operation against a key: -OOM")
    assert (wire.is_gone(wrong), wire.is_passing(wrong)) == (False, False)
