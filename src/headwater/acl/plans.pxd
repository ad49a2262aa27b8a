cimport cython


@cython.final
cdef class Plan:
    cdef readonly Py_ssize_t number
    cdef readonly bint always
    cdef readonly tuple ranges          # of (first, last, step, need)
    cdef readonly object find           # None, or asked for the keys
    cdef readonly int channels
    cdef readonly bytes keyword         # empty: none
    cdef readonly tuple options         # of (word, words that it takes)
