cimport cython

from headwater.commands.session cimport Session
from headwater.raw cimport (
    alloc,
    cut,
    get_u32,
    poll_events,
    receive,
    transmit,
    transmit_bytes,
)
from headwater.server.gate cimport Gate

cdef int _IN, _OUT, _ERR, _HUP
cdef Py_ssize_t READ_BUFFER_BYTES, SEND_PIECE_BYTES, TRANSPORT_HIGH_BYTES, TRANSPORT_LOW_BYTES
cdef Py_ssize_t _MAX_EVENTS, _SHARING, _SMALL_BYTES


@cython.final
cdef class Poller:
    cdef readonly object loop
    cdef readonly bytearray read_buffer
    cdef readonly unsigned long long rounds
    cdef Gate _gate
    cdef object _make
    cdef object _epoll
    cdef int _descriptor                # of the epoll
    cdef bytearray _events              # what it told, as raw.poll_events writes it
    cdef list _transports               # by descriptor, None where there is none
    cdef dict _listeners                # descriptor -> socket

    @cython.locals(transport=SocketTransport)
    cpdef object _accept(self, listener, wrap)
    cpdef object _accept_again(self, listener, wrap)
    cpdef object make(self)
    cpdef object turn_soon(self)
    @cython.locals(transports=list, transport=SocketTransport, gate=Gate, events=bytearray, i=Py_ssize_t,
                   n=Py_ssize_t, handled=Py_ssize_t)
    cpdef object _on_ready(self)
    @cython.locals(transports=list, transport=SocketTransport, events=bytearray, i=Py_ssize_t, n=Py_ssize_t)
    cpdef object serve_meanwhile(self, running)
    cpdef object watch(self, SocketTransport transport, int events)
    cpdef object forget(self, SocketTransport transport)


cdef class SocketTransport:
    cdef Poller _poller
    cdef object _sock
    cdef readonly int descriptor
    cdef public Session protocol
    cdef object _queue                  # deque of bytes, or None when all is sent
    cdef Py_ssize_t _sent               # of the first of them
    cdef Py_ssize_t _queued_bytes
    cdef bint _reading
    cdef bint _stalled                  # the protocol was told to pause writing
    cdef bint _closing                  # nothing more is written
    cdef bint _closed                   # the socket is closed

    cpdef object begin(self)
    cpdef object on_event(self, int event)
    @cython.locals(n=Py_ssize_t, client=Session)
    cdef object _receive(self)
    @cython.locals(sent=Py_ssize_t)
    cpdef object write(self, bytes data)
    @cython.locals(sent=Py_ssize_t)
    cpdef object write_span(self, bytearray buf, Py_ssize_t n)
    cdef object _failed(self, int number)
    cdef object _keep(self, bytes data, Py_ssize_t sent)
    cdef object _open_queue(self)
    cdef object _has_queued(self, Py_ssize_t n)
    @cython.locals(size=Py_ssize_t, part=bytes, parts=list)
    cdef bytes _join(self, queue)
    @cython.locals(sent=Py_ssize_t, left=Py_ssize_t, data=bytes)
    cdef object _send_queue(self)
    cdef object _sent_some(self, bint everything)
    cdef object _watch(self)
    cpdef object pause_reading(self)
    cpdef object resume_reading(self)
    cpdef Py_ssize_t get_write_buffer_size(self) noexcept
    cpdef object close(self)
    cpdef object abort(self)
    cdef object _lose(self, error)
