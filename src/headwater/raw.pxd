# The compiled body of raw.py, which says what each function does: what is small enough to be part
# of its caller stands here (C code of another module cannot be), the rest in raw.pyx.

from cpython.bytearray cimport PyByteArray_FromStringAndSize
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_AsUTF8AndSize
from libc.stdint cimport int64_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memchr, memcmp, memcpy, memmove

cdef extern from *:
    """
    /* HEADWATER_CHECKED: the process ends at the first access outside of a buffer. */
    #ifdef HEADWATER_CHECKED
    #include <stdio.h>
    #include <stdlib.h>
    static char *headwater_at(PyObject *buf, Py_ssize_t pos, Py_ssize_t n) {
        Py_ssize_t size = PyByteArray_GET_SIZE(buf);
        if (pos < 0 || n < 0 || pos > size - n) {
            fprintf(stderr, "headwater: %zd bytes at %zd of a buffer of %zd\\n", n, pos, size);
            abort();
        }
        return ((PyByteArrayObject *)buf)->ob_start + pos;
    }
    #define HEADWATER_AT(b, pos, n) headwater_at((PyObject *)(b), pos, n)
    #else
    #define HEADWATER_AT(b, pos, n) (((PyByteArrayObject *)(b))->ob_start + (pos))
    #endif

    static const char HEADWATER_PAIRS[] =
        "0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243"
        "4445464748495051525354555657585960616263646566676869707172737475767778798081828384858687"
        "888990919293949596979899";
    """
    char *at "HEADWATER_AT"(bytearray buf, Py_ssize_t pos, Py_ssize_t n) noexcept
    const char *DECIMAL_PAIRS "HEADWATER_PAIRS"


cpdef inline bytearray alloc(Py_ssize_t n):
    return PyByteArray_FromStringAndSize(NULL, n)


cpdef inline void copy(
    bytearray dst, Py_ssize_t dst_pos, bytearray src, Py_ssize_t src_pos, Py_ssize_t n
) noexcept:
    memcpy(at(dst, dst_pos, n), at(src, src_pos, n), n)


cpdef inline Py_ssize_t copy_bytes(bytearray dst, Py_ssize_t dst_pos, bytes src) noexcept:
    cdef Py_ssize_t n = PyBytes_GET_SIZE(src)
    memcpy(at(dst, dst_pos, n), PyBytes_AS_STRING(src), n)
    return dst_pos + n


cpdef inline Py_ssize_t text_bytes(str text) except -1:
    cdef Py_ssize_t n = 0
    PyUnicode_AsUTF8AndSize(text, &n)
    return n


cpdef inline Py_ssize_t copy_text(bytearray dst, Py_ssize_t dst_pos, str text) except -1:
    cdef Py_ssize_t n = 0
    cdef const char *start = PyUnicode_AsUTF8AndSize(text, &n)
    memcpy(at(dst, dst_pos, n), start, n)
    return dst_pos + n


cpdef inline void move(
    bytearray buf, Py_ssize_t dst_pos, Py_ssize_t src_pos, Py_ssize_t n
) noexcept:
    memmove(at(buf, dst_pos, n), at(buf, src_pos, n), n)


cpdef inline bint equal(
    bytearray a, Py_ssize_t a_pos, bytearray b, Py_ssize_t b_pos, Py_ssize_t n
) noexcept:
    return memcmp(at(a, a_pos, n), at(b, b_pos, n), n) == 0


cpdef inline bint equal_bytes(bytearray a, Py_ssize_t a_pos, bytes b) noexcept:
    cdef Py_ssize_t n = PyBytes_GET_SIZE(b)
    return memcmp(at(a, a_pos, n), PyBytes_AS_STRING(b), n) == 0


cpdef inline bytes cut(bytearray buf, Py_ssize_t pos, Py_ssize_t n):
    return PyBytes_FromStringAndSize(at(buf, pos, n), n)


cpdef inline unsigned short get_u16(bytearray buf, Py_ssize_t pos) noexcept:
    cdef uint16_t value
    memcpy(&value, at(buf, pos, 2), 2)
    return value


cpdef inline unsigned int get_u32(bytearray buf, Py_ssize_t pos) noexcept:
    cdef uint32_t value
    memcpy(&value, at(buf, pos, 4), 4)
    return value


cpdef inline unsigned long long get_u64(bytearray buf, Py_ssize_t pos) noexcept:
    cdef uint64_t value
    memcpy(&value, at(buf, pos, 8), 8)
    return value


cpdef inline long long get_i64(bytearray buf, Py_ssize_t pos) noexcept:
    cdef int64_t value
    memcpy(&value, at(buf, pos, 8), 8)
    return value


cpdef inline void put_u16(bytearray buf, Py_ssize_t pos, unsigned short value) noexcept:
    cdef uint16_t v = value
    memcpy(at(buf, pos, 2), &v, 2)


cpdef inline void put_u32(bytearray buf, Py_ssize_t pos, unsigned int value) noexcept:
    cdef uint32_t v = value
    memcpy(at(buf, pos, 4), &v, 4)


cpdef inline void put_u64(bytearray buf, Py_ssize_t pos, unsigned long long value) noexcept:
    cdef uint64_t v = value
    memcpy(at(buf, pos, 8), &v, 8)


cpdef inline void put_i64(bytearray buf, Py_ssize_t pos, long long value) noexcept:
    cdef int64_t v = value
    memcpy(at(buf, pos, 8), &v, 8)


cpdef inline Py_ssize_t find_byte(
    bytearray buf, unsigned char byte, Py_ssize_t start, Py_ssize_t end
) noexcept:
    cdef char *begin
    cdef char *hit
    if end <= start:
        return -1
    begin = at(buf, start, end - start)
    hit = <char *>memchr(begin, byte, end - start)
    return start + (hit - begin) if hit != NULL else -1


cpdef inline int decimal_length(unsigned long long value) noexcept:
    cdef int n = 1
    while value >= 10000:
        value //= 10000
        n += 4
    if value >= 1000:
        return n + 3
    if value >= 100:
        return n + 2
    if value >= 10:
        return n + 1
    return n


cpdef inline Py_ssize_t put_decimal(
    bytearray buf, Py_ssize_t pos, unsigned long long value
) noexcept:
    cdef char *out
    cdef Py_ssize_t end
    if value < 10:
        at(buf, pos, 1)[0] = <char>(48 + value)
        return pos + 1
    end = pos + decimal_length(value)
    out = at(buf, pos, end - pos) + (end - pos)
    while value >= 100:
        out -= 2
        memcpy(out, DECIMAL_PAIRS + 2 * (value % 100), 2)
        value //= 100
    if value >= 10:
        memcpy(out - 2, DECIMAL_PAIRS + 2 * value, 2)
    else:
        (out - 1)[0] = <char>(48 + value)
    return end


cpdef (bint, long long) parse_int(bytearray buf, Py_ssize_t pos, Py_ssize_t n) noexcept
cpdef (bint, unsigned long long) parse_u64(bytearray buf, Py_ssize_t pos, Py_ssize_t n) noexcept
cpdef unsigned int crc32(bytearray buf, Py_ssize_t pos, Py_ssize_t n, unsigned int start) noexcept
cpdef long long monotonic_us() noexcept
cpdef long long unix_us() noexcept
cpdef Py_ssize_t poll_events(
    epoll, int descriptor, bytearray events, Py_ssize_t max_events
) except -1
cpdef Py_ssize_t receive(int descriptor, bytearray buf, Py_ssize_t size) noexcept
cpdef Py_ssize_t transmit(int descriptor, bytearray buf, Py_ssize_t n) noexcept
cpdef Py_ssize_t transmit_bytes(int descriptor, bytes data, Py_ssize_t pos, Py_ssize_t n) noexcept
