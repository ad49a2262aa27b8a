"""The expiry wheel against a plain dictionary of times."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from headwater.keyspace.expiry import NEVER, ExpiryWheel, bucket_code, bucket_due
from headwater.keyspace.strings import String
from headwater.value import Value

DAY_MS = 86_400_000
TIMES = st.integers(1, 2**63 - 1) | st.integers(1, 40 * DAY_MS) | st.integers(1, 5000)


@given(at_ms=TIMES, now_ms=TIMES)
def test_a_bucket_is_never_due_too_late(at_ms: int, now_ms: int) -> None:
    due = bucket_due(bucket_code(at_ms, now_ms))
    assert due < at_ms + 128
    if at_ms > now_ms:
        assert due > now_ms or due >= at_ms


def _listed(wheel: ExpiryWheel) -> list[bytes]:
    return [key for keys in wheel.buckets.values() for key in keys]


def _check(wheel: ExpiryWheel) -> None:
    listed = _listed(wheel)
    assert len(listed) == len(set(listed)) == wheel.count
    for key, value in wheel.values.items():
        assert (value.wheel >= 0) == (key in listed) == (value.expire_at > 0)
        if value.wheel >= 0:
            assert wheel.buckets[value.wheel][value.slot] == key
            assert bucket_due(value.wheel) < value.expire_at + 128


STEPS = st.lists(
    st.tuples(st.sampled_from(["set", "set", "persist", "remove", "time", "back", "drain"]),
              st.integers(0, 9), TIMES),
    max_size=60,
)  # fmt: skip


@given(steps=STEPS, limit=st.integers(1, 5))
def test_what_expires_is_what_is_due(steps: list[tuple[str, int, int]], limit: int) -> None:
    values: dict[bytes, Value] = {}
    wheel = ExpiryWheel(values)
    now_ms = DAY_MS
    for action, number, ms in steps:
        key = b"%d" % number
        value = values.get(key)
        if action == "set":
            if value is None:
                value = values[key] = String(b"")
            value.expire_at = min(now_ms + ms, NEVER)
            wheel.schedule(key, value, now_ms)
        elif action == "persist" and value is not None:
            value.expire_at = 0
            wheel.cancel(value)
        elif action == "remove" and value is not None:
            wheel.cancel(value)
            del values[key]
        elif action == "time":
            now_ms = min(now_ms + ms % DAY_MS, NEVER)
        elif action == "back":
            now_ms = max(1, now_ms - ms % DAY_MS)
        elif action == "drain":
            while wheel.next_due_ms() <= now_ms:
                for name in wheel.take_due(now_ms, limit):
                    assert values.pop(name).expire_at <= now_ms
            assert all(not 0 < v.expire_at <= now_ms - 128 for v in values.values())
        _check(wheel)
    assert wheel.next_due_ms() <= min(
        (v.expire_at + 127 for v in values.values() if v.expire_at), default=NEVER
    )


def test_a_million_times_to_live_make_a_few_hundred_buckets() -> None:
    values: dict[bytes, Value] = {}
    wheel = ExpiryWheel(values)
    for i in range(20_000):
        key = b"%d" % i
        value = values[key] = String(b"")
        value.expire_at = 1 + i * 100_003
        wheel.schedule(key, value, 1)
    assert len(wheel.buckets) < 1000
    assert wheel.count == 20_000


def test_extending_again_and_again_moves_nothing() -> None:
    value = String(b"")
    wheel = ExpiryWheel({b"k": value})
    value.expire_at = 30_000
    wheel.schedule(b"k", value, 0)
    first = value.wheel
    for now_ms in range(0, 29_000, 500):
        value.expire_at = now_ms + 30_000
        wheel.schedule(b"k", value, now_ms)
        assert wheel.take_due(now_ms, 10) == []
    assert value.wheel == first
    assert _listed(wheel) == [b"k"]
    assert wheel.take_due(value.expire_at - 128, 10) == []
    assert wheel.take_due(value.expire_at + 127, 10) == [b"k"]


def test_work_on_many_due_keys_is_done_in_parts() -> None:
    values: dict[bytes, Value] = {b"%d" % i: String(b"") for i in range(1000)}
    wheel = ExpiryWheel(values)
    for key, value in values.items():
        value.expire_at = 10 * DAY_MS
        wheel.schedule(key, value, 0)
    taken: list[bytes] = []
    rounds = 0
    while wheel.next_due_ms() <= 11 * DAY_MS:
        part = wheel.take_due(11 * DAY_MS, 100)
        assert len(part) <= 100
        taken += part
        rounds += 1
    assert sorted(taken) == sorted(values)
    assert rounds == 10
    assert wheel.count == 0
