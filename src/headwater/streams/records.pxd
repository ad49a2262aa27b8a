cimport cython

from headwater.raw cimport (
    alloc,
    copy,
    get_i64,
    get_u32,
    get_u64,
    put_i64,
    put_u32,
    put_u64,
)

cdef Py_ssize_t RECORD_BYTES
cdef Py_ssize_t SEQ
cdef Py_ssize_t TIME
cdef Py_ssize_t COUNT
cdef Py_ssize_t OWNER
cdef Py_ssize_t BEFORE
cdef Py_ssize_t BEHIND
cdef Py_ssize_t PAGE_HEADER_BYTES
cdef Py_ssize_t PAGE_FREE
cdef Py_ssize_t PAGE_USED
cdef Py_ssize_t PAGE_CAPACITY
cdef int PAGE_SHIFT
cdef Py_ssize_t PAGE_RECORDS
cdef Py_ssize_t PAGE_MASK
cdef Py_ssize_t SMALL_PAGE_RECORDS

@cython.locals(page=bytearray)
cpdef bytearray new_page(Py_ssize_t number, Py_ssize_t capacity)


@cython.final
cdef class Records:

    cdef readonly list pages
    cdef readonly Py_ssize_t current
    cdef readonly Py_ssize_t live
    cdef readonly list roomy
    cdef readonly list spare
    cdef bint sharing
    cdef bytearray shared               # a byte for each page: whether a copy has it too

    @cython.locals(page=bytearray)
    cdef bytearray page_to_write(self, Py_ssize_t number)

    @cython.locals(page=bytearray, free="unsigned int", index="Py_ssize_t")
    cpdef unsigned int take(self) except 0

    @cython.locals(page=bytearray, grown=bytearray, capacity="Py_ssize_t", number="Py_ssize_t")
    cpdef object turn_page(self)

    @cython.locals(
        page=bytearray,
        number="Py_ssize_t",
        index="Py_ssize_t",
        live="Py_ssize_t",
        free="unsigned int",
    )
    cpdef int give(self, unsigned int handle) except -1

    @cython.locals(
        page=bytearray,
        index="Py_ssize_t",
        here="Py_ssize_t",
        free="unsigned int",
        between="Py_ssize_t",
    )
    cpdef int give_run(self, unsigned int first, Py_ssize_t n) except -1

    @cython.locals(page=bytearray)
    cpdef int reset(self) except -1

    @cython.locals(twin=Records, records=Records)
    cpdef Records copy(self)

    @cython.locals(page=bytearray, pos="Py_ssize_t")
    cpdef void fill(
        self,
        unsigned int handle,
        unsigned long long ms,
        unsigned long long seq,
        long long time_ms,
        unsigned long long count,
        unsigned int owner,
    ) noexcept

    @cython.locals(page=bytearray, index="Py_ssize_t", pos="Py_ssize_t", handle="unsigned int")
    cpdef unsigned int append(
        self,
        unsigned long long ms,
        unsigned long long seq,
        long long time_ms,
        unsigned long long count,
        unsigned int owner,
        unsigned int before,
    ) except 0

    @cython.locals(
        page=bytearray,
        pos="Py_ssize_t",
        before="unsigned long long",
        behind="unsigned long long",
    )
    cpdef unsigned long long detach(self, unsigned int handle) noexcept

    @cython.locals(page=bytearray)
    cpdef unsigned long long ms(self, unsigned int handle) noexcept

    @cython.locals(page=bytearray)
    cpdef unsigned long long seq(self, unsigned int handle) noexcept

    @cython.locals(page=bytearray)
    cpdef long long time(self, unsigned int handle) noexcept

    @cython.locals(page=bytearray)
    cpdef void set_time(self, unsigned int handle, long long time_ms) noexcept

    @cython.locals(page=bytearray)
    cpdef unsigned long long count(self, unsigned int handle) noexcept

    @cython.locals(page=bytearray)
    cpdef void set_count(self, unsigned int handle, unsigned long long count) noexcept

    @cython.locals(page=bytearray)
    cpdef unsigned int owner(self, unsigned int handle) noexcept

    @cython.locals(page=bytearray)
    cpdef void set_owner(self, unsigned int handle, unsigned int owner) noexcept

    @cython.locals(page=bytearray)
    cpdef unsigned int before(self, unsigned int handle) noexcept

    @cython.locals(page=bytearray)
    cpdef void set_before(self, unsigned int handle, unsigned int other) noexcept

    @cython.locals(page=bytearray)
    cpdef unsigned int behind(self, unsigned int handle) noexcept

    @cython.locals(page=bytearray)
    cpdef void set_behind(self, unsigned int handle, unsigned int other) noexcept

    @cython.locals(page=bytearray, pos="Py_ssize_t", own="unsigned long long")
    cpdef int compare(
        self, unsigned int handle, unsigned long long ms, unsigned long long seq
    ) noexcept
