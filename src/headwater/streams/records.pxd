cimport cython

from headwater.raw cimport (
    alloc,
    copy,
    get_i64,
    get_u32,
    get_u64,
    move,
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
cdef Py_ssize_t CHUNK_HEADER_BYTES
cdef Py_ssize_t CHUNK_START
cdef Py_ssize_t CHUNK_END
cdef Py_ssize_t CHUNK_HANDLES
cdef Py_ssize_t SMALL_CHUNK_HANDLES
cdef Py_ssize_t MERGED_HANDLES

@cython.locals(page=bytearray)
cpdef bytearray new_page(Py_ssize_t number, Py_ssize_t capacity)

@cython.locals(chunk=bytearray)
cpdef bytearray new_chunk(Py_ssize_t capacity, unsigned long long ms, unsigned long long seq)

@cython.locals(low="unsigned long long")
cpdef bint at_or_above_low(bytearray chunk, unsigned long long ms, unsigned long long seq) noexcept


@cython.final
cdef class Records:

    cdef readonly list pages
    cdef readonly Py_ssize_t current
    cdef readonly Py_ssize_t live
    cdef readonly list roomy
    cdef readonly list spare

    @cython.locals(page=bytearray, free="unsigned int", index="Py_ssize_t")
    cpdef unsigned int take(self) except 0

    @cython.locals(page=bytearray, grown=bytearray, capacity="Py_ssize_t", number="Py_ssize_t")
    cpdef void turn_page(self) except *

    @cython.locals(
        page=bytearray,
        number="Py_ssize_t",
        index="Py_ssize_t",
        live="Py_ssize_t",
        free="unsigned int",
    )
    cpdef void give(self, unsigned int handle) except *

    @cython.locals(page=bytearray)
    cpdef void reset(self) except *

    @cython.locals(twin=Records, page=bytearray)
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


@cython.final
cdef class HandleOrder:

    cdef readonly list chunks
    cdef readonly Py_ssize_t length

    @cython.locals(twin=HandleOrder, chunk=bytearray)
    cpdef HandleOrder copy(self)

    @cython.locals(low="Py_ssize_t", top="Py_ssize_t", middle="Py_ssize_t")
    cpdef Py_ssize_t chunk_of(self, unsigned long long ms, unsigned long long seq) except -1

    @cython.locals(low="Py_ssize_t", high="Py_ssize_t", middle="Py_ssize_t")
    cpdef Py_ssize_t slot_of(
        self, Records records, bytearray chunk, unsigned long long ms, unsigned long long seq
    ) noexcept

    @cython.locals(chunk=bytearray, last="Py_ssize_t", end="Py_ssize_t", pos="Py_ssize_t")
    cpdef void append(
        self, unsigned int handle, unsigned long long ms, unsigned long long seq
    ) except *

    @cython.locals(
        chunk=bytearray,
        number="Py_ssize_t",
        slot="Py_ssize_t",
        end="Py_ssize_t",
        capacity="Py_ssize_t",
        pos="Py_ssize_t",
    )
    cpdef void insert(
        self,
        Records records,
        unsigned int handle,
        unsigned long long ms,
        unsigned long long seq,
    ) except *

    @cython.locals(
        chunk=bytearray,
        grown=bytearray,
        start="Py_ssize_t",
        end="Py_ssize_t",
        capacity="Py_ssize_t",
    )
    cpdef bint make_room_at_end(self, Py_ssize_t number) except -1

    @cython.locals(
        chunk=bytearray,
        half=bytearray,
        start="Py_ssize_t",
        end="Py_ssize_t",
        middle="Py_ssize_t",
        first="unsigned int",
    )
    cpdef void make_room(self, Records records, Py_ssize_t number) except *

    @cython.locals(
        chunk=bytearray,
        number="Py_ssize_t",
        slot="Py_ssize_t",
        start="Py_ssize_t",
        end="Py_ssize_t",
        pos="Py_ssize_t",
        first="Py_ssize_t",
        handle="unsigned int",
    )
    cpdef unsigned int remove(
        self, Records records, unsigned long long ms, unsigned long long seq
    ) except? 0

    @cython.locals(
        left=bytearray,
        right=bytearray,
        joined=bytearray,
        left_start="Py_ssize_t",
        right_start="Py_ssize_t",
        left_length="Py_ssize_t",
        right_length="Py_ssize_t",
    )
    cpdef void merge(self, Py_ssize_t number) except *

    @cython.locals(chunk=bytearray, slot="Py_ssize_t", handle="unsigned int")
    cpdef unsigned int find(
        self, Records records, unsigned long long ms, unsigned long long seq
    ) except? 0

    @cython.locals(chunk=bytearray)
    cpdef unsigned int first(self) except? 0

    @cython.locals(chunk=bytearray)
    cpdef unsigned int last(self) except? 0

    @cython.locals(
        found=list, chunk=bytearray, number="Py_ssize_t", slot="Py_ssize_t", end="Py_ssize_t"
    )
    cpdef list handles_from(
        self, Records records, unsigned long long ms, unsigned long long seq, Py_ssize_t limit
    )
