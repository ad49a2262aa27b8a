cimport cython

from headwater.keyspace.order cimport KeyOrder
from headwater.value cimport Value


cdef class TableCut:
    cdef public Py_ssize_t index
    cdef public dict values             # the database's
    cdef public KeyOrder order
    cdef public Py_ssize_t keys
    cdef public Py_ssize_t expires
    cdef public unsigned long long position
    cdef public unsigned long long limit
    cdef public dict captured           # serial -> Value
    cdef public list removed            # Value
    cdef public list removed_keys
    cdef public bint flushed
    cdef public list dropped
    cdef public bytes key
    cdef public Value value
    cdef public bint owned

    @cython.locals(serial="unsigned long long")
    cpdef object about_to_change(self, Value value)
    @cython.locals(serial="unsigned long long", copied=Value)
    cpdef object about_to_remove(self, bytes key, Value value)
    cpdef bint keeps(self, Value value) noexcept
    @cython.locals(serial="unsigned long long", copied=Value)
    cpdef bint about_to_drop(self, bytes key, Value value) except *
    @cython.locals(serial="unsigned long long")
    cpdef bint about_to_replace(self, Value value) except *
    cpdef object about_to_flush(self, list dropped)
    @cython.locals(serial="unsigned long long", key=bytes, value=Value, copied=Value)
    cpdef bint advance(self) except *


cdef class Cut:
    cdef public object keyspace
    cdef public list tables             # TableCut
    cdef public Py_ssize_t keys
    cdef readonly bint has_idmp
    cdef readonly bint has_nacked
    cdef readonly list libraries        # bytes, the code of each
    cdef bint _still
    cdef Py_ssize_t _at
    cdef public TableCut table
    cdef public Value value
    cdef public long long expire_at

    @cython.locals(table=TableCut, value=Value)
    cpdef bint advance(self) except *
    @cython.locals(table=TableCut, value=Value)
    cpdef Value hold(self)
    @cython.locals(table=TableCut)
    cpdef object close(self)
    @cython.locals(table=TableCut, value=Value)
    cdef object _release(self)
    cdef object _leave(self, TableCut table)


@cython.locals(copied=Value)
cdef Value _copy(Value value)
