cimport cython

from headwater.persistence.apply_libraries cimport LibraryApplier
from headwater.streams.group cimport Group
from headwater.streams.settings cimport GroupSettings
from headwater.streams.stream cimport Stream

cdef int CONFIGURE_GROUP


cdef class ManagedApplier(LibraryApplier):
    cdef bint apply_managed(self, int op) except -1
    @cython.locals(stream=Stream, data=bytes, settings=GroupSettings)
    cdef void configure_group(self) except *
