cimport cython

from headwater.commands.groups cimport group_to_claim, interval_start
from headwater.commands.settling cimport settled
from headwater.commands.session cimport Session
from headwater.journal.recorder cimport Recorder
from headwater.raw cimport parse_int
from headwater.resp.reply cimport Reply
from headwater.resp.request cimport Request
from headwater.streams.delivery cimport EntryFinder, one_more
from headwater.streams.group cimport Consumer, Group
from headwater.streams.ids cimport compare, next_id, parse_span, strict_id, u64
from headwater.streams.ordering cimport became_pending
from headwater.streams.pending cimport PendingEntries
from headwater.streams.records cimport Records
from headwater.streams.redelivery cimport Redelivery
from headwater.streams.stream cimport Stream

cdef u64 MAX
cdef unsigned int STREAM
cdef long long ATTEMPTS_PER_CLAIM
cdef long long DEFAULT_COUNT
cdef long long MAX_COUNT
cdef long long SCAN_BATCH

@cython.locals(ok=bint, value="long long")
cpdef long long min_idle(Request request, Py_ssize_t i, name) except? -1
@cython.locals(now_ms="long long", consumer=Consumer)
cpdef Consumer consumer_of(Session session, bytes key, Group group, bytes name)
@cython.locals(records=Records, handle="unsigned int")
cpdef object write_claimed(
    Group group, EntryFinder finder, list handles, bint just_id, Reply reply
)


cdef class ClaimOptions:
    cdef readonly Py_ssize_t behind         # argument behind the last ID
    cdef readonly bint force, just_id
    cdef readonly u64 last_ms, last_seq     # LASTID
    cdef readonly long long retry_count
    cdef readonly long long time_ms         # delivery time to set

    cpdef u64 count_after(self, u64 count)


cpdef bint is_id(Request request, Py_ssize_t i) except -1
@cython.locals(ok=bint, value="long long")
cpdef long long claim_argument(Request request, Py_ssize_t i, option) except? -1
@cython.locals(
    stream=Stream,
    group=Group,
    min_idle_ms="long long",
    now_ms="long long",
    options=ClaimOptions,
    consumer=Consumer,
    pending=PendingEntries,
    finder=EntryFinder,
    claimed=list,
    i=Py_ssize_t,
    ms=u64,
    seq=u64,
    handle="unsigned int",
    key=bytes,
    db=Py_ssize_t,
    recorder=Recorder,
)
cpdef object xclaim(Session session, Request request, Reply reply)
cpdef bint is_delivery_too_many(Group group, unsigned int handle, ClaimOptions options) except -1
@cython.locals(
    min_idle_ms="long long",
    ms=u64,
    seq=u64,
    count="long long",
    just_id=bint,
    i=Py_ssize_t,
    ok=bint,
    stream=Stream,
    group=Group,
    consumer=Consumer,
    scan=Scan,
    deleted_ms=u64,
    deleted_seq=u64,
    key=bytes,
    db=Py_ssize_t,
    recorder=Recorder,
    now_ms="long long",
)
cpdef object xautoclaim(Session session, Request request, Reply reply)


cdef class Scan:
    cdef Session _session
    cdef bytes _key
    cdef readonly EntryFinder finder
    cdef readonly Group group
    cdef readonly u64 ms, seq
    cdef readonly list claimed      # handles
    cdef readonly list deleted      # (ms, seq)

    @cython.locals(
        group=Group,
        known=bint,
        from_ms=u64,
        from_seq=u64,
        pending=PendingEntries,
        attempts="long long",
        until_ms="long long",
        more=bint,
        batch=list,
        handle="unsigned int",
        ms=u64,
        seq=u64,
        delivered=u64,
    )
    cpdef object run(
        self,
        Consumer consumer,
        long long now_ms,
        long long min_idle_ms,
        long long count,
        bint just_id,
    )
    cpdef object is_for(self, Session session, bytes key)
    @cython.locals(group=Group, redelivery=Redelivery, session=Session)
    cdef bint _bury(self, unsigned int handle) except -1
    @cython.locals(group=Group)
    cpdef bint _is_known(self) except -1
    @cython.locals(
        group=Group,
        pending=PendingEntries,
        records=Records,
        stream=Stream,
        first_ms=u64,
        first_seq=u64,
        handle="unsigned int",
        passed=Py_ssize_t,
    )
    cpdef long long _skip(self, long long attempts, long long until_ms) except -1
    @cython.locals(group=Group, end_ms=u64, end_seq=u64)
    cpdef object _note_intact(self, bint known, u64 from_ms, u64 from_seq)
    @cython.locals(batch=list)
    cpdef object _point_at_next(self, bint more)
