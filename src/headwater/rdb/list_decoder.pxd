cimport cython

from headwater.lists.elements cimport back_bytes, size_at, text_at, text_length, text_span
from headwater.lists.list cimport List
from headwater.lists.node cimport Node
from headwater.raw cimport get_i64, get_u16, get_u32, monotonic_us
from headwater.rdb.source cimport RdbSource, big_endian

cdef int _ITEMS_A_LOOK, _ITEMS, _ZIPLIST, _QUICKLIST_2, _END, _LONG_BEFORE
cdef unsigned long long _PACKED, _PLAIN
cdef int _UNKNOWN
cdef long long _ITEM_MAX_BYTES, _NODE_MAX_BYTES
cdef Py_ssize_t _HEAD_BYTES, _SMALL_BYTES, _HEADER_BYTES, _ZIPLIST_HEADER_BYTES


@cython.final
cdef class ListDecoder:
    cdef RdbSource _source
    cdef int _kind
    cdef Py_ssize_t _left
    cdef readonly List list

    @cython.locals(source=RdbSource, items=Py_ssize_t)
    cpdef bint step(self, long long until_us) except -1
    @cython.locals(source=RdbSource, container="unsigned long long", n=Py_ssize_t, node=Node)
    cdef Py_ssize_t _read_node(self) except -1
    cdef object _check_length(self, long long most)
    @cython.locals(source=RdbSource, announced=int, pos=Py_ssize_t, end=Py_ssize_t, b=int, head=int,
                   size=Py_ssize_t, text=bytearray, count=int, said=Py_ssize_t)
    cdef object _read_listpack(self, Node node, bytearray buf, Py_ssize_t start, Py_ssize_t n)
    @cython.locals(width=int, said=Py_ssize_t, i=int, part=int)
    cdef object _check_size_behind(self, bytearray buf, Py_ssize_t pos, Py_ssize_t size)
    @cython.locals(source=RdbSource, announced=int, pos=Py_ssize_t, end=Py_ssize_t, before=Py_ssize_t,
                   last=Py_ssize_t, begin=Py_ssize_t, said=Py_ssize_t, count=int)
    cdef object _read_ziplist(self, Node node, bytearray buf, Py_ssize_t start, Py_ssize_t n)
    @cython.locals(b=int, head=int, n=Py_ssize_t, number=bint, text=bytearray)
    cdef Py_ssize_t _read_entry(self, Node node, bytearray buf, Py_ssize_t pos, Py_ssize_t end) except -1


cdef (int, Py_ssize_t, bint) _entry_form(int b) noexcept
@cython.locals(high=int, value="long long", i=Py_ssize_t)
cdef long long _ziplist_integer(bytearray buf, Py_ssize_t pos, Py_ssize_t n, int b) noexcept
