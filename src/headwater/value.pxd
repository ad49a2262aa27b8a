cdef class Value:
    cdef public long long access_ms
    cdef public long long expire_at
    cdef public unsigned long long serial
    cdef public Py_ssize_t slot
    cdef public long long wheel

    cpdef bytes type_name(self)
    cpdef bytes encoding(self)
    cpdef Py_ssize_t memory_usage(self) except? -1
    cpdef Value copy(self)
    cpdef Py_ssize_t free_units(self) except? -1
    cpdef list parts(self)
