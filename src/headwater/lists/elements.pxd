cimport cython

from headwater.raw cimport alloc, copy, cut, decimal_length, equal, get_u32, parse_int, put_u32

cdef Py_ssize_t _INTEGER_MAX_BYTES
cdef int _NUMBER

cpdef Py_ssize_t reply_bytes(Py_ssize_t n) noexcept
cpdef Py_ssize_t back_bytes(Py_ssize_t size) noexcept
cdef int _integer_bytes(long long value) noexcept
@cython.locals(ok=bint, value="long long", size=Py_ssize_t)
cpdef Py_ssize_t element_bytes(bytearray source, Py_ssize_t start, Py_ssize_t n) noexcept
@cython.locals(to="unsigned char *", ok=bint, value="long long", size=Py_ssize_t, width=int, i=int, part=int)
cpdef Py_ssize_t put_element(
    bytearray out, Py_ssize_t pos, bytearray source, Py_ssize_t start, Py_ssize_t n
) noexcept
@cython.locals(to="unsigned char *", size=int, i=int)
cpdef Py_ssize_t put_integer(bytearray out, Py_ssize_t pos, long long value) noexcept
@cython.locals(data="const unsigned char *", b=int, size=Py_ssize_t)
cpdef Py_ssize_t size_at(bytearray buf, Py_ssize_t pos) noexcept
@cython.locals(data="const unsigned char *", at=Py_ssize_t, size=Py_ssize_t, shift=int)
cpdef Py_ssize_t start_before(bytearray buf, Py_ssize_t end) noexcept
cpdef Py_ssize_t skip(bytearray buf, Py_ssize_t pos, Py_ssize_t count) noexcept
cpdef Py_ssize_t skip_back(bytearray buf, Py_ssize_t end, Py_ssize_t count) noexcept
@cython.locals(data="const unsigned char *", b=int)
cdef int _text_start(bytearray buf, Py_ssize_t pos) noexcept
@cython.locals(data="const unsigned char *", b=int)
cdef Py_ssize_t _text_bytes(bytearray buf, Py_ssize_t pos) noexcept
@cython.locals(data="const unsigned char *", b=int, value="long long", size=int, high=int, i=int)
cdef long long _integer(bytearray buf, Py_ssize_t pos) noexcept
@cython.locals(value="long long", magnitude="unsigned long long")
cdef int _printed(bytearray buf, Py_ssize_t pos) noexcept
cdef unsigned long long _next(unsigned long long value) noexcept
cpdef Py_ssize_t text_length(bytearray buf, Py_ssize_t pos) noexcept
@cython.locals(start=int)
cpdef bytes text_at(bytearray buf, Py_ssize_t pos)
cpdef Py_ssize_t text_span(bytearray buf, Py_ssize_t pos) noexcept
@cython.locals(start=int, to="unsigned char *", n=Py_ssize_t)
cpdef Py_ssize_t put_reply(bytearray out, Py_ssize_t at, bytearray buf, Py_ssize_t pos) noexcept
@cython.locals(digits=int, to="unsigned char *", i=int)
cpdef Py_ssize_t put_digits(bytearray out, Py_ssize_t at, Py_ssize_t value) noexcept
@cython.locals(to="unsigned char *", rest="unsigned long long", i=int)
cdef Py_ssize_t _put_number(bytearray out, Py_ssize_t at, long long value, int n) noexcept
cpdef Py_ssize_t put_replies(
    bytearray out, Py_ssize_t at, bytearray buf, Py_ssize_t pos, Py_ssize_t count
) noexcept
cpdef Py_ssize_t put_replies_back(
    bytearray out, Py_ssize_t at, bytearray buf, Py_ssize_t end, Py_ssize_t count
) noexcept
@cython.locals(size=Py_ssize_t)
cpdef Py_ssize_t replies_bytes(bytearray buf, Py_ssize_t pos, Py_ssize_t count) noexcept
@cython.locals(data="const unsigned char *", match="const unsigned char *", first=int, i=Py_ssize_t, b=int)
cpdef (Py_ssize_t, Py_ssize_t) find(
    bytearray buf, Py_ssize_t pos, Py_ssize_t count, bytearray wanted, Py_ssize_t size
) noexcept
@cython.locals(data="const unsigned char *", match="const unsigned char *", first=int, i=Py_ssize_t, b=int)
cpdef (Py_ssize_t, Py_ssize_t) find_back(
    bytearray buf, Py_ssize_t end, Py_ssize_t count, bytearray wanted, Py_ssize_t size
) noexcept
@cython.locals(source=bytearray, n=Py_ssize_t, wanted=bytearray)
cpdef bytearray element_of(bytes text)
