"""The benchmark's cases: each is valid, is answered as the load generator counts on, and does what
its name says."""

from __future__ import annotations

from contextlib import closing

import pytest
from bench import data
from bench.cases import (
    CASES,
    CLIENTS,
    CONTRASTS,
    Case,
    Contrast,
    ping,
    select,
    select_contrasts,
)
from bench.load import Load
from bench.servers import REDIS
from bench.wire import Control, Value, encode

by_title = pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
REPEATABLE = [case for case in CASES if case.reply_lines is None and case.span is None]
FINITE = [case for case in CASES if case.span is not None]
KNOWN_TO_REDIS = [row for row in CONTRASTS if REDIS in row.plain.kinds]


@pytest.fixture(autouse=True)
def _less_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "MILLION", 20_000)
    monkeypatch.setattr(data, "COLD_ORDERS", 20_000)


def size_of(case: Case, reply: bytes) -> int:
    return reply.count(b"\n") if case.reply_lines is not None else len(reply)


@by_title
def test_redis_accepts_the_requests(case: Case, control: Control) -> None:
    case.prepare(control)
    reply = control.probe(case.batch(0, 0), case.pipeline)
    if case.reply_lines is not None:
        assert size_of(case, reply) == case.reply_lines * case.pipeline


@pytest.mark.parametrize("case", REPEATABLE, ids=lambda case: case.title)
def test_replies_have_one_size(case: Case, control: Control) -> None:
    case.prepare(control)
    sizes = {
        len(control.probe(batch, case.pipeline)) for own in case.batches()[:5] for batch in own
    }
    assert len(sizes) == 1


@pytest.mark.parametrize("command", ["XRANGE", "XREVRANGE", "XREAD "])
def test_reads_find_all_entries_they_ask_for(command: str, control: Control) -> None:
    for case in select((command,)):
        case.prepare(control)
        for number in range(40):
            request = case.request(0, number)
            entries = control.call(*request)
            if request[0] == "XREAD":
                entries = entries_of_stream(entries)
            assert isinstance(entries, list)
            assert len(entries) == next(w for w in request if isinstance(w, int))


def entries_of_stream(reply: Value) -> Value:
    assert isinstance(reply, list)
    stream = reply[0]
    assert isinstance(stream, list)
    return stream[1]


@pytest.mark.parametrize("case", FINITE, ids=lambda case: case.title)
def test_a_finite_span_has_the_effect_it_is_named_for(case: Case, control: Control) -> None:
    batches = case.batches()
    case.prepare(control)
    size = size_of(case, control.probe(batches[0][0], case.pipeline))
    case.prepare(control)
    with closing(Load(control.port, CLIENTS)) as load:
        lines = case.reply_lines is not None
        answered = load.run(case.feeds(batches), size, lines=lines, seconds=None)
    assert answered * case.pipeline == case.span
    if case.name.startswith("XADD"):
        assert control.call("XLEN", data.INCOMING) == case.span
    elif case.name.startswith("MULTI"):
        assert control.call("XLEN", data.INCOMING) == case.span // 2
    else:
        summary = control.call("XPENDING", data.ORDERS, data.GROUP)
        assert isinstance(summary, list)
        assert summary[0] == (0 if case.name.startswith("XACK") else data.STORED_ORDERS)


@pytest.mark.parametrize("contrast", KNOWN_TO_REDIS, ids=lambda row: row.title)
def test_redis_accepts_both_halves_of_a_contrast(contrast: Contrast, control: Control) -> None:
    for case in (contrast.burdened, contrast.plain):
        case.prepare(control)
        assert control.probe(case.batch(0, 0), case.pipeline)


def test_a_million_pending_are_one_consumers_but_for_a_few(control: Control) -> None:
    data.million_pending(control)
    summary = control.call("XPENDING", data.ORDERS, data.GROUP)
    assert isinstance(summary, list)
    assert summary[0] == data.MILLION
    assert summary[3] == [
        [data.BIG_CONSUMER.encode(), str(data.MILLION - data.OWN_PENDING).encode()],
        [data.SMALL_CONSUMER.encode(), str(data.OWN_PENDING).encode()],
    ]
    history = control.call(*select(("history of 10",))[0].request(0, 0))
    entries = entries_of_stream(history)
    assert isinstance(entries, list)
    assert len(entries) == data.OWN_PENDING
    empty = control.call("XPENDING", data.ORDERS, data.IDLE_GROUP)
    assert isinstance(empty, list)
    assert empty[0] == 0


def test_stored_orders_are_the_ones_that_are_named() -> None:
    count = 30_000
    wanted = b"".join(
        encode(("XADD", data.ORDERS, data.order_id(n), *data.fields(n))) for n in range(count)
    )
    assert b"".join(data.fill_payloads(count)) == wanted


def test_clients_share_the_requests_of_a_span_without_overlap() -> None:
    case = next(case for case in CASES if case.title == "XACK of 100")
    seen = [
        word
        for client in range(CLIENTS)
        for lap in range(case.distinct)
        for word in case.request(client, lap * CLIENTS + client)[3:]
    ]
    assert len(seen) == len(set(seen)) == data.STORED_ORDERS


def test_orders_have_one_width() -> None:
    widths = {
        tuple(len(str(word)) for word in (data.order_id(n), *data.fields(n)))
        for n in range(0, data.STORED_ORDERS, 37)
    }
    assert len(widths) == 1


def test_a_span_that_clients_cannot_share_equally_is_refused() -> None:
    with pytest.raises(ValueError, match="no multiple"):
        Case("odd", ping, pipeline=16, span=1_000)


def test_cases_are_told_apart_and_found_by_title() -> None:
    titles = [row.title for rows in (CASES, CONTRASTS) for row in rows]
    assert len(titles) == len(set(titles))
    assert [case.title for case in select(("xread count",))] == [
        "XREAD COUNT 100",
        "XREAD COUNT 1000",
    ]
    assert select(()) == CASES
    assert select_contrasts(("scale",)) == CONTRASTS
    assert select(("no such case",)) == ()
