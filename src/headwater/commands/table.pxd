# C types of table.py. The counters are public: the dispatcher adds to them directly.

cimport cython

from headwater.raw cimport equal_bytes, get_u64, put_u64
from headwater.resp.request cimport Request

cdef Py_ssize_t _RECENT, _BUCKETS


@cython.final
cdef class Command:
    cdef readonly object spec
    cdef readonly bytes name            # full, lower case: b"xgroup|create"
    cdef readonly int arity             # words of a request; negative: at least
    cdef readonly unsigned int flags    # headwater.commands.flags
    cdef readonly unsigned int categories
    cdef readonly int first_key         # 0: no key at a fixed position
    cdef readonly int last_key          # negative: counted from the end
    cdef readonly int key_step
    cdef readonly object handler        # None: a container
    cdef readonly dict subcommands      # None, or by lower case name
    cdef public long long calls
    cdef public long long usec
    cdef public long long rejected_calls
    cdef public long long failed_calls
    cdef readonly bytearray durations   # u64 for each power of two in microseconds

    cpdef bint accepts(self, Py_ssize_t argc) noexcept
    cpdef Command subcommand(self, bytes name)
    @cython.locals(bucket=Py_ssize_t, above="long long")
    cpdef void observe(self, long long took_us) noexcept
    cpdef list duration_counts(self)
    cpdef object reset_statistics(self)


@cython.final
cdef class CommandTable:
    cdef list _recent                   # Command or None, by a hash of how its name is spelled
    cdef list _recent_names             # bytes, likewise
    cdef dict _spellings
    cdef readonly dict commands
    cdef readonly dict everything

    cdef _add_subcommand(self, str container, Command found)
    @cython.locals(n=Py_ssize_t, pos=Py_ssize_t, buf=bytearray, slot=Py_ssize_t, known=bytes, name=bytes,
                   found=Command)
    cpdef Command of_request(self, Request request)
    @cython.locals(found=Command)
    cpdef Command resolve(self, Request request)
    @cython.locals(found=Command)
    cpdef Command lookup(self, bytes name)
    cpdef Command find(self, bytes full_name)
    cpdef object reset_statistics(self)
