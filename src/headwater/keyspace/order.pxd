cimport cython

from headwater.raw cimport alloc, get_u64, move, put_u64


cdef class Chunk:
    cdef public unsigned long long low
    cdef public list keys
    cdef public bytearray serials       # u64 each; room for CHUNK_KEYS

    @cython.locals(start=Py_ssize_t, end=Py_ssize_t, middle=Py_ssize_t)
    cpdef Py_ssize_t below(self, unsigned long long serial) noexcept


cdef class KeyOrder:
    cdef public list chunks
    cdef public Py_ssize_t count
    cdef public unsigned long long next_serial

    @cython.locals(serial="unsigned long long", chunk=Chunk)
    cpdef unsigned long long append(self, bytes key) except 0
    @cython.locals(index=Py_ssize_t, at=Py_ssize_t, n=Py_ssize_t, chunk=Chunk)
    cpdef object remove(self, unsigned long long serial)
    @cython.locals(start=Py_ssize_t, end=Py_ssize_t, middle=Py_ssize_t, chunk=Chunk)
    cdef Py_ssize_t _find(self, unsigned long long serial) noexcept
    @cython.locals(n=Py_ssize_t, m=Py_ssize_t, i=Py_ssize_t, chunk=Chunk, other=Chunk)
    cdef bint _merge(self, Py_ssize_t index) except *
    @cython.locals(
        index=Py_ssize_t, at=Py_ssize_t, visited=Py_ssize_t, serial="unsigned long long", chunk=Chunk, found=list
    )
    cpdef tuple scan(self, unsigned long long cursor, Py_ssize_t count)
    @cython.locals(index=Py_ssize_t, at=Py_ssize_t, chunk=Chunk)
    cpdef bytes after(self, unsigned long long serial)
    @cython.locals(chunks=Py_ssize_t, room=Py_ssize_t, place=Py_ssize_t, chunk=Chunk)
    cpdef bytes random_key(self, rng)
