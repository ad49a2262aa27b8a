from headwater.value cimport Value


cdef class String(Value):
    cdef public bytes data

    cpdef bytes type_name(self)
    cpdef bytes encoding(self)
    cpdef Py_ssize_t memory_usage(self) except? -1
    cpdef Py_ssize_t free_units(self) except? -1
    cpdef Value copy(self)


cpdef bint is_integer(bytes data) except *
