cimport cython

from headwater.commands.channels cimport Subscriptions
from headwater.commands.dispatch cimport execute
from headwater.commands.session cimport Session
from headwater.commands.state cimport ServerState
from headwater.raw cimport alloc, copy, copy_bytes, monotonic_us
from headwater.resp.parser cimport RequestParser
from headwater.resp.reply cimport Reply
from headwater.resp.request cimport Request
from headwater.server.gate cimport Gate
from headwater.server.poller cimport SocketTransport
from headwater.server.shared cimport Shared

cdef int MORE, FAILED, POSTPONED
cdef Py_ssize_t PENDING_MIN_BYTES, READ_BUFFER_BYTES, REPLY_BUFFER_BYTES, SEND_PIECE_BYTES
cdef Py_ssize_t TRANSPORT_HIGH_BYTES


cdef class Connection(Session):
    cdef Shared _shared
    cdef Gate _gate                     # the one of _shared
    cdef Py_ssize_t _held
    cdef Py_ssize_t _held_bytes
    cdef bint _choked
    cdef unsigned long long _run_from
    cdef RequestParser _parser
    cdef bytearray _pending
    cdef Py_ssize_t _pending_bytes      # its size
    cdef Py_ssize_t _filled
    cdef object _outbox                 # deque, or None when nothing waits
    cdef Py_ssize_t _outbox_bytes
    cdef bint _stalled
    cdef bint _waits_turn
    cdef bint _paused_reading
    cdef bint _resume_scheduled
    cdef bint _running
    cdef readonly object transport
    cdef object _write                  # its method
    cdef SocketTransport _socket        # the transport, when it is one
    cdef readonly bint closed
    cdef public long long output_over_since_ms   # soft output limit exceeded since; 0: it is not

    @cython.locals(begin=Py_ssize_t)
    cpdef object data_received(self, bytes data)
    @cython.locals(state=ServerState, shared=Shared, at_us="long long")
    cpdef object input_received(self, Py_ssize_t n)
    cdef bint _may_run(self) noexcept
    cdef object _run(self, bytearray buf, Py_ssize_t end)
    @cython.locals(parser=RequestParser, reply=Reply, postponed=bint, status=int, result=int,
                   stop=Py_ssize_t, listened=Subscriptions)
    cdef object _run_requests(self, bytearray buf, Py_ssize_t end)
    @cython.locals(left=Py_ssize_t, parser=RequestParser, own=bytearray, queued=Py_ssize_t)
    cdef object _keep(self, bytearray buf, Py_ssize_t begin, Py_ssize_t end)
    @cython.locals(parser=RequestParser, begin=Py_ssize_t, left=Py_ssize_t, size=Py_ssize_t,
                   bigger=bytearray)
    cdef object _make_room(self, Py_ssize_t n)
    cdef object _refuse_more(self)
    cdef object _limit_reading(self)
    cdef object _schedule_resume(self)
    cpdef object _resume_now(self)
    @cython.locals(earlier=Reply)
    cpdef object send(self, Reply reply)
    @cython.locals(size=Py_ssize_t)
    cpdef object push(self, bytes data)
    cdef object _write_owed(self, Subscriptions listened, Reply reply)
    @cython.locals(total=Py_ssize_t, subscriptions=Subscriptions)
    cpdef Py_ssize_t output_bytes(self) except? -1
    cdef object _flush(self, Reply reply)
    @cython.locals(gate=Gate)
    cdef bint _must_hold(self) noexcept
    @cython.locals(size=Py_ssize_t)
    cdef bint _may_add(self, Reply reply) except -1
    cdef bint _is_behind(self) noexcept
    @cython.locals(size=Py_ssize_t)
    cdef object _hold(self, Reply reply)
    cdef object _hold_part(self, part, Py_ssize_t size)
    @cython.locals(was_full=bint)
    cpdef object let_out(self, part, Py_ssize_t size)
    cdef object _add_part(self, part, Py_ssize_t size)
    cpdef object unchoke(self)
    cdef object _give(self, bytes data, Py_ssize_t size)
    cdef void _count_written(self, Py_ssize_t n) noexcept
    cpdef Py_ssize_t take_turn(self) except -1
    cdef object _drop(self, part)
    @cython.locals(moved=Py_ssize_t, size=Py_ssize_t)
    cdef Py_ssize_t _pump(self) except -1
    cdef object _join_turns(self)
    cdef object _close_when_sent(self)
