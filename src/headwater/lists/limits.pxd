cimport cython

cdef int _SMALLEST, _MOST_ITEMS, _ESTIMATED_OVERHEAD
cdef Py_ssize_t _SAFETY_BYTES, _FIRST_BYTES

@cython.locals(level=int)
cpdef Py_ssize_t node_bytes(long long fill) noexcept
cpdef long long node_items(long long fill) noexcept
cpdef long long of_many_nodes(long long fill) noexcept
cpdef bint exceeds(long long fill, Py_ssize_t size, Py_ssize_t items) noexcept
cpdef bint is_large(long long fill, Py_ssize_t n) noexcept
cpdef bint has_room(long long fill, Py_ssize_t size, Py_ssize_t items, Py_ssize_t n) noexcept
