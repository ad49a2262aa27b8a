"""What a producer sends, and sends again; and the shapes that answers come in."""

from __future__ import annotations

import random
from typing import Any

import pytest
import redis

from headwater.worker import wire
from headwater.worker.errors import ConfigurationError, SendError
from headwater.worker.sending import Sender, Sending, Window, all_of, only
from headwater.worker.wire import Commands, Pause

IDEMPOTENT = [None, None, ["xcfgset"], ["xautoclaim"]]
PLAIN = [None, None, None, ["xautoclaim"]]
BODY = [b"n", b"1"]


class Clock:
    now = 10.0

    def __call__(self) -> float:
        return self.now


def sender(clock: Clock, producer_id: str | None = "p", **words: Any) -> Sender:
    options: dict[str, Any] = {
        "stream": "s",
        "maxlen": None,
        "exact": False,
        "retry_for": 30.0,
        "window": 4,
        "reconnect_cap": 2.0,
        **words,
    }
    return Sender(Sending(**options), producer_id, clock, random.Random(1))


def ended(flow: Any, answer: Any) -> Any:
    """What a flow returns, this being its last answer."""
    with pytest.raises(StopIteration) as stop:
        flow.send(answer)
    return stop.value.value


def test_the_same_idempotent_id_each_time() -> None:
    clock = Clock()
    one = sender(clock, maxlen=100)
    flow = one.sending([BODY], [None], 7)
    assert next(flow)[0] == "COMMAND INFO"
    command = flow.send(IDEMPOTENT)
    assert command == (
        *("XADD", "s", "IDMP", "p", f"{one.run_id}-7", "MAXLEN", "~", 100, "*"),
        *BODY,
    )
    assert isinstance(flow.throw(redis.ConnectionError("gone")), Pause)
    assert flow.send(None) == command
    assert only(ended(flow, b"1-0")) == "1-0"
    keyed = one.sending([BODY], ["order-1"], 8)
    assert next(keyed)[2:5] == ("IDMP", "p", "order-1")


def test_without_idmp() -> None:
    flow = sender(Clock(), maxlen=5, exact=True).sending([BODY], [None], 0)
    next(flow)
    assert flow.send(PLAIN) == ("XADD", "s", "MAXLEN", "=", 5, "*", *BODY)


def test_only_what_failed_for_the_time_being_is_sent_again() -> None:
    one = sender(Clock())
    flow = one.sending([BODY] * 3, [None] * 3, 0)
    next(flow)
    first = flow.send(IDEMPOTENT)
    assert isinstance(first, Commands)
    wrong = redis.ResponseError("SCHEMA s v1: n is no number")
    full = redis.exceptions.OutOfMemoryError("OOM command not allowed")
    assert isinstance(flow.send([b"1-0", wrong, full]), Pause)
    assert flow.send(None) == first.all[2]
    results = ended(flow, b"3-0")
    assert results == ["1-0", wrong, "3-0"]
    with pytest.raises(SendError, match="2 of 3 entries were added; SCHEMA") as raised:
        all_of(results)
    assert raised.value.results == results


def test_it_gives_up_in_the_end() -> None:
    clock = Clock()
    flow = sender(clock, retry_for=1.0).sending([BODY], [None], 0)
    effect = next(flow)
    error = redis.ConnectionError("gone")
    waited = 0.0
    results = None
    while results is None:
        try:
            if isinstance(effect, Pause):
                assert effect.seconds is not None
                waited += effect.seconds
                clock.now += effect.seconds
                effect = flow.send(None)
            else:
                effect = flow.throw(error)
        except StopIteration as stop:
            results = stop.value
    assert results == [error]
    assert waited == pytest.approx(1.0)
    with pytest.raises(redis.ConnectionError):
        only([error])


def test_an_error_of_the_question_what_there_is_is_raised() -> None:
    flow = sender(Clock()).sending([BODY], [None], 0)
    next(flow)
    with pytest.raises(redis.AuthenticationError):
        flow.throw(redis.AuthenticationError("WRONGPASS"))


def test_the_window() -> None:
    """A number is given out only while the oldest that is not finished is near."""
    window = Window(4)
    assert [window.begin(1), window.begin(2), window.begin(2), window.begin(1)] == [0, 1, None, 3]
    window.end(1, 2)
    assert window.begin(1) is None  # the first one may have to be tried again
    window.end(0, 1)
    assert window.begin(3) == 4
    assert window.begin(1) is None
    window.end(3, 1)
    assert window.begin(1) == 7


@pytest.mark.parametrize("words", [{"maxlen": -1}, {"window": 0}, {"retry_for": -1}])
def test_options_that_make_no_sense(words: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        sender(Clock(), **words)


def test_keys_need_a_stable_name() -> None:
    with pytest.raises(ConfigurationError, match="producer_id"):
        sender(Clock(), producer_id=None).check_keys(["a"], 1)
    with pytest.raises(ConfigurationError, match="2 entries, but 1 keys"):
        sender(Clock()).check_keys(["a"], 2)


@pytest.mark.parametrize(
    "answer",
    [
        [[b"s", [[b"1-0", [b"a", b"b"]], [b"2-0", None]]]],
        {b"s": [[b"1-0", [b"a", b"b"]], [b"2-0", None]]},
        {"s": [("1-0", {"a": "b"})]},
        {"s": [[("1-0", {"a": "b"})]]},
        [["s", [("1-0", {"a": "b"}), (None, None)]]],
    ],
)
def test_what_a_read_returns(answer: Any) -> None:
    assert wire.entries_read(answer) == [(b"1-0", {b"a": b"b"})]


def test_a_read_that_found_nothing() -> None:
    assert [wire.entries_read(answer) for answer in (None, [], {})] == [[], [], []]


def test_pending_and_claimed() -> None:
    formed = {"message_id": b"1-0", "times_delivered": 2}
    assert wire.pending_rows([[b"1-0", b"me", 5, 2]]) == [(b"1-0", 2)]
    assert wire.pending_rows([formed]) == [(b"1-0", 2)]
    assert wire.claimed_ids([b"0-0", [b"1-0", None]]) == (b"0-0", [b"1-0"])
    assert wire.claimed_ids([b"5-0", [b"1-0"], [b"2-0"]]) == (b"5-0", [b"1-0"])
    assert wire.mapping([b"a", 1]) == wire.mapping({"a": 1}) == {"a": 1}
