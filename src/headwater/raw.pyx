"""Byte primitives, compiled. raw.py has the same functions and says what each does."""

from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_FromStringAndSize
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.errno cimport errno
from libc.stdint cimport int64_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memchr, memcmp, memcpy, memmove
from posix.time cimport CLOCK_MONOTONIC, CLOCK_REALTIME, clock_gettime, timespec

cdef extern from "<sys/socket.h>" nogil:
    Py_ssize_t recv(int descriptor, void *buf, size_t size, int flags)
    Py_ssize_t send(int descriptor, const void *buf, size_t size, int flags)
    int MSG_NOSIGNAL


cpdef bytearray alloc(Py_ssize_t n):
    return PyByteArray_FromStringAndSize(NULL, n)


cpdef void copy(bytearray dst, Py_ssize_t dst_pos, bytearray src, Py_ssize_t src_pos, Py_ssize_t n) noexcept:
    memcpy(PyByteArray_AS_STRING(dst) + dst_pos, PyByteArray_AS_STRING(src) + src_pos, n)


cpdef Py_ssize_t copy_bytes(bytearray dst, Py_ssize_t dst_pos, bytes src) noexcept:
    memcpy(PyByteArray_AS_STRING(dst) + dst_pos, PyBytes_AS_STRING(src), PyBytes_GET_SIZE(src))
    return dst_pos + PyBytes_GET_SIZE(src)


cpdef void move(bytearray buf, Py_ssize_t dst_pos, Py_ssize_t src_pos, Py_ssize_t n) noexcept:
    cdef char *base = PyByteArray_AS_STRING(buf)
    memmove(base + dst_pos, base + src_pos, n)


cpdef bint equal(bytearray a, Py_ssize_t a_pos, bytearray b, Py_ssize_t b_pos, Py_ssize_t n) noexcept:
    return memcmp(PyByteArray_AS_STRING(a) + a_pos, PyByteArray_AS_STRING(b) + b_pos, n) == 0


cpdef bytes cut(bytearray buf, Py_ssize_t pos, Py_ssize_t n):
    return PyBytes_FromStringAndSize(PyByteArray_AS_STRING(buf) + pos, n)


cpdef unsigned short get_u16(bytearray buf, Py_ssize_t pos) noexcept:
    cdef uint16_t value
    memcpy(&value, PyByteArray_AS_STRING(buf) + pos, 2)
    return value


cpdef unsigned int get_u32(bytearray buf, Py_ssize_t pos) noexcept:
    cdef uint32_t value
    memcpy(&value, PyByteArray_AS_STRING(buf) + pos, 4)
    return value


cpdef unsigned long long get_u64(bytearray buf, Py_ssize_t pos) noexcept:
    cdef uint64_t value
    memcpy(&value, PyByteArray_AS_STRING(buf) + pos, 8)
    return value


cpdef long long get_i64(bytearray buf, Py_ssize_t pos) noexcept:
    cdef int64_t value
    memcpy(&value, PyByteArray_AS_STRING(buf) + pos, 8)
    return value


cpdef void put_u16(bytearray buf, Py_ssize_t pos, unsigned short value) noexcept:
    cdef uint16_t v = value
    memcpy(PyByteArray_AS_STRING(buf) + pos, &v, 2)


cpdef void put_u32(bytearray buf, Py_ssize_t pos, unsigned int value) noexcept:
    cdef uint32_t v = value
    memcpy(PyByteArray_AS_STRING(buf) + pos, &v, 4)


cpdef void put_u64(bytearray buf, Py_ssize_t pos, unsigned long long value) noexcept:
    cdef uint64_t v = value
    memcpy(PyByteArray_AS_STRING(buf) + pos, &v, 8)


cpdef void put_i64(bytearray buf, Py_ssize_t pos, long long value) noexcept:
    cdef int64_t v = value
    memcpy(PyByteArray_AS_STRING(buf) + pos, &v, 8)


cpdef Py_ssize_t find_byte(bytearray buf, unsigned char byte, Py_ssize_t start, Py_ssize_t end) noexcept:
    cdef char *base = PyByteArray_AS_STRING(buf)
    if end <= start:
        return -1
    cdef char *hit = <char *>memchr(base + start, byte, end - start)
    return hit - base if hit != NULL else -1


cpdef int decimal_length(unsigned long long value) noexcept:
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


cpdef Py_ssize_t put_decimal(bytearray buf, Py_ssize_t pos, unsigned long long value) noexcept:
    cdef char *out = PyByteArray_AS_STRING(buf) + pos
    cdef int n = decimal_length(value)
    cdef int i = n
    while i > 0:
        i -= 1
        out[i] = 48 + <char>(value % 10)
        value //= 10
    return pos + n


cpdef (bint, long long) parse_int(bytearray buf, Py_ssize_t pos, Py_ssize_t n) noexcept:
    cdef const unsigned char *p = <const unsigned char *>PyByteArray_AS_STRING(buf) + pos
    cdef bint negative = False
    cdef uint64_t value = 0
    cdef Py_ssize_t i = 0
    cdef unsigned char c
    if n <= 0 or n > 20:
        return (False, 0)
    if p[0] == 45:
        negative = True
        i = 1
        if n == 1 or p[1] == 48:
            return (False, 0)
    if n - i > 19:
        return (False, 0)
    if p[i] == 48 and n > 1:
        return (False, 0)
    while i < n:
        c = p[i]
        if c < 48 or c > 57:
            return (False, 0)
        value = value * 10 + (c - 48)
        i += 1
    if negative:
        if value > <uint64_t>1 << 63:
            return (False, 0)
        return (True, <int64_t>(0 - value))
    if value >= <uint64_t>1 << 63:
        return (False, 0)
    return (True, <int64_t>value)


cpdef (bint, unsigned long long) parse_u64(bytearray buf, Py_ssize_t pos, Py_ssize_t n) noexcept:
    cdef const unsigned char *p = <const unsigned char *>PyByteArray_AS_STRING(buf) + pos
    cdef uint64_t value = 0
    cdef Py_ssize_t i
    cdef unsigned char c
    if n <= 0 or n > 20:
        return (False, 0)
    for i in range(n):
        c = p[i]
        if c < 48 or c > 57:
            return (False, 0)
        c -= 48
        if i == 19 and (value > 1844674407370955161 or (value == 1844674407370955161 and c > 5)):
            return (False, 0)
        value = value * 10 + c
    return (True, value)


# Eight tables let eight bytes be folded in at a time.

cdef uint32_t _CRC[8][256]


cdef void _fill_tables() noexcept:
    cdef uint32_t value
    cdef int i, k
    for i in range(256):
        value = i
        for k in range(8):
            value = (value >> 1) ^ (0xEDB88320u if value & 1 else 0u)
        _CRC[0][i] = value
    for i in range(256):
        for k in range(1, 8):
            _CRC[k][i] = (_CRC[k - 1][i] >> 8) ^ _CRC[0][_CRC[k - 1][i] & 0xFF]


_fill_tables()


cpdef unsigned int crc32(bytearray buf, Py_ssize_t pos, Py_ssize_t n, unsigned int start) noexcept:
    cdef const unsigned char *p = <const unsigned char *>PyByteArray_AS_STRING(buf) + pos
    cdef uint32_t value = ~start
    cdef uint32_t low, high
    while n >= 8:
        memcpy(&low, p, 4)
        memcpy(&high, p + 4, 4)
        low ^= value
        value = (
            _CRC[7][low & 0xFF] ^ _CRC[6][(low >> 8) & 0xFF]
            ^ _CRC[5][(low >> 16) & 0xFF] ^ _CRC[4][low >> 24]
            ^ _CRC[3][high & 0xFF] ^ _CRC[2][(high >> 8) & 0xFF]
            ^ _CRC[1][(high >> 16) & 0xFF] ^ _CRC[0][high >> 24]
        )
        p += 8
        n -= 8
    while n > 0:
        value = (value >> 8) ^ _CRC[0][(value ^ p[0]) & 0xFF]
        p += 1
        n -= 1
    return ~value


cpdef long long monotonic_us() noexcept:
    cdef timespec now
    clock_gettime(CLOCK_MONOTONIC, &now)
    return <long long>now.tv_sec * 1000000 + now.tv_nsec // 1000


cpdef long long unix_us() noexcept:
    cdef timespec now
    clock_gettime(CLOCK_REALTIME, &now)
    return <long long>now.tv_sec * 1000000 + now.tv_nsec // 1000


# The sockets do not block, so the interpreter lock is kept: giving it away costs more.

cpdef Py_ssize_t receive(int descriptor, bytearray buf, Py_ssize_t size) noexcept:
    cdef Py_ssize_t n = recv(descriptor, PyByteArray_AS_STRING(buf), size, 0)
    return n if n >= 0 else -errno


cpdef Py_ssize_t transmit(int descriptor, bytearray buf, Py_ssize_t n) noexcept:
    cdef Py_ssize_t sent = send(descriptor, PyByteArray_AS_STRING(buf), n, MSG_NOSIGNAL)
    return sent if sent >= 0 else -errno


cpdef Py_ssize_t transmit_bytes(int descriptor, bytes data, Py_ssize_t pos) noexcept:
    cdef Py_ssize_t sent = send(
        descriptor, PyBytes_AS_STRING(data) + pos, PyBytes_GET_SIZE(data) - pos, MSG_NOSIGNAL
    )
    return sent if sent >= 0 else -errno
