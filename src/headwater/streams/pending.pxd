cimport cython

from headwater.streams.handles cimport HandleOrder
from headwater.streams.records cimport Records
from headwater.streams.redelivery cimport Redelivery

cdef unsigned long long _LOW_HALF


@cython.final
cdef class PendingEntries:

    cdef readonly Records records
    cdef readonly HandleOrder by_id
    cdef readonly list owned  # HandleOrder or None, by owner number
    cdef readonly list free_owners
    cdef readonly Py_ssize_t count
    cdef readonly Py_ssize_t nacked
    cdef readonly unsigned int oldest
    cdef readonly unsigned int newest
    cdef readonly unsigned int newest_nacked
    cdef readonly unsigned int hint
    cdef public unsigned int passed
    cdef readonly unsigned long long top_ms
    cdef readonly unsigned long long top_seq
    cdef readonly Redelivery redelivery  # or None

    cpdef Py_ssize_t count_of(self, unsigned int owner) except -1

    @cython.locals(order=HandleOrder)
    cpdef HandleOrder order_of(self, unsigned int owner)

    @cython.locals(number="Py_ssize_t")
    cpdef unsigned int new_owner(self) except 0

    @cython.locals(order=HandleOrder, removed="Py_ssize_t")
    cpdef Py_ssize_t drop_owner(self, unsigned int owner) except -1

    cpdef unsigned int find(self, unsigned long long ms, unsigned long long seq) except? 0

    @cython.locals(handle="unsigned int")
    cpdef unsigned int add(
        self,
        unsigned long long ms,
        unsigned long long seq,
        unsigned int owner,
        long long time_ms,
        unsigned long long count,
    ) except 0

    @cython.locals(before="unsigned int", handle="unsigned int")
    cpdef unsigned int deliver(
        self,
        unsigned long long ms,
        unsigned long long seq,
        unsigned int owner,
        long long time_ms,
    ) except 0

    @cython.locals(before="unsigned int", ms="unsigned long long", seq="unsigned long long")
    cpdef int assign(
        self,
        unsigned int handle,
        unsigned int owner,
        long long time_ms,
        unsigned long long count,
    ) except -1

    cpdef int remove(self, unsigned int handle) except -1

    @cython.locals(records=Records, handle="unsigned int", owner="unsigned int")
    cpdef bint acknowledge(self, unsigned long long ms, unsigned long long seq) except -1

    cpdef int clear(self) except -1

    cpdef list drop_all(self)

    @cython.locals(
        before=Redelivery, records=Records, handle="unsigned int", owner="unsigned int", due_ms="long long"
    )
    cpdef int set_redelivery(self, Redelivery redelivery) except -1

    @cython.locals(redelivery=Redelivery)
    cdef int _tell(
        self, unsigned int handle, unsigned int owner, long long time_ms, unsigned long long count
    ) except -1

    @cython.locals(before="unsigned int", behind="unsigned int")
    cpdef void link(self, unsigned int handle, unsigned int owner, long long time_ms) noexcept

    @cython.locals(low="unsigned int", high="unsigned int", step="unsigned int")
    cpdef unsigned int place_of(self, long long time_ms) noexcept

    @cython.locals(before="unsigned int", both="unsigned long long")
    cpdef void unlink(self, unsigned int handle, unsigned int owner) noexcept

    @cython.locals(
        records=Records,
        first="unsigned int",
        last="unsigned int",
        before="unsigned int",
        behind="unsigned int",
        number="Py_ssize_t",
        slot="Py_ssize_t",
        handle="unsigned int",
        left="unsigned int",
        right="unsigned int",
    )
    cpdef int unlink_all(self, HandleOrder order) except -1

    @cython.locals(
        first="unsigned int",
        n="Py_ssize_t",
        number="Py_ssize_t",
        slot="Py_ssize_t",
        handle="unsigned int",
    )
    cpdef int give_all(self, HandleOrder order) except -1

    cpdef void join(self, unsigned int before, unsigned int behind) noexcept

    cpdef list handles_from(
        self, unsigned long long ms, unsigned long long seq, Py_ssize_t limit
    )
    cpdef list owned_from(
        self,
        unsigned int owner,
        unsigned long long ms,
        unsigned long long seq,
        Py_ssize_t limit,
    )

    @cython.locals(found=list, handle="unsigned int")
    cpdef list delivered_until(self, long long time_ms, Py_ssize_t limit)

    @cython.locals(handle="unsigned int")
    cpdef bint load(
        self,
        unsigned long long ms,
        unsigned long long seq,
        long long time_ms,
        unsigned long long count,
    ) except -1

    @cython.locals(handle="unsigned int", last="unsigned int", order=HandleOrder)
    cpdef bint load_owner(
        self, unsigned long long ms, unsigned long long seq, unsigned int owner
    ) except -1

    @cython.locals(handle="unsigned int")
    cpdef bint load_nacked(self, unsigned long long ms, unsigned long long seq) except -1

    @cython.locals(
        times=list,
        handles=list,
        number="Py_ssize_t",
        slot="Py_ssize_t",
        handle="unsigned int",
        before="unsigned int",
        lowest="long long",
        owned="Py_ssize_t",
        order=HandleOrder,
    )
    cpdef bint load_order(self) except -1

    @cython.locals(
        lowest="long long", number="Py_ssize_t", slot="Py_ssize_t", handle="unsigned int"
    )
    cdef long long _lowest_time(self) noexcept

    @cython.locals(
        before="unsigned int",
        time_ms="long long",
        number="Py_ssize_t",
        slot="Py_ssize_t",
        handle="unsigned int",
    )
    cdef bint _link_by_id(self) except -1

    @cython.locals(twin=PendingEntries, order=HandleOrder)
    cpdef PendingEntries copy(self)

    cpdef list parts(self)

    @cython.locals(page=bytearray, chunk=bytearray, order=HandleOrder, total="Py_ssize_t")
    cpdef Py_ssize_t memory_usage(self) except -1
