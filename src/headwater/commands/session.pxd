from headwater.commands.queue cimport Transaction
from headwater.commands.state cimport ServerState
from headwater.keyspace.database cimport Database
from headwater.keyspace.waiters cimport Blocked
from headwater.resp.reply cimport Reply


cdef class Session:
    cdef public ServerState state
    cdef public unsigned long long id
    cdef public Database database
    cdef public bint resp3
    cdef public bint authenticated
    cdef public bytes user
    cdef public object permissions          # None: may do everything
    cdef public object subscriptions        # None while there are none
    cdef public object lease                # None while nothing was ever held
    cdef public bytes name
    cdef public bytes library_name, library_version
    cdef public str address, local_address
    cdef public bint is_unix
    cdef public bint is_local               # on this machine
    cdef public long long connected_ms
    cdef public long long last_ms           # when it last sent something
    cdef public bytes last_command          # full name of it
    cdef public long long commands_processed
    cdef public long long read_bytes, written_bytes
    cdef public Transaction transaction     # None outside of MULTI
    cdef public object watching             # None when nothing is watched
    cdef public Blocked blocked             # None when not waiting
    cdef public bint deny_blocking          # inside EXEC or a script
    cdef public int reply_mode              # CLIENT REPLY
    cdef public bint is_monitor
    cdef public bint no_evict, no_touch
    cdef public bint postponed              # held back by CLIENT PAUSE, and in state.postponed
    cdef public bint close_after_reply

    cpdef object input_received(self, Py_ssize_t n)
    cpdef object send(self, Reply reply)
    cpdef object push(self, bytes data)
    cpdef object resume(self)
    cpdef object close(self)
    cpdef object let_out(self, part, Py_ssize_t size)
    cpdef Py_ssize_t input_bytes(self) except? -1
    cpdef Py_ssize_t output_bytes(self) except? -1
    cpdef int descriptor(self) except? -2


cpdef object keep_silent(Session session, Reply reply, Py_ssize_t parts, Py_ssize_t pos)
