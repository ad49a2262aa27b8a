cimport cython

from headwater.raw cimport copy, decimal_length
from headwater.resp.reply cimport Reply
from headwater.streams.block cimport Block, id_at
from headwater.streams.group cimport Consumer, Group
from headwater.streams.ids cimport next_id, u64
from headwater.streams.lag cimport counts_on, counts_on_behind, entries_read_at
from headwater.streams.pending cimport PendingEntries
from headwater.streams.range cimport Range
from headwater.streams.records cimport Records
from headwater.streams.stream cimport Stream

cdef u64 _MAX_COUNT
cdef long long _MAX_READ
cdef Py_ssize_t _ATTACH_BYTES
cdef long long NEVER_MS
cdef Py_ssize_t NULL_ENTRY_BYTES
cdef Py_ssize_t TWO_ELEMENTS_BYTES
cdef Block _NO_BLOCK

cpdef u64 one_more(u64 count) noexcept


@cython.final
cdef class EntryFinder:

    cdef readonly Stream stream
    cdef readonly Py_ssize_t index
    cdef readonly Py_ssize_t slot
    cdef readonly Block block
    cdef readonly Py_ssize_t start
    cdef readonly Py_ssize_t size

    @cython.locals(
        stream=Stream,
        index=Py_ssize_t,
        slot=Py_ssize_t,
        block=Block,
        found_ms=u64,
        found_seq=u64,
    )
    cpdef bint find(self, u64 ms, u64 seq) except -1

    @cython.locals(block=Block)
    cpdef int _stand_on(self, Py_ssize_t index, Py_ssize_t slot) except -1

    cpdef int write(self, Reply reply) except -1
    cpdef int write_claimed(self, Reply reply, long long idle_ms, u64 count) except -1


@cython.locals(
    blocks=list,
    total=Py_ssize_t,
    ms=u64,
    seq=u64,
    before_ms=u64,
    before_seq=u64,
    index1=Py_ssize_t,
    slot1=Py_ssize_t,
    index2=Py_ssize_t,
    slot2=Py_ssize_t,
    found=bint,
    block=Block,
    begin=Py_ssize_t,
    end=Py_ssize_t,
    last=Py_ssize_t,
    behind=Py_ssize_t,
    kept=Py_ssize_t,
    size=Py_ssize_t,
)
cpdef (Py_ssize_t, Py_ssize_t, Py_ssize_t, Py_ssize_t, Py_ssize_t, Py_ssize_t) run_behind(
    Stream stream, Group group, long long count, long long max_bytes, Py_ssize_t extra_bytes
) except *

@cython.locals(
    run=Range,
    block=Block,
    buf=bytearray,
    pos=Py_ssize_t,
    index=Py_ssize_t,
    start=Py_ssize_t,
    n=Py_ssize_t,
)
cpdef int write_run(
    Stream stream,
    Py_ssize_t index1,
    Py_ssize_t slot1,
    Py_ssize_t index2,
    Py_ssize_t slot2,
    Py_ssize_t size,
    Reply reply,
) except -1

@cython.locals(
    pending=PendingEntries,
    number="unsigned int",
    blocks=list,
    read="long long",
    exact=bint,
    ms=u64,
    seq=u64,
    index=Py_ssize_t,
    block=Block,
    buf=bytearray,
    slot=Py_ssize_t,
    end=Py_ssize_t,
)
cpdef int hand_over(
    Stream stream,
    Group group,
    Consumer consumer,
    long long now_ms,
    bint noack,
    Py_ssize_t index1,
    Py_ssize_t slot1,
    Py_ssize_t index2,
    Py_ssize_t slot2,
    Py_ssize_t count,
) except -1

@cython.locals(
    index1=Py_ssize_t,
    slot1=Py_ssize_t,
    index2=Py_ssize_t,
    slot2=Py_ssize_t,
    n=Py_ssize_t,
    size=Py_ssize_t,
)
cpdef (Py_ssize_t, Py_ssize_t) deliver(
    Stream stream,
    Group group,
    Consumer consumer,
    long long now_ms,
    long long count,
    long long max_bytes,
    bint noack,
    Reply reply,
) except *

@cython.locals(
    pending=PendingEntries,
    records=Records,
    finder=EntryFinder,
    size=Py_ssize_t,
    until_ms="long long",
    handle="unsigned int",
    index1=Py_ssize_t,
    slot1=Py_ssize_t,
    index2=Py_ssize_t,
    slot2=Py_ssize_t,
    n=Py_ssize_t,
    new_size=Py_ssize_t,
    left="long long",
    total=Py_ssize_t,
    delivered=u64,
)
cpdef (Py_ssize_t, Py_ssize_t) deliver_claiming(
    Stream stream,
    Group group,
    Consumer consumer,
    long long now_ms,
    long long count,
    long long max_bytes,
    long long min_idle_ms,
    bint noack,
    Reply reply,
    list due,
) except *

@cython.locals(records=Records, stream=Stream, handle="unsigned int", first_ms=u64, first_seq=u64, final=bint)
cpdef unsigned int first_with_data(PendingEntries pending, EntryFinder finder) except? 0

cpdef Py_ssize_t claim_bytes(u64 idle_ms, u64 count) noexcept

@cython.locals(
    buf=bytearray,
    data=bytearray,
    pos=Py_ssize_t,
    index=Py_ssize_t,
    block=Block,
    slot=Py_ssize_t,
    end=Py_ssize_t,
    start=Py_ssize_t,
    behind=Py_ssize_t,
)
cpdef Py_ssize_t write_with_zeros(
    Stream stream,
    Py_ssize_t index1,
    Py_ssize_t slot1,
    Py_ssize_t index2,
    Py_ssize_t slot2,
    Py_ssize_t count,
    Py_ssize_t size,
    Reply reply,
) except -1

@cython.locals(
    ok=bint,
    pending=PendingEntries,
    finder=EntryFinder,
    limit="long long",
    handles=list,
)
cpdef (Py_ssize_t, Py_ssize_t) deliver_history(
    Stream stream,
    Group group,
    Consumer consumer,
    u64 ms,
    u64 seq,
    long long now_ms,
    long long count,
    long long max_bytes,
    Reply reply,
) except *

@cython.locals(
    pending=PendingEntries, records=Records, finder=EntryFinder, handle="unsigned int",
    size=Py_ssize_t,
)
cpdef Py_ssize_t deliver_handles(
    Stream stream, Group group, Consumer consumer, list handles, long long now_ms, Reply reply
) except -1

@cython.locals(
    records=Records, kept=Py_ssize_t, size="long long", handle="unsigned int"
)
cpdef Py_ssize_t history_within(
    Group group, EntryFinder finder, list handles, long long max_bytes
) except -1

@cython.locals(records=Records, handle="unsigned int", time_ms="long long")
cpdef long long claimable_at(Stream stream, Group group, long long min_idle_ms) except? -1
