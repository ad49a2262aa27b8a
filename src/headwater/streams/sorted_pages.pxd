cimport cython

from headwater.raw cimport alloc, copy, get_i64, get_u32, get_u64, move, put_i64, put_u32, put_u64
from headwater.streams.ids cimport u64

cdef Py_ssize_t _HEADER_BYTES, _SECOND, _SIZE, _FIRST_BYTES, _PAGE_OBJECT_BYTES


@cython.final
cdef class Page:
    cdef readonly bytearray buf
    cdef readonly Py_ssize_t used
    cdef readonly object owner


@cython.final
cdef class SortedPages:
    cdef readonly list pages            # of Page, none of them empty
    cdef readonly Py_ssize_t length
    cdef readonly Page page             # where `find` and `insert` came to
    cdef readonly Py_ssize_t pos
    cdef Py_ssize_t _number
    cdef Py_ssize_t _page_bytes
    cdef object _owner
    cdef long long _top_first
    cdef u64 _top_second

    @cython.locals(pages=list, low=Py_ssize_t, high=Py_ssize_t, middle=Py_ssize_t, page=Page, own="long long",
                   other=u64, buf=bytearray, used=Py_ssize_t, pos=Py_ssize_t, found=bint)
    cpdef bint find(self, long long first, u64 second) except -1
    @cython.locals(page=Page)
    cpdef bint find_behind(self, long long first) except -1
    @cython.locals(need=Py_ssize_t, page=Page, buf=bytearray, pos=Py_ssize_t)
    cpdef Py_ssize_t insert(self, long long first, u64 second, Py_ssize_t size) except -1
    @cython.locals(needed=Py_ssize_t, capacity=Py_ssize_t, bigger=bytearray)
    cdef int _grow(self, Page page, Py_ssize_t need) except -1
    @cython.locals(number=Py_ssize_t, pos=Py_ssize_t, page=Page, behind=Page, half=Py_ssize_t, cut=Py_ssize_t)
    cdef void _make_room(self, Py_ssize_t need) except *
    @cython.locals(page=Page, mine=Page)
    cdef Page _page_to_write(self, Py_ssize_t number)
    @cython.locals(number=Py_ssize_t, pos=Py_ssize_t, page=Page, size=Py_ssize_t)
    cpdef void remove(self) except *
    @cython.locals(page=Page, behind=Page, merged=Page, used=Py_ssize_t)
    cdef void _merge(self, Py_ssize_t number) except *
    @cython.locals(twin=SortedPages)
    cpdef SortedPages copy(self)
    @cython.locals(page=Page, total=Py_ssize_t)
    cpdef Py_ssize_t memory_usage(self) except -1
