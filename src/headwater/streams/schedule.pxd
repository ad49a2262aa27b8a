cimport cython

from headwater.raw cimport alloc, copy, cut, decimal_length, get_i64, get_u32, get_u64, put_decimal, put_i64
from headwater.resp.parser cimport RequestParser
from headwater.resp.reply cimport Reply
from headwater.resp.request cimport Request
from headwater.streams.ids cimport u64
from headwater.streams.sorted_pages cimport Page, SortedPages

cdef int READY
cdef Py_ssize_t RECORD_HEADER_BYTES, SIZE, _EVERY_BYTES, _SECOND
cdef long long _NEVER_MS, _MAX_MS


@cython.final
cdef class Schedule:
    cdef public long long next_handle
    cdef public long long held_ms
    cdef readonly SortedPages entries
    cdef readonly SortedPages handles
    cdef readonly long long handle, due_ms, every_ms    # of the entry that was found last
    cdef readonly Py_ssize_t fields_pos, fields_bytes
    cdef RequestParser _parser

    cpdef Py_ssize_t length(self) noexcept
    @cython.locals(page=Page, at="long long")
    cpdef long long next_ms(self) except? 0
    @cython.locals(last=Py_ssize_t, span=Py_ssize_t, span_bytes=Py_ssize_t, head=Py_ssize_t, handle="long long",
                   pos=Py_ssize_t, page=Page, buf=bytearray)
    cpdef long long add(self, long long due_ms, long long every_ms, Request request, Py_ssize_t arg,
                        Py_ssize_t fields) except? 0
    @cython.locals(pos=Py_ssize_t, page=Page)
    cpdef void put(self, long long handle, long long due_ms, long long every_ms, bytearray buf,
                   Py_ssize_t start, Py_ssize_t size) except *
    @cython.locals(pos=Py_ssize_t, page=Page)
    cdef Py_ssize_t _make(self, long long handle, long long due_ms, long long every_ms, Py_ssize_t size) except -1
    @cython.locals(page=Page, pos=Py_ssize_t)
    cpdef long long when(self, long long handle) except? 0
    @cython.locals(due_ms="long long")
    cpdef bint cancel(self, long long handle) except -1
    cpdef Request first(self)
    @cython.locals(due_ms="long long", page=Page)
    cpdef Request fields_of(self, long long handle)
    @cython.locals(buf=bytearray)
    cdef Request _found(self, Page page, Py_ssize_t pos)
    cpdef long long following_ms(self) noexcept
    @cython.locals(old_ms="long long", page=Page, size=Py_ssize_t, data=bytearray, pos=Py_ssize_t)
    cpdef void move(self, long long handle, long long due_ms) except *
    @cython.locals(parser=RequestParser, end=Py_ssize_t, fields=Request)
    cdef Request _fields(self, bytearray buf, Py_ssize_t pos, Py_ssize_t size)
    cpdef int release(self) except -1
    @cython.locals(count=Py_ssize_t, number=Py_ssize_t, pos=Py_ssize_t, page=Page, buf=bytearray, size=Py_ssize_t,
                   handle=u64)
    cpdef int write_first(self, Reply reply, Py_ssize_t most) except -1
    cpdef Py_ssize_t page_count(self) noexcept
    @cython.locals(page=Page)
    cpdef bytes page_bytes(self, Py_ssize_t number)
    @cython.locals(buf=bytearray, pos=Py_ssize_t, end=Py_ssize_t, head=Py_ssize_t, size=Py_ssize_t, handle=u64,
                   used=u64, every_ms="long long")
    cpdef void load_page(self, bytes data) except *
    @cython.locals(twin=Schedule)
    cpdef Schedule copy(self)
    cpdef Py_ssize_t free_units(self) noexcept
    cpdef list parts(self)
    cpdef Py_ssize_t memory_usage(self) except -1
