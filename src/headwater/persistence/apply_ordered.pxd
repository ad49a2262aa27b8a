cimport cython

from headwater.persistence.apply_schedules cimport ScheduleApplier
from headwater.streams.group cimport Consumer, Group
from headwater.streams.ids cimport text, u64
from headwater.streams.ordering cimport Chosen, choose_again, forget_held
from headwater.streams.stream cimport Stream

cdef int DELIVER_ORDERED, FORGET_HELD, NO_ACK


cdef class OrderedApplier(ScheduleApplier):
    cdef bint apply_to_lanes(self, int op) except -1
    @cython.locals(stream=Stream, group=Group, consumer=Consumer, no_ack=bint, time_ms="long long",
                   held="long long", passed="long long", count="long long", ms=u64, seq=u64, chosen=Chosen)
    cdef void deliver_ordered(self) except *
    cdef void forget_held(self) except *
