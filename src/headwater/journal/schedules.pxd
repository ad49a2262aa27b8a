cimport cython

from headwater.journal.operands cimport OperandWriter
from headwater.raw cimport copy, put_i64, put_u32, put_u64
from headwater.resp.request cimport Request
from headwater.streams.schedule cimport Schedule
from headwater.streams.stream cimport Stream

cdef int CANCEL_SCHEDULED, LIMITS, RUN_SCHEDULED, SCHEDULE


cdef class ScheduleRecorder(OperandWriter):
    @cython.locals(fields=Request, start=Py_ssize_t, n=Py_ssize_t, pos=Py_ssize_t, buf=bytearray)
    cpdef void schedule(self, Py_ssize_t db, bytes key, Schedule schedule, long long handle) except *
    @cython.locals(pos=Py_ssize_t)
    cpdef void cancel_scheduled(self, Py_ssize_t db, bytes key, long long handle) except *
    @cython.locals(pos=Py_ssize_t)
    cpdef void run_scheduled(self, Py_ssize_t db, bytes key, Stream stream, long long handle, long long due_ms,
                             long long node_max_entries, long long node_max_bytes) except *
    @cython.locals(pos=Py_ssize_t)
    cdef void _limits(self, long long entries, long long size) except *
