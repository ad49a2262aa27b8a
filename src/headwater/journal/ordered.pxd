cimport cython

from headwater.journal.schedules cimport ScheduleRecorder
from headwater.raw cimport put_i64, put_u64
from headwater.streams.group cimport Consumer, Group
from headwater.streams.ordering cimport Chosen

cdef int DELIVER_ORDERED, FORGET_HELD, NO_ACK


cdef class OrderedRecorder(ScheduleRecorder):
    @cython.locals(pos=Py_ssize_t, buf=bytearray)
    cpdef void deliver_ordered(
        self,
        Py_ssize_t db,
        bytes key,
        Group group,
        Consumer consumer,
        long long time_ms,
        bint no_ack,
        Chosen chosen,
    ) except *
    cpdef void forget_held(self, Py_ssize_t db, bytes key, Group group) except *
