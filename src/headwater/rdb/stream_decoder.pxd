cimport cython

from headwater.raw cimport monotonic_us
from headwater.rdb.node_decoder cimport NodeDecoder, is_above
from headwater.rdb.source cimport RdbSource, big_endian
from headwater.streams.group cimport Consumer, Group
from headwater.streams.idmp cimport Idmp
from headwater.streams.ids cimport u64
from headwater.streams.lag cimport entries_read_at
from headwater.streams.pending cimport PendingEntries
from headwater.streams.stream cimport Stream

cdef u64 _SIGNED_MAX
cdef int _NODES_A_LOOK
cdef int _IDS_A_LOOK
cdef int _NODES
cdef int _PAST
cdef int _GROUP
cdef int _PENDING
cdef int _CONSUMERS
cdef int _CONSUMER
cdef int _OWNED
cdef int _NACKED
cdef int _GROUP_END
cdef int _IDMP
cdef int _DONE


@cython.final
cdef class StreamDecoder:
    cdef RdbSource _source
    cdef int _version
    cdef NodeDecoder _nodes
    cdef int _stage
    cdef u64 _left
    cdef u64 _groups_left
    cdef Group _group
    cdef Consumer _consumer
    cdef u64 _to_come
    cdef public list idmp_times
    cdef public list extras
    cdef readonly Stream stream

    cpdef bint step(self, long long until_us) except -1
    @cython.locals(source=RdbSource, count=int, begin=Py_ssize_t, ms=u64, seq=u64)
    cdef object _read_nodes(self)
    @cython.locals(source=RdbSource, stream=Stream, ms=u64, seq=u64, length=u64, said=u64,
                   added=u64)
    cdef object _read_past(self)
    @cython.locals(source=RdbSource, stream=Stream, ms=u64, seq=u64, read="long long", name=bytes)
    cdef object _read_group(self)
    cdef Py_ssize_t _entries_read(self, u64 read) except? -1
    @cython.locals(source=RdbSource, group=Group, pending=PendingEntries, count=int, ms=u64,
                   seq=u64, time_ms="long long", deliveries=u64)
    cdef object _read_pending(self)
    @cython.locals(source=RdbSource, group=Group, name=bytes, seen_ms="long long",
                   active_ms="long long")
    cdef object _read_consumer(self)
    @cython.locals(source=RdbSource, group=Group, consumer=Consumer, pending=PendingEntries,
                   count=int, ms=u64, seq=u64)
    cdef object _read_owned(self)
    @cython.locals(source=RdbSource, group=Group, pending=PendingEntries, count=int, ms=u64,
                   seq=u64)
    cdef object _read_nacked(self)
    @cython.locals(group=Group)
    cdef object _end_group(self)
    @cython.locals(source=RdbSource, idmp=Idmp)
    cdef object _read_idmp(self)
