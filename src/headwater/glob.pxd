cimport cython

cdef int _STAR, _ANY, _OPEN, _CLOSE, _NOT, _ESCAPE, _DASH

cdef int _lower(int byte) noexcept
@cython.locals(i=Py_ssize_t, end=Py_ssize_t)
cdef Py_ssize_t _class_end(bytes pattern, Py_ssize_t start) noexcept
@cython.locals(i=Py_ssize_t, negated=bint, found=bint, folded=int, low=int, high=int)
cdef bint _in_class(bytes pattern, Py_ssize_t start, Py_ssize_t end, int byte, bint fold) noexcept
@cython.locals(
    p=Py_ssize_t, t=Py_ssize_t, retry_p=Py_ssize_t, retry_t=Py_ssize_t, pattern_end=Py_ssize_t,
    text_end=Py_ssize_t, following=Py_ssize_t, start=Py_ssize_t, first=Py_ssize_t, close=Py_ssize_t, c=int
)
cpdef bint matches(bytes pattern, bytes text, bint fold=*) except *
