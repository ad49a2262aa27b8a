"""A schedule against a sorted list: every change, copies that change apart, pages that load."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from headwater.raw import get_i64, get_u32, get_u64
from headwater.resp.reply import Reply
from headwater.resp.request import encode_words, from_words
from headwater.streams.schedule import MAX_MS, NEVER_MS, Schedule
from headwater.streams.sorted_pages import PAGE_BYTES, RECORD_HEADER_BYTES, SIZE, SortedPages

Key = tuple[int, int]

SIZES = st.one_of(st.integers(0, 40), st.sampled_from([0, 200, 300, 511, 512, 513, 2000]))


def content(pages: SortedPages) -> list[tuple[Key, bytes]]:
    """All records, in order."""
    found = []
    for page in pages.pages:
        pos = 0
        while pos < page.used:
            size = get_u32(page.buf, pos + SIZE)
            key = (get_i64(page.buf, pos), get_u64(page.buf, pos + 8))
            start = pos + RECORD_HEADER_BYTES
            found.append((key, bytes(page.buf[start : start + size])))
            pos = start + size
    return found


def insert(pages: SortedPages, key: Key, data: bytes) -> None:
    pos = pages.insert(key[0], key[1], len(data))
    assert pages.page is not None
    pages.page.buf[pos : pos + len(data)] = data


class PagesMachine(RuleBasedStateMachine):
    """Small pages, a few copies that share them, and a dict for each."""

    def __init__(self) -> None:
        super().__init__()
        self.twins: list[tuple[SortedPages, dict[Key, bytes]]] = [(SortedPages(512), {})]

    @rule(
        which=st.integers(0, 3),
        first=st.integers(0, 30),
        second=st.integers(0, 5),
        size=SIZES,
        fill=st.integers(0, 255),
    )
    def insert_or_remove(self, which: int, first: int, second: int, size: int, fill: int) -> None:
        pages, model = self.twins[which % len(self.twins)]
        key = (first, second)
        assert pages.find(*key) == (key in model)
        if key in model:
            pages.remove()
            del model[key]
        else:
            data = bytes([fill]) * size
            insert(pages, key, data)
            model[key] = data

    @rule(which=st.integers(0, 3), start=st.integers(0, 30), n=st.integers(1, 60), size=SIZES)
    def insert_many(self, which: int, start: int, n: int, size: int) -> None:
        pages, model = self.twins[which % len(self.twins)]
        for second in range(100, 100 + n):
            if (start, second) not in model:
                insert(pages, (start, second), bytes(size))
                model[start, second] = bytes(size)

    @rule(which=st.integers(0, 3), first=st.integers(0, 31))
    def look(self, which: int, first: int) -> None:
        pages, model = self.twins[which % len(self.twins)]
        behind = [key for key in sorted(model) if key >= (first, 0)]
        assert pages.find_behind(first) == bool(behind)
        if behind:
            assert pages.page is not None
            found = (get_i64(pages.page.buf, pages.pos), get_u64(pages.page.buf, pages.pos + 8))
            assert found == behind[0]

    @precondition(lambda self: len(self.twins) < 4)
    @rule(which=st.integers(0, 3))
    def copy(self, which: int) -> None:
        pages, model = self.twins[which % len(self.twins)]
        self.twins.append((pages.copy(), dict(model)))

    @invariant()
    def agree(self) -> None:
        for pages, model in self.twins:
            pages.check()
            assert content(pages) == sorted(model.items())


PagesMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestPages = PagesMachine.TestCase

FIELDS = st.lists(st.tuples(st.binary(max_size=8), st.binary(max_size=30)), min_size=1, max_size=3)


class Model:
    """What a schedule is: a sorted list, looked through from one end to the other."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, int, int, bytes]] = []
        self.next_handle = 1

    def twin(self) -> Model:
        other = Model()
        other.rows = list(self.rows)
        other.next_handle = self.next_handle
        return other


class ScheduleMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.twins: list[tuple[Schedule, Model]] = [(Schedule(), Model())]

    def one(self, which: int) -> tuple[Schedule, Model]:
        return self.twins[which % len(self.twins)]

    @rule(
        which=st.integers(0, 2),
        due=st.one_of(st.integers(0, 50), st.integers(0, MAX_MS)),
        every=st.sampled_from([0, 0, 10, 25, MAX_MS]),
        fields=FIELDS,
    )
    def add(self, which: int, due: int, every: int, fields: list[tuple[bytes, bytes]]) -> None:
        schedule, model = self.one(which)
        words = [word for pair in fields for word in pair]
        request = from_words([b"XSCHEDULE", b"ADD", b"k", *words])
        handle = schedule.add(due, every, request, 3, len(fields))
        assert handle == model.next_handle
        model.next_handle += 1
        model.rows = sorted([*model.rows, (due, handle, every, bytes(encode_words(words)))])

    @rule(which=st.integers(0, 2), handle=st.integers(1, 40))
    def cancel(self, which: int, handle: int) -> None:
        schedule, model = self.one(which)
        left = [row for row in model.rows if row[1] != handle]
        assert schedule.cancel(handle) == (len(left) < len(model.rows))
        model.rows = left

    @rule(which=st.integers(0, 2), times=st.integers(1, 5))
    def run(self, which: int, times: int) -> None:
        """Take what is due first, as upkeep does."""
        schedule, model = self.one(which)
        for _ in range(times):
            if not model.rows:
                assert schedule.next_ms() == NEVER_MS
                return
            due, handle, every, data = model.rows.pop(0)
            request = schedule.first()
            assert bytes(encode_words(request.words())) == data
            assert (schedule.due_ms, schedule.handle, schedule.every_ms) == (due, handle, every)
            following = due + every if every and due + every <= MAX_MS else 0
            assert schedule.following_ms() == following
            schedule.release()
            schedule.move(handle, following)
            if following:
                model.rows = sorted([*model.rows, (following, handle, every, data)])

    @precondition(lambda self: len(self.twins) < 3)
    @rule(which=st.integers(0, 2))
    def copy(self, which: int) -> None:
        schedule, model = self.one(which)
        self.twins.append((schedule.copy(), model.twin()))

    @rule(which=st.integers(0, 2))
    def load_again(self, which: int) -> None:
        schedule, model = self.one(which)
        loaded = Schedule()
        loaded.next_handle = schedule.next_handle
        for number in range(schedule.page_count()):
            loaded.load_page(schedule.page_bytes(number))
        self.twins[which % len(self.twins)] = (loaded, model)

    @invariant()
    def agree(self) -> None:
        for schedule, model in self.twins:
            schedule.check()
            head, *rows = schedule.describe()
            assert head == (model.next_handle,)
            assert rows == model.rows
            assert schedule.length() == len(model.rows)
            assert schedule.next_ms() == (model.rows[0][0] if model.rows else NEVER_MS)
            for due, handle, _, _ in model.rows:
                assert schedule.when(handle) == due


ScheduleMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestSchedule = ScheduleMachine.TestCase


def added(*dues: int, every: int = 0, value: bytes = b"v") -> Schedule:
    schedule = Schedule()
    for due in dues:
        schedule.add(due, every, from_words([b"f", value]), 0, 1)
    return schedule


def test_a_big_entry_has_a_page_of_its_own() -> None:
    schedule = added(10, 20, 30)
    big = b"x" * (3 * PAGE_BYTES)
    schedule.add(15, 0, from_words([b"f", big]), 0, 1)
    schedule.add(16, 0, from_words([b"f", b"small"]), 0, 1)
    schedule.check()
    assert [row[0] for row in list(schedule.describe())[1:]] == [10, 15, 16, 20, 30]
    found = schedule.fields_of(4)
    assert found is not None
    assert found.words() == [b"f", big]


@given(st.permutations(range(60)), st.permutations(range(60)))
@settings(max_examples=20, deadline=None)
def test_pages_come_and_go_in_any_order(adding: list[int], cancelling: list[int]) -> None:
    schedule = added(*adding, value=b"x" * 1000)
    schedule.check()
    assert schedule.page_count() > 3
    for n, handle in enumerate(cancelling):
        assert schedule.cancel(handle + 1)
        assert not schedule.cancel(handle + 1)
        schedule.check()
        assert schedule.length() == 59 - n
    assert schedule.page_count() == 0
    assert schedule.next_handle == 61


def test_handles_are_not_used_again() -> None:
    schedule = added(5)
    assert schedule.cancel(1)
    assert schedule.add(5, 0, from_words([b"f", b"v"]), 0, 1) == 2


def test_what_is_written_for_clients() -> None:
    schedule = added(7, 3, every=10)
    reply = Reply()
    schedule.write_first(reply, 1)
    assert reply.take() == (
        b"*1\r\n*8\r\n$6\r\nhandle\r\n$1\r\n2\r\n$3\r\ndue\r\n:3\r\n$5\r\nevery\r\n:10\r\n"
        b"$6\r\nfields\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n"
    )
    reply.resp3 = True
    schedule.write_first(reply, 100)
    data = reply.take()
    assert data.startswith(b"*2\r\n%4\r\n")
    assert data.count(b"%4\r\n") == 2


def page(due: int = 5, handle: int = 1, every: int = 0, fields: bytes = b"") -> bytes:
    data = fields or bytes(encode_words([b"f", b"v"]))
    return (
        due.to_bytes(8, "little", signed=True)
        + handle.to_bytes(8, "little")
        + (8 + len(data)).to_bytes(4, "little")
        + every.to_bytes(8, "little", signed=True)
        + data
    )


@pytest.mark.parametrize(
    "data",
    [
        page()[:-1],
        page()[:27],
        page() + page(),
        page(due=-1),
        page(due=MAX_MS + 1),
        page(handle=0),
        page(handle=9),
        page(handle=2**64 - 1),
        page(every=9),
        page(every=-1),
        page(fields=b"*1\r\n$1\r\nf\r\n"),
        page(fields=b"*2\r\n$1\r\nf\r\n$9\r\nv\r\n"),
        page(fields=b"PING\r\n"),
        page(fields=b"*0\r\n"),
        b"\xff" * 40,
    ],
)
def test_what_is_no_page_is_refused(data: bytes) -> None:
    schedule = Schedule()
    schedule.next_handle = 9
    with pytest.raises(ValueError, match="schedule"):
        schedule.load_page(data)


def test_a_copy_shares_pages_until_one_of_them_changes() -> None:
    schedule = added(*range(1000), value=b"x" * 100)
    twin = schedule.copy()
    assert all(a is b for a, b in zip(schedule.entries.pages, twin.entries.pages, strict=True))
    assert twin.cancel(1)
    assert schedule.when(1) == 0
    shared = [a is b for a, b in zip(schedule.entries.pages, twin.entries.pages, strict=True)]
    assert shared.count(False) == 1
