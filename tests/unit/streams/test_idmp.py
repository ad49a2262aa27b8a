"""The window of idempotent IDs against a model that remembers everything."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from headwater.resp.request import from_words
from headwater.streams.idmp import Idmp, content_iid


def content(*words: bytes) -> bytes:
    return content_iid(from_words(list(words)), 0, len(words) // 2)


def test_an_id_stands_for_the_entry_it_was_recorded_with() -> None:
    idmp = Idmp(100, 100)
    idmp.record(b"p", b"i", 7, 2**64 - 1, 1000)
    assert idmp.lookup(b"p", b"i", 1000) == (True, 7, 2**64 - 1)
    assert idmp.lookup(b"p", b"j", 1000) == (False, 0, 0)
    assert idmp.lookup(b"q", b"i", 1000) == (False, 0, 0)


def test_producers_do_not_see_each_other() -> None:
    idmp = Idmp(100, 1)
    idmp.record(b"p", b"i", 1, 0, 1000)
    idmp.record(b"q", b"i", 2, 0, 1000)
    assert idmp.lookup(b"p", b"i", 1000) == (True, 1, 0)
    assert idmp.lookup(b"q", b"i", 1000) == (True, 2, 0)
    assert (idmp.tracked(1000), idmp.producer_count(1000)) == (2, 2)


def test_an_id_is_forgotten_when_its_time_is_over() -> None:
    idmp = Idmp(2, 100)
    idmp.record(b"p", b"i", 1, 0, 1000)
    idmp.record(b"p", b"j", 2, 0, 1500)
    assert idmp.lookup(b"p", b"i", 2999) == (True, 1, 0)
    assert idmp.lookup(b"p", b"i", 3000) == (False, 0, 0)
    assert (idmp.tracked(3000), idmp.producer_count(3000)) == (1, 1)
    assert (idmp.tracked(3500), idmp.producer_count(3500)) == (0, 0)
    idmp.check()


def test_the_oldest_of_a_producer_makes_room() -> None:
    idmp = Idmp(100, 2)
    for n in range(1, 4):
        idmp.record(b"p", b"%d" % n, n, 0, 1000)
    assert idmp.lookup(b"p", b"1", 1000) == (False, 0, 0)
    assert idmp.lookup(b"p", b"2", 1000) == (True, 2, 0)
    assert idmp.lookup(b"p", b"3", 1000) == (True, 3, 0)
    idmp.check()


def test_a_time_before_the_last_one_counts_as_the_last_one() -> None:
    idmp = Idmp(1, 100)
    idmp.record(b"p", b"i", 1, 0, 5000)
    idmp.record(b"q", b"j", 2, 0, 3000)
    assert [entry.time_ms for entry in idmp.remembered()] == [5000, 5000]
    assert idmp.lookup(b"q", b"j", 5999) == (True, 2, 0)
    assert idmp.lookup(b"q", b"j", 6000) == (False, 0, 0)


def test_only_a_changed_configuration_forgets() -> None:
    idmp = Idmp(100, 100)
    idmp.record(b"p", b"i", 1, 0, 1000)
    idmp.added = 1
    idmp.duplicates = 3
    idmp.configure(100, 100)
    assert idmp.lookup(b"p", b"i", 1000) == (True, 1, 0)
    idmp.configure(100, 101)
    assert idmp.lookup(b"p", b"i", 1000) == (False, 0, 0)
    assert (idmp.tracked(1000), idmp.producer_count(1000)) == (0, 0)
    assert (idmp.added, idmp.duplicates, idmp.maxsize) == (1, 3, 101)


def test_a_copy_is_independent() -> None:
    idmp = Idmp(100, 2)
    idmp.record(b"p", b"i", 1, 0, 1000)
    idmp.added = 1
    twin = idmp.copy()
    idmp.record(b"p", b"j", 2, 0, 1000)
    twin.record(b"p", b"k", 3, 0, 1000)
    assert twin.lookup(b"p", b"j", 1000) == (False, 0, 0)
    assert idmp.lookup(b"p", b"k", 1000) == (False, 0, 0)
    assert twin.lookup(b"p", b"i", 1000) == (True, 1, 0)
    assert (twin.added, twin.duration_s, twin.maxsize) == (1, 100, 2)


def test_memory_does_not_grow_with_what_is_forgotten() -> None:
    idmp = Idmp(86400, 10)
    for n in range(5000):
        idmp.record(b"p", b"%d" % n, n, 0, 1000 + n)
    assert idmp.count == 10
    assert len(idmp.order) <= 65
    grown = idmp.memory_usage()
    for n in range(5000):
        idmp.record(b"p", b"%d" % (n + 5000), n, 0, 10000 + n)
    assert idmp.memory_usage() == grown
    for n in range(1000):
        idmp.record(b"producer %d" % n, b"i", n, 0, 20000 + 86400_000 * n)
    assert idmp.producer_count(20000 + 86400_000 * 999) == 1
    idmp.check()


def test_the_order_of_the_fields_does_not_matter() -> None:
    assert content(b"a", b"1", b"b", b"2") == content(b"b", b"2", b"a", b"1")
    assert len(content(b"a", b"1")) == 16


def test_another_content_is_another_id() -> None:
    contents = [
        (b"a", b"1"),
        (b"a", b"2"),
        (b"1", b"a"),
        (b"", b"a1"),
        (b"a1", b""),
        (b"a", b"1", b"a", b"1"),
        (b"a", b"1", b"", b""),
        (b"a", b"1", b"b", b"2"),
        (b"a", b"2", b"b", b"1"),
        (b"a", b"11 1 b2"),
    ]
    assert len({content(*words) for words in contents}) == len(contents)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["record", "lookup", "count", "configure", "copy"]),
        st.sampled_from([b"p", b"q", b"r"]),
        st.sampled_from([b"1", b"2", b"3", b"4"]),
        st.integers(0, 900),
        st.integers(1, 3),
    ),
    max_size=150,
)


@given(STEPS)
def test_it_remembers_what_a_model_does(
    steps: list[tuple[str, bytes, bytes, int, int]],
) -> None:
    idmp = Idmp(2, 3)
    model: list[tuple[bytes, bytes, int, int]] = []  # pid, iid, ms, time in order of recording
    duration_s, maxsize, now_ms = 2, 3, 1000
    for number, (step, pid, iid, passes_ms, setting) in enumerate(steps, start=1):
        now_ms += passes_ms
        model = [m for m in model if m[3] + 1000 * duration_s > now_ms]
        if step == "record":
            model = [m for m in model if m[:2] != (pid, iid)]
            mine = [m for m in model if m[0] == pid]
            model = [m for m in model if m not in mine[: max(0, len(mine) - maxsize + 1)]]
            model.append((pid, iid, number, now_ms))
            idmp.record(pid, iid, number, 0, now_ms)
        elif step == "lookup":
            expected = next((m[2] for m in model if m[:2] == (pid, iid)), None)
            found = idmp.lookup(pid, iid, now_ms)
            assert found == ((False, 0, 0) if expected is None else (True, expected, 0))
        elif step == "count":
            assert idmp.tracked(now_ms) == len(model)
            assert idmp.producer_count(now_ms) == len({m[0] for m in model})
        elif step == "configure":
            if (setting, setting + 1) != (duration_s, maxsize):
                model = []
            duration_s, maxsize = setting, setting + 1
            idmp.configure(duration_s, maxsize)
        else:
            idmp = idmp.copy()
        idmp.check()
    idmp.forget_expired(now_ms)
    assert [(e.pid, e.iid, e.ms, e.time_ms) for e in idmp.remembered()] == model


def test_recording_frees_only_some_of_what_is_over() -> None:
    idmp = Idmp(1, 1000)
    for n in range(1000):
        idmp.record(b"p%d" % (n % 3), b"%d" % n, n, 0, 1000)
    idmp.record(b"q", b"0", 1000, 0, 5000)
    assert 800 < idmp.count < 1000
    idmp.check()
    assert idmp.lookup(b"p0", b"999", 5000) == (False, 0, 0)
    idmp.record(b"p0", b"999", 2000, 0, 5000)
    assert idmp.lookup(b"p0", b"999", 5000) == (True, 2000, 0)
    for n in range(20):
        idmp.record(b"q", b"%d" % n, 3000 + n, 0, 5000)
    assert idmp.count == 21
    idmp.check()
    assert idmp.tracked(5000) == 21
    assert idmp.producer_count(5000) == 2


def test_what_is_forgotten_by_configuring_is_handed_over() -> None:
    idmp = Idmp(1, 1000)
    idmp.record(b"p", b"i", 1, 0, 1000)
    assert idmp.configure(1, 1000) == []
    order, producers = idmp.configure(2, 1000)
    assert [entry.iid for entry in order] == [b"i"]
    assert list(producers) == [b"p"]
    idmp.check()
