cimport cython

from headwater.commands.settling cimport settled
from headwater.commands.session cimport Session
from headwater.commands.streams cimport IdList, stream_to_read, stream_to_write
from headwater.journal.recorder cimport Recorder
from headwater.keyspace.database cimport Database
from headwater.raw cimport alloc, get_u64, put_u64
from headwater.resp.reply cimport Reply
from headwater.resp.request cimport Request
from headwater.streams.group cimport Consumer, Group
from headwater.streams.ids cimport (
    compare,
    exclusive_id,
    is_exclusive,
    next_id,
    previous_id,
    range_id,
    strict_id,
    u64,
)
from headwater.streams.ordering cimport forget_held
from headwater.streams.pending cimport PendingEntries
from headwater.streams.records cimport Records
from headwater.streams.references cimport drop_references, is_acknowledged
from headwater.streams.stream cimport Stream

cdef u64 MAX, _U64
cdef unsigned int STREAM
cdef long long SCAN_BATCH

@cython.locals(
    n=Py_ssize_t,
    i=Py_ssize_t,
    ids=bytearray,
    buf=bytearray,
    pos=Py_ssize_t,
    end=Py_ssize_t,
    begin=Py_ssize_t,
    ms=u64,
    seq=u64,
    ok=bint,
)
cdef bytearray ids_of(Request request, Py_ssize_t first)
cpdef Group group_of(Stream stream, bytes name)
@cython.locals(stream=Stream)
cpdef Stream stream_to_claim(Database database, bytes key)
@cython.locals(stream=Stream, group=Group)
cpdef tuple group_to_claim(Session session, Request request)
@cython.locals(stream=Stream, group=Group)
cpdef tuple group_to_write(Session session, Request request)


cdef class GroupOptions:
    cdef readonly bint make_stream
    cdef readonly long long entries_read


@cython.locals(
    database=Database,
    recorder=Recorder,
    key=bytes,
    stream=Stream,
    group=Group,
    pending=PendingEntries,
    acknowledged="long long",
    ids=bytearray,
    recording=bint,
    i=Py_ssize_t,
    ms=u64,
    seq=u64,
)
cpdef object xack(Session session, Request request, Reply reply)
@cython.locals(
    database=Database,
    key=bytes,
    ids=IdList,
    stream=Stream,
    group=Group,
    i=Py_ssize_t,
    ms=u64,
    seq=u64,
    deleted="long long",
    recorder=Recorder,
    drops_references=bint,
)
cpdef object xackdel(Session session, Request request, Reply reply)


@cython.locals(
    first=Py_ssize_t,
    min_idle_ms="long long",
    count="long long",
    ms1=u64,
    seq1=u64,
    ms2=u64,
    seq2=u64,
    group=Group,
    consumer=Consumer,
    owner="unsigned int",
    now_ms="long long",
    records=Records,
    handle="unsigned int",
    owned_by=Consumer,
)
cpdef object xpending(Session session, Request request, Reply reply)
@cython.locals(group=Group)
cpdef Group group_to_read(Session session, Request request)
@cython.locals(ms=u64, seq=u64, ok=bint)
cpdef (u64, u64) interval_start(Request request, Py_ssize_t i) except *
@cython.locals(ms=u64, seq=u64, ok=bint)
cpdef (u64, u64) interval_end(Request request, Py_ssize_t i) except *
@cython.locals(pending=PendingEntries, handle="unsigned int", member=Consumer, consumer=Consumer, busy=list)
cpdef object pending_summary(Group group, Reply reply)
@cython.locals(
    pending=PendingEntries,
    records=Records,
    found=list,
    until_ms="long long",
    idle=list,
    keyed=list,
    handle="unsigned int",
    ms=u64,
    seq=u64,
    batch_size="long long",
    batch=list,
    ok=bint,
)
cpdef list pending_range(
    Group group,
    unsigned int owner,
    u64 ms1,
    u64 seq1,
    u64 ms2,
    u64 seq2,
    long long count,
    long long now_ms,
    long long min_idle_ms,
)
