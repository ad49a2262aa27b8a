cimport cython

from headwater.raw cimport get_u32, put_u32

cdef Py_ssize_t LINK_BYTES, BEFORE, BEHIND, _FIRST_LINKS, _SMALL_BYTES


@cython.final
cdef class Held:

    cdef readonly Py_ssize_t length
    cdef public bint is_new
    cdef readonly dict firsts
    cdef readonly bytearray links

    @cython.locals(pos=Py_ssize_t)
    cpdef unsigned int holder_of(self, unsigned int handle) noexcept
    cpdef unsigned int first(self, unsigned int holder) except? 0
    @cython.locals(
        pos=Py_ssize_t,
        size=Py_ssize_t,
        links=bytearray,
        first="unsigned int",
        before="unsigned int",
    )
    cpdef int take(self, unsigned int handle, unsigned int holder) except -1
    @cython.locals(
        holder="unsigned int",
        links=bytearray,
        pos=Py_ssize_t,
        before="unsigned int",
        behind="unsigned int",
    )
    cpdef bint drop(self, unsigned int handle) except -1
    cpdef int clear(self) except -1
    cpdef Py_ssize_t memory_usage(self) except -1
