cimport cython

from headwater.persistence.apply_libraries cimport LibraryApplier
from headwater.resp.parser cimport RequestParser
from headwater.resp.request cimport Request
from headwater.streams.ids cimport text, u64
from headwater.streams.schedule cimport Schedule
from headwater.streams.stream cimport Stream

cdef int READY
cdef long long NODE_MAX_ENTRIES, NODE_MAX_BYTES
cdef u64 _LONGEST_WHEN
cdef int CANCEL_SCHEDULED, RUN_SCHEDULED, SCHEDULE


cdef class ScheduleApplier(LibraryApplier):
    cdef RequestParser _parser
    cdef long long _node_max_entries, _node_max_bytes

    cdef bint apply_to_schedules(self, int op) except -1
    @cython.locals(entries="long long", size="long long")
    cdef void limits(self) except *
    @cython.locals(buf=bytearray, n=Py_ssize_t, pos=Py_ssize_t, parser=RequestParser, fields=Request)
    cdef Request _entry_fields(self)
    @cython.locals(stream=Stream)
    cdef Stream _stream_or_new(self)
    cdef void _append(self, Stream stream, u64 ms, u64 seq, Request fields) except *
    @cython.locals(handle="long long", due_ms="long long", every_ms="long long", start=Py_ssize_t, stream=Stream,
                   schedule=Schedule)
    cdef void schedule(self) except *
    @cython.locals(handle="long long", schedule=Schedule)
    cdef void cancel_scheduled(self) except *
    @cython.locals(handle="long long", due_ms="long long", ms=u64, seq=u64, fields=Request, stream=Stream,
                   schedule=Schedule)
    cdef void run_scheduled(self) except *
    @cython.locals(n=u64)
    cdef long long _when(self) except? 0
    @cython.locals(stream=Stream, schedule=Schedule)
    cdef Schedule _a_schedule(self)
