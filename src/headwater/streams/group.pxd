cimport cython

from headwater.streams.due cimport DueOrder
from headwater.streams.pending cimport PendingEntries
from headwater.streams.records cimport Records
from headwater.streams.redelivery cimport Redelivery
from headwater.streams.settings cimport GroupSettings

cdef long long _MAX_MS


@cython.final
cdef class Consumer:

    cdef readonly bytes name
    cdef readonly unsigned int number
    cdef public long long seen_ms
    cdef public long long active_ms
    cdef public long long there_ms
    cdef public unsigned long long session


@cython.final
cdef class Group:

    cdef readonly bytes name
    cdef readonly unsigned long long last_ms
    cdef readonly unsigned long long last_seq
    cdef public long long entries_read
    cdef public Py_ssize_t next_index, next_slot
    cdef readonly long long intact_holes
    cdef readonly unsigned long long intact_ms, intact_seq
    cdef readonly unsigned long long intact_end_ms, intact_end_seq
    cdef readonly PendingEntries pending
    cdef readonly dict consumers  # by name
    cdef readonly list by_number  # Consumer or None, by owner number
    cdef readonly Redelivery redelivery  # or None
    cdef public long long read_ms
    cdef readonly DueOrder idle  # or None
    cdef public long long look_ms
    cdef public tuple looked  # or None

    cpdef object configure(self, GroupSettings settings)
    @cython.locals(
        redelivery=Redelivery, records=Records, done=Py_ssize_t, handle="unsigned int"
    )
    cpdef Py_ssize_t lapse(self, unsigned int holder, Py_ssize_t limit) except -1
    @cython.locals(
        redelivery=Redelivery, records=Records, n=Py_ssize_t, handle="unsigned int"
    )
    cpdef object lease_all(self, Consumer consumer)
    cpdef Consumer consumer(self, bytes name)

    @cython.locals(number="unsigned int", created=Consumer)
    cpdef Consumer create_consumer(self, bytes name, long long now_ms)

    @cython.locals(consumer=Consumer)
    cdef int _look_at_all(self) except -1
    cdef int _look_later(self, unsigned int number, long long seen_ms) except -1

    @cython.locals(gone=Consumer)
    cpdef Py_ssize_t delete_consumer(self, bytes name) except? -1

    cpdef Consumer owner_of(self, unsigned int handle)
    cpdef Py_ssize_t pending_of(self, Consumer consumer) except -1
    cpdef void set_position(
        self, unsigned long long ms, unsigned long long seq, long long entries_read
    ) noexcept

    cpdef void note_intact(
        self,
        long long holes,
        unsigned long long ms,
        unsigned long long seq,
        unsigned long long end_ms,
        unsigned long long end_seq,
    ) noexcept

    @cython.locals(twin=Group, consumer=Consumer, copied=Consumer)
    cpdef Group copy(self)
    @cython.locals(
        redelivery=Redelivery, copied=Redelivery, pending=PendingEntries, records=Records,
        handle="unsigned int",
    )
    cdef Redelivery _copied_redelivery(self)

    cpdef Py_ssize_t free_units(self) except -1
    cpdef list parts(self)
    @cython.locals(total=Py_ssize_t)
    cpdef Py_ssize_t memory_usage(self) except -1
