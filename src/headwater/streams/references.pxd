cimport cython

from headwater.streams.group cimport Group
from headwater.streams.redelivery cimport Redelivery
from headwater.streams.stream cimport Stream


@cython.locals(group=Group, redelivery=Redelivery)
cpdef bint is_acknowledged(Stream stream, unsigned long long ms, unsigned long long seq) except -1

@cython.locals(group=Group, dropped="Py_ssize_t")
cpdef Py_ssize_t drop_references(
    Stream stream, unsigned long long ms, unsigned long long seq
) except -1
