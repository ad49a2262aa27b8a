cimport cython

from headwater.raw cimport alloc, copy, get_u32, get_u64, move, put_u32, put_u64
from headwater.streams.records cimport Records

cdef Py_ssize_t LOW_SEQ
cdef Py_ssize_t CHUNK_HEADER_BYTES
cdef Py_ssize_t CHUNK_START
cdef Py_ssize_t CHUNK_END
cdef Py_ssize_t CHUNK_HANDLES
cdef Py_ssize_t SMALL_CHUNK_HANDLES
cdef Py_ssize_t MERGED_HANDLES

@cython.locals(chunk=bytearray)
cpdef bytearray new_chunk(Py_ssize_t capacity, unsigned long long ms, unsigned long long seq)

@cython.locals(low="unsigned long long")
cpdef bint at_or_above_low(bytearray chunk, unsigned long long ms, unsigned long long seq) noexcept


@cython.final
cdef class HandleOrder:

    cdef readonly list chunks
    cdef readonly Py_ssize_t length
    cdef Py_ssize_t found_number, found_slot

    @cython.locals(twin=HandleOrder, chunk=bytearray)
    cpdef HandleOrder copy(self)

    @cython.locals(low="Py_ssize_t", top="Py_ssize_t", middle="Py_ssize_t")
    cpdef Py_ssize_t chunk_of(self, unsigned long long ms, unsigned long long seq) except -1

    @cython.locals(low="Py_ssize_t", high="Py_ssize_t", middle="Py_ssize_t")
    cpdef Py_ssize_t slot_of(
        self, Records records, bytearray chunk, unsigned long long ms, unsigned long long seq
    ) noexcept

    @cython.locals(chunk=bytearray, last="Py_ssize_t", end="Py_ssize_t")
    cpdef int append(
        self, unsigned int handle, unsigned long long ms, unsigned long long seq
    ) except -1

    @cython.locals(
        chunk=bytearray,
        number="Py_ssize_t",
        slot="Py_ssize_t",
        end="Py_ssize_t",
        capacity="Py_ssize_t",
        pos="Py_ssize_t",
    )
    cpdef object insert(
        self,
        Records records,
        unsigned int handle,
        unsigned long long ms,
        unsigned long long seq,
    )

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
    cpdef object make_room(self, Records records, Py_ssize_t number)

    @cython.locals(
        chunk=bytearray, number="Py_ssize_t", slot="Py_ssize_t", handle="unsigned int"
    )
    cpdef unsigned int remove(
        self, Records records, unsigned long long ms, unsigned long long seq
    ) except? 0

    @cython.locals(chunk=bytearray, number="Py_ssize_t", slot="Py_ssize_t", found=bint)
    cpdef int take_out(
        self,
        Records records,
        unsigned int handle,
        unsigned long long ms,
        unsigned long long seq,
    ) except -1

    @cython.locals(
        chunk=bytearray,
        start="Py_ssize_t",
        end="Py_ssize_t",
        pos="Py_ssize_t",
        first="Py_ssize_t",
    )
    cpdef int drop(self, Py_ssize_t number, Py_ssize_t slot) except -1

    @cython.locals(
        left=bytearray,
        right=bytearray,
        joined=bytearray,
        left_start="Py_ssize_t",
        right_start="Py_ssize_t",
        left_length="Py_ssize_t",
        right_length="Py_ssize_t",
    )
    cpdef object merge(self, Py_ssize_t number)

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

    @cython.locals(
        chunk=bytearray,
        passed="Py_ssize_t",
        number="Py_ssize_t",
        slot="Py_ssize_t",
        end="Py_ssize_t",
        behind="Py_ssize_t",
        last="unsigned int",
    )
    cpdef (Py_ssize_t, unsigned int) skip(
        self,
        Records records,
        unsigned long long ms,
        unsigned long long seq,
        Py_ssize_t limit,
        unsigned long long end_ms,
        unsigned long long end_seq,
    ) except *

    cpdef Py_ssize_t start(self, Py_ssize_t number) noexcept
    cpdef Py_ssize_t end(self, Py_ssize_t number) noexcept
    cpdef unsigned int handle(self, Py_ssize_t number, Py_ssize_t slot) noexcept

    @cython.locals(
        chunks=list,
        chunk=bytearray,
        start="Py_ssize_t",
        kept="Py_ssize_t",
        slot="Py_ssize_t",
        handle="unsigned int",
        number="Py_ssize_t",
    )
    cpdef int leave_out(self, Records records, unsigned int owner) except -1
