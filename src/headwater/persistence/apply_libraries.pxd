cimport cython

from headwater.persistence.apply_lists cimport ListApplier

cdef int DELETE_LIBRARY, FLUSH_LIBRARIES, LOAD_LIBRARY


cdef class LibraryApplier(ListApplier):
    cdef bint apply_to_libraries(self, int op) except -1
    @cython.locals(name=bytes, code=bytes)
    cdef void load_library(self) except *
    @cython.locals(name=bytes)
    cdef void delete_library(self) except *
