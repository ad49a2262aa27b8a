cimport cython

from headwater.raw cimport find_byte, parse_u64
from headwater.resp.request cimport Request

ctypedef unsigned long long u64

cpdef int compare(u64 ms1, u64 seq1, u64 ms2, u64 seq2) noexcept
cpdef (bint, u64, u64) next_id(u64 ms, u64 seq) noexcept
cpdef (bint, u64, u64) previous_id(u64 ms, u64 seq) noexcept
@cython.locals(dash=Py_ssize_t, ok=bint, ok2=bint, ms=u64, seq=u64)
cpdef (bint, u64, u64) parse_span(bytearray buf, Py_ssize_t pos, Py_ssize_t n, u64 missing_seq) noexcept
@cython.locals(ok=bint, ms=u64, seq=u64)
cpdef (u64, u64) strict_id(Request request, Py_ssize_t i, u64 missing_seq) except *
@cython.locals(c="unsigned char")
cpdef (u64, u64) range_id(Request request, Py_ssize_t i, u64 missing_seq) except *
cpdef bint is_exclusive(Request request, Py_ssize_t i) noexcept
@cython.locals(ok=bint, ms=u64, seq=u64, start=Py_ssize_t, n=Py_ssize_t)
cpdef (u64, u64) exclusive_id(Request request, Py_ssize_t i, u64 missing_seq) except *
cpdef bytes text(u64 ms, u64 seq)
