cimport cython

from headwater.commands.state cimport ServerState
from headwater.resp.decoder cimport ReplyDecoder
from headwater.resp.reply cimport Reply
from headwater.server.connection cimport Connection
from headwater.server.gate cimport Gate
from headwater.server.shared cimport Shared

cdef Py_ssize_t READ_BUFFER_BYTES, _SEND_PIECE_BYTES, _TRANSPORT_HIGH_BYTES, _DRAW_BYTES


@cython.final
cdef class Entrance:
    cdef public object lock             # threading.RLock
    cdef public Gate gate
    cdef public object loop
    cdef public bint inside
    cdef public bint sleeping
    cdef public bint aside
    cdef public object refusal          # () -> the exception, or None
    cdef public object interrupt        # an exception, or None
    cdef public list leaving            # of LocalSession

    cpdef object check(self)
    @cython.locals(inside=bint, gate=Gate)
    cpdef object enter(self)
    @cython.locals(gate=Gate)
    cpdef object leave(self)
    @cython.locals(gate=Gate, in_round=bint)
    cpdef object step_aside(self)
    cpdef object bury(self)


@cython.final
cdef class Pipe:
    cdef LocalSession _session          # None when it is gone
    cdef Entrance _entrance
    cdef readonly bint closing

    cpdef object write(self, bytes data)
    cpdef object detach(self)


cdef class LocalSession(Connection):
    cdef Entrance _entrance
    cdef ReplyDecoder _decoder
    cdef object _bell                   # callable, or None
    cdef Pipe _pipe
    cdef readonly bint lost

    cpdef object begin(self)
    @cython.locals(entrance=Entrance, end=Py_ssize_t, pos=Py_ssize_t, piece=bytes)
    cpdef object feed(self, bytes data)
    @cython.locals(entrance=Entrance)
    cpdef object take(self, bint raw=*)
    cdef object _take(self, bint raw)
    @cython.locals(entrance=Entrance)
    cpdef bytes take_bytes(self)
    @cython.locals(entrance=Entrance, until=double, left=double)
    cpdef object read(self, timeout, bint raw=*)
    cpdef object wait(self, timeout)
    @cython.locals(entrance=Entrance)
    cpdef object listen(self, bell)
    cpdef bint has_more(self) noexcept
    cpdef bint has_unread(self) noexcept
    @cython.locals(entrance=Entrance)
    cpdef object hang_up(self)
    cpdef object _hang_up(self)
    cpdef object receive(self, bytes data)
    cpdef Py_ssize_t unread_bytes(self) noexcept
    cpdef object ring(self)
    cdef bint _is_behind(self) noexcept
    @cython.locals(gate=Gate)
    cdef object _flush(self, Reply reply)
    cdef Py_ssize_t _pump(self) except -1
    @cython.locals(entrance=Entrance, gate=Gate)
    cdef object _draw(self)
    cdef object _drain(self)
    @cython.locals(moved=Py_ssize_t, size=Py_ssize_t, data=bytes)
    cdef object _take_out(self, Py_ssize_t wanted)
