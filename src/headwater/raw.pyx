"""Byte primitives, compiled. raw.py has the same functions and says what each does.

The smallest ones stand in raw.pxd.
"""

import os

from libc.errno cimport EINTR, errno

cdef extern from *:
    """
    #include <errno.h>
    #ifdef _WIN32
    #ifndef WIN32_LEAN_AND_MEAN
    #define WIN32_LEAN_AND_MEAN
    #endif
    #include <windows.h>

    static long long headwater_monotonic_us(void) {
        LARGE_INTEGER now, per_second;
        QueryPerformanceCounter(&now);
        QueryPerformanceFrequency(&per_second);
        return now.QuadPart / per_second.QuadPart * 1000000
            + now.QuadPart % per_second.QuadPart * 1000000 / per_second.QuadPart;
    }

    static long long headwater_unix_us(void) {
        FILETIME now;
        ULARGE_INTEGER since_1601;
        GetSystemTimePreciseAsFileTime(&now);
        since_1601.LowPart = now.dwLowDateTime;
        since_1601.HighPart = now.dwHighDateTime;
        return (long long)(since_1601.QuadPart / 10) - 11644473600000000LL;
    }

    /* Sockets are asyncio's business there. */
    static Py_ssize_t headwater_recv(int descriptor, void *buf, size_t size) {
        errno = ENOSYS;
        return -1;
    }

    static Py_ssize_t headwater_send(int descriptor, const void *buf, size_t size) {
        errno = ENOSYS;
        return -1;
    }
    #else
    #include <sys/socket.h>
    #include <time.h>
    #ifndef MSG_NOSIGNAL
    #define MSG_NOSIGNAL 0
    #endif

    static long long headwater_clock_us(clockid_t which) {
        struct timespec now;
        clock_gettime(which, &now);
        return (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000;
    }

    static long long headwater_monotonic_us(void) {
        return headwater_clock_us(CLOCK_MONOTONIC);
    }

    static long long headwater_unix_us(void) {
        return headwater_clock_us(CLOCK_REALTIME);
    }

    static Py_ssize_t headwater_recv(int descriptor, void *buf, size_t size) {
        return recv(descriptor, buf, size, 0);
    }

    static Py_ssize_t headwater_send(int descriptor, const void *buf, size_t size) {
        return send(descriptor, buf, size, MSG_NOSIGNAL);
    }
    #endif
    """
    long long headwater_monotonic_us() noexcept
    long long headwater_unix_us() noexcept
    Py_ssize_t headwater_recv(int descriptor, void *buf, size_t size) noexcept
    Py_ssize_t headwater_send(int descriptor, const void *buf, size_t size) noexcept

cdef extern from *:
    """
    #ifdef __linux__
    #include <sys/epoll.h>
    #define HEADWATER_EVENTS 1024

    static Py_ssize_t headwater_poll(int descriptor, char *out, Py_ssize_t max) {
        struct epoll_event found[HEADWATER_EVENTS];
        int i, n = epoll_wait(descriptor, found, max < HEADWATER_EVENTS ? max : HEADWATER_EVENTS, 0);
        for (i = 0; i < n; i++) {
            memcpy(out + 8 * i, &found[i].data.fd, 4);
            memcpy(out + 8 * i + 4, &found[i].events, 4);
        }
        return n;
    }
    #else
    static Py_ssize_t headwater_poll(int descriptor, char *out, Py_ssize_t max) {
        errno = ENOSYS;
        return -1;
    }
    #endif
    """
    Py_ssize_t headwater_poll(int descriptor, char *out, Py_ssize_t max) noexcept


cpdef (bint, long long) parse_int(bytearray buf, Py_ssize_t pos, Py_ssize_t n) noexcept:
    cdef const unsigned char *p = <const unsigned char *>at(buf, pos, n)
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
    cdef const unsigned char *p = <const unsigned char *>at(buf, pos, n)
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
    cdef const unsigned char *p = <const unsigned char *>at(buf, pos, n)
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
    return headwater_monotonic_us()


cpdef long long unix_us() noexcept:
    return headwater_unix_us()


# The sockets do not block, so the interpreter lock is kept: giving it away costs more.

cpdef Py_ssize_t poll_events(
    epoll, int descriptor, bytearray events, Py_ssize_t max_events
) except -1:
    cdef Py_ssize_t n = headwater_poll(descriptor, at(events, 0, 8 * max_events), max_events)
    if n < 0:
        if errno != EINTR:
            raise OSError(errno, os.strerror(errno))
        return 0
    return n


cpdef Py_ssize_t receive(int descriptor, bytearray buf, Py_ssize_t size) noexcept:
    cdef Py_ssize_t n = headwater_recv(descriptor, at(buf, 0, size), size)
    return n if n >= 0 else -errno


cpdef Py_ssize_t transmit(int descriptor, bytearray buf, Py_ssize_t n) noexcept:
    cdef Py_ssize_t sent = headwater_send(descriptor, at(buf, 0, n), n)
    return sent if sent >= 0 else -errno


cpdef Py_ssize_t transmit_bytes(int descriptor, bytes data, Py_ssize_t pos, Py_ssize_t n) noexcept:
    cdef Py_ssize_t left = PyBytes_GET_SIZE(data) - pos
    cdef Py_ssize_t sent = headwater_send(
        descriptor, PyBytes_AS_STRING(data) + pos, n if n < left else left
    )
    return sent if sent >= 0 else -errno
