cimport cython

from headwater.streams.group cimport Group
from headwater.streams.ids cimport compare, u64
from headwater.streams.stream cimport Stream

cdef long long UNKNOWN


@cython.locals(deleted_ms=u64, deleted_seq=u64, first_ms=u64, first_seq=u64)
cpdef bint has_deleted_from(Stream stream, u64 ms, u64 seq) except -1

@cython.locals(
    added="long long",
    behind_last=int,
    behind_first=int,
    deleted_ms=u64,
    deleted_seq=u64,
    first_ms=u64,
    first_seq=u64,
)
cpdef long long entries_read_at(Stream stream, u64 ms, u64 seq) except? -1

@cython.locals(first_ms=u64, first_seq=u64, first_is_read=bint)
cpdef bint counts_on(Stream stream, Group group) except -1
cpdef bint counts_on_behind(Stream stream, Group group, bint first_is_read) except -1

@cython.locals(group=Group)
cpdef object set_entries_added(Stream stream, long long entries_added)

@cython.locals(first_ms=u64, first_seq=u64, read="long long")
cpdef long long lag_of(Stream stream, Group group) except? -1

@cython.locals(backlog="long long")
cpdef long long backlog_of(Stream stream, Group group) except? 0
