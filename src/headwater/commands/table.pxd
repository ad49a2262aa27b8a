# C types of table.py. The counters are public: the dispatcher adds to them directly.

cimport cython

from headwater.raw cimport get_u64, put_u64


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
    cpdef void observe(self, long long took_us) except *
    cpdef list duration_counts(self)
    cpdef object reset_statistics(self)


cdef class CommandTable:
    cdef dict _spellings
    cdef readonly dict commands
    cdef readonly dict everything

    cdef _add_subcommand(self, str container, Command found)
    cpdef Command lookup(self, bytes name)
    cpdef Command find(self, bytes full_name)
    cpdef object reset_statistics(self)
