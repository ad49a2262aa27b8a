cimport cython

from headwater.raw cimport get_u64, put_u64

cdef unsigned long long _MASK, _PRIME32_1
cdef Py_ssize_t _STRIPE_BYTES, _STRIPE_STEP, _STRIPES_PER_BLOCK, _BLOCK_BYTES, _LAST_KEYS, _LONG_BYTES
cdef bytearray _KEYS

@cython.locals(i=Py_ssize_t, word="unsigned long long", keyed="unsigned long long", other=Py_ssize_t,
               product="unsigned long long")
cdef void _accumulate(bytearray lanes, bytearray data, Py_ssize_t pos, Py_ssize_t secret) noexcept
@cython.locals(i=Py_ssize_t, lane="unsigned long long")
cdef void _scramble(bytearray lanes) noexcept
@cython.locals(blocks=Py_ssize_t, block=Py_ssize_t, stripe=Py_ssize_t, pos=Py_ssize_t, start=Py_ssize_t)
cdef void _stripes(bytearray lanes, bytearray data, Py_ssize_t n) noexcept
