cimport cython

from headwater.persistence.apply_ordered cimport OrderedApplier
from headwater.streams.block cimport Block
from headwater.streams.group cimport Consumer, Group
from headwater.streams.ids cimport u64
from headwater.streams.ordering cimport configure
from headwater.streams.pending cimport PendingEntries
from headwater.streams.redelivery cimport Redelivery
from headwater.streams.retention cimport Retention
from headwater.streams.settings cimport GroupSettings
from headwater.streams.stream cimport Stream

cdef int CONFIGURE_GROUP, DEFER, DROP_PENDING, DROP_RUN, READ_GROUP, RETAIN, SEE_CONSUMER


cdef class ManagedApplier(OrderedApplier):
    cdef bint apply_managed(self, int op) except -1
    @cython.locals(stream=Stream, data=bytes, settings=GroupSettings)
    cdef void configure_group(self) except *
    @cython.locals(number='unsigned int', compat=int, set_ms='long long', text=bytes, stream=Stream,
                   makes_stream=bint)
    cdef void set_schema(self) except *
    @cython.locals(stream=Stream)
    cdef void delete_schema(self) except *
    @cython.locals(pending=PendingEntries, redelivery=Redelivery, ms=u64, seq=u64, due_ms="long long",
                   handle="unsigned int")
    cdef void defer(self) except *
    cdef void drop_pending(self) except *
    @cython.locals(stream=Stream, data=bytes, retention=Retention)
    cdef void retain(self) except *
    @cython.locals(stream=Stream, ms=u64, seq=u64, left="long long", index=Py_ssize_t, slot=Py_ssize_t,
                   blocks=Py_ssize_t, block=Block)
    cdef void drop_run(self) except *
    cdef void read_group(self) except *
    @cython.locals(consumer=Consumer)
    cdef void see_consumer(self) except *
