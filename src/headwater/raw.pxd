# The compiled body of raw.py, which says what each function does: what is small enough to be part
# of its caller stands here (C code of another module cannot be), the rest in raw.pyx.

from cpython.bytearray cimport PyByteArray_FromStringAndSize
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memchr, memcmp, memcpy, memmove

cdef extern from *:
    """
    #define HEADWATER_BYTES(b) (((PyByteArrayObject *)(b))->ob_start)

    static const char HEADWATER_PAIRS[] =
        "0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243"
        "4445464748495051525354555657585960616263646566676869707172737475767778798081828384858687"
        "888990919293949596979899";
    """
    char *start_of "HEADWATER_BYTES"(bytearray buf) noexcept
    const char *DECIMAL_PAIRS "HEADWATER_PAIRS"


cpdef inline bytearray alloc(Py_ssize_t n):
    return PyByteArray_FromStringAndSize(NULL, n)


cpdef inline void copy(
    bytearray dst, Py_ssize_t dst_pos, bytearray src, Py_ssize_t src_pos, Py_ssize_t n
) noexcept:
    memcpy(start_of(dst) + dst_pos, start_of(src) + src_pos, n)


cpdef inline Py_ssize_t copy_bytes(bytearray dst, Py_ssize_t dst_pos, bytes src) noexcept:
    memcpy(start_of(dst) + dst_pos, PyBytes_AS_STRING(src), PyBytes_GET_SIZE(src))
    return dst_pos + PyBytes_GET_SIZE(src)


cpdef inline void move(
    bytearray buf, Py_ssize_t dst_pos, Py_ssize_t src_pos, Py_ssize_t n
) noexcept:
    memmove(start_of(buf) + dst_pos, start_of(buf) + src_pos, n)


cpdef inline bint equal(
    bytearray a, Py_ssize_t a_pos, bytearray b, Py_ssize_t b_pos, Py_ssize_t n
) noexcept:
    return memcmp(start_of(a) + a_pos, start_of(b) + b_pos, n) == 0


cpdef inline bint equal_bytes(bytearray a, Py_ssize_t a_pos, bytes b) noexcept:
    return memcmp(start_of(a) + a_pos, PyBytes_AS_STRING(b), PyBytes_GET_SIZE(b)) == 0


cpdef inline bytes cut(bytearray buf, Py_ssize_t pos, Py_ssize_t n):
    return PyBytes_FromStringAndSize(start_of(buf) + pos, n)


cpdef inline unsigned short get_u16(bytearray buf, Py_ssize_t pos) noexcept:
    cdef uint16_t value
    memcpy(&value, start_of(buf) + pos, 2)
    return value


cpdef inline unsigned int get_u32(bytearray buf, Py_ssize_t pos) noexcept:
    cdef uint32_t value
    memcpy(&value, start_of(buf) + pos, 4)
    return value


cpdef inline unsigned long long get_u64(bytearray buf, Py_ssize_t pos) noexcept:
    cdef uint64_t value
    memcpy(&value, start_of(buf) + pos, 8)
    return value


cpdef inline long long get_i64(bytearray buf, Py_ssize_t pos) noexcept:
    cdef int64_t value
    memcpy(&value, start_of(buf) + pos, 8)
    return value


cpdef inline void put_u16(bytearray buf, Py_ssize_t pos, unsigned short value) noexcept:
    cdef uint16_t v = value
    memcpy(start_of(buf) + pos, &v, 2)


cpdef inline void put_u32(bytearray buf, Py_ssize_t pos, unsigned int value) noexcept:
    cdef uint32_t v = value
    memcpy(start_of(buf) + pos, &v, 4)


cpdef inline void put_u64(bytearray buf, Py_ssize_t pos, unsigned long long value) noexcept:
    cdef uint64_t v = value
    memcpy(start_of(buf) + pos, &v, 8)


cpdef inline void put_i64(bytearray buf, Py_ssize_t pos, long long value) noexcept:
    cdef int64_t v = value
    memcpy(start_of(buf) + pos, &v, 8)


cpdef inline Py_ssize_t find_byte(
    bytearray buf, unsigned char byte, Py_ssize_t start, Py_ssize_t end
) noexcept:
    cdef char *hit
    if end <= start:
        return -1
    hit = <char *>memchr(start_of(buf) + start, byte, end - start)
    return hit - start_of(buf) if hit != NULL else -1


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
        start_of(buf)[pos] = <char>(48 + value)
        return pos + 1
    end = pos + decimal_length(value)
    out = start_of(buf) + end
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
