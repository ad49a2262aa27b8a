cimport cython

from headwater.commands.blocking cimport pending_changed
from headwater.commands.groups cimport group_to_write
from headwater.commands.settling cimport settled
from headwater.commands.session cimport Session
from headwater.journal.recorder cimport Recorder
from headwater.keyspace.database cimport Database
from headwater.raw cimport parse_int
from headwater.resp.reply cimport Reply
from headwater.resp.request cimport Request
from headwater.streams.group cimport Group
from headwater.streams.ids cimport strict_id, u64
from headwater.streams.ordering cimport became_pending
from headwater.streams.pending cimport PendingEntries
from headwater.streams.records cimport Records
from headwater.streams.redelivery cimport Redelivery
from headwater.streams.settings cimport GroupSettings
from headwater.streams.stream cimport Stream

cdef int _SILENT, _FAIL, _FATAL
cdef long long _AS_MODE


cdef class NackOptions:
    cdef readonly int mode
    cdef readonly Py_ssize_t first      # argument that is the first ID
    cdef readonly Py_ssize_t behind     # argument behind the last ID
    cdef readonly long long retry_count
    cdef readonly bint force

    cpdef u64 count_after(self, u64 count)


@cython.locals(
    stream=Stream,
    group=Group,
    options=NackOptions,
    pending=PendingEntries,
    i=Py_ssize_t,
    ms=u64,
    seq=u64,
    handle="unsigned int",
    released="long long",
    key=bytes,
    recorder=Recorder,
    count=u64,
)
cpdef object xnack(Session session, Request request, Reply reply)
@cython.locals(
    database=Database,
    recorder=Recorder,
    pending=PendingEntries,
    records=Records,
    redelivery=Redelivery,
    settings=GroupSettings,
    now_ms="long long",
    deferred=list,
    released="long long",
    i=Py_ssize_t,
    ms=u64,
    seq=u64,
    handle="unsigned int",
    before=u64,
    count=u64,
    reason=bytes,
    deliveries=u64,
    wait_ms="long long",
)
cdef long long _give_back(
    Session session, Request request, NackOptions options, bytes key, Stream stream, Group group
) except -1
