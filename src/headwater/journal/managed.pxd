cimport cython

from headwater.journal.operands cimport OperandWriter
from headwater.streams.group cimport Group

cdef int CONFIGURE_GROUP


cdef class ManagedRecorder(OperandWriter):
    @cython.locals(data=bytes, pos=Py_ssize_t)
    cpdef void configure_group(self, Py_ssize_t db, bytes key, Group group) except *
