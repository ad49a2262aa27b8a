cimport cython

from headwater.journal.ordered cimport OrderedRecorder
from headwater.raw cimport put_i64, put_u32, put_u64
from headwater.streams.group cimport Consumer, Group
from headwater.streams.ids cimport u64
from headwater.streams.records cimport Records
from headwater.streams.redelivery cimport Redelivery
from headwater.streams.stream cimport Stream

cdef int CONFIGURE_GROUP, DEFER, DROP_PENDING, DROP_RUN, READ_GROUP, RETAIN, SEE_CONSUMER


cdef class ManagedRecorder(OrderedRecorder):
    @cython.locals(data=bytes, pos=Py_ssize_t)
    cpdef void configure_group(self, Py_ssize_t db, bytes key, Group group) except *
    @cython.locals(
        records=Records, redelivery=Redelivery, n=Py_ssize_t, pos=Py_ssize_t, handle="unsigned int"
    )
    cpdef void defer(self, Py_ssize_t db, bytes key, Group group, list handles) except *
    @cython.locals(pos=Py_ssize_t)
    cpdef void set_schema(self, Py_ssize_t db, bytes key, unsigned int number, int compat,
                          long long set_ms, bytes text, bint makes_stream) except *
    cpdef void delete_schema(self, Py_ssize_t db, bytes key) except *
    cpdef void drop_pending(self, Py_ssize_t db, bytes key, Group group) except *
    @cython.locals(data=bytes)
    cpdef void retain(self, Py_ssize_t db, bytes key, Stream stream) except *
    @cython.locals(pos=Py_ssize_t)
    cpdef void drop_run(self, Py_ssize_t db, bytes key, u64 ms, u64 seq, long long entries) except *
    @cython.locals(pos=Py_ssize_t)
    cpdef void read_group(self, Py_ssize_t db, bytes key, Group group) except *
    @cython.locals(pos=Py_ssize_t)
    cpdef void see_consumer(
        self, Py_ssize_t db, bytes key, Group group, Consumer consumer, long long time_ms
    ) except *
