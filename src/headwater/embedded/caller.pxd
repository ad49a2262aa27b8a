cimport cython

from headwater.commands.blocking cimport end_wait
from headwater.commands.channels cimport Channels
from headwater.commands.dispatch cimport execute
from headwater.commands.session cimport Session
from headwater.commands.state cimport ServerState
from headwater.embedded.session cimport Entrance
from headwater.raw cimport (
    alloc,
    copy,
    copy_bytes,
    copy_text,
    decimal_length,
    monotonic_us,
    put_decimal,
    text_bytes,
)
from headwater.resp.decoder cimport ReplyDecoder
from headwater.resp.entries cimport EntryReader
from headwater.resp.reply cimport Reply
from headwater.resp.request cimport Request
from headwater.server.gate cimport Gate

cdef int _DONE, _PENDING, _VALUE, _STREAMS, _ENTRIES, _CLAIMED
cdef int POSTPONED
cdef int _ERROR, _BULK, _INTEGER
cdef Py_ssize_t _IDLE_AT_REST, _BUFFER_BYTES, _BUFFER_KEPT_BYTES


cdef class Call(Session):
    cdef Gate _gate
    cdef Request _request
    cdef bytearray _buf             # the request's bytes
    cdef Py_ssize_t _capacity
    cdef Py_ssize_t _pos            # behind the words so far
    cdef Reply _reply
    cdef ReplyDecoder _decoder
    cdef EntryReader _reader
    cdef bytes _answer              # or None
    cdef list _parts                # of the answer
    cdef bint _later
    cdef bint _again
    cdef bint _waiting
    cdef Py_ssize_t _held
    cdef unsigned long long _run_from
    cdef object _wake               # a lock, or None
    cdef object _loop
    cdef object _on_done
    cdef readonly bint closed
    cdef public object future

    @cython.locals(pos=Py_ssize_t)
    cpdef int begin(self, Py_ssize_t words) except -1
    @cython.locals(n=Py_ssize_t, pos=Py_ssize_t)
    cpdef int add(self, word) except -1
    @cython.locals(n=Py_ssize_t, pos=Py_ssize_t)
    cdef int _add_bytes(self, bytes word) except -1
    @cython.locals(capacity=Py_ssize_t, bigger=bytearray, pos=Py_ssize_t)
    cdef Py_ssize_t _announce(self, Py_ssize_t n) except -1
    @cython.locals(n=Py_ssize_t, pos=Py_ssize_t)
    cdef int _add_number(self, unsigned long long value) except -1
    cdef int _end_word(self, Py_ssize_t pos, Py_ssize_t n) except -1
    @cython.locals(state=ServerState, at_us="long long", gate=Gate, request=Request, result=int,
                   channels=Channels)
    cpdef int run(self) except -1
    cdef bint _holds(self) noexcept
    cdef int _put_off(self, int result) except -1
    cdef int _gather(self) except -1
    cpdef object wait(self)
    cpdef object prepare_wait(self)
    cpdef object when_done(self, loop, on_done)
    cpdef bint must_run_again(self) noexcept
    cpdef object give_up(self)
    cpdef object send(self, Reply reply)
    @cython.locals(gate=Gate, waits=bint)
    cdef object _hand_over(self, Reply reply)
    cpdef object let_out(self, part, Py_ssize_t size)
    cdef object _keep(self, part)
    cdef object _arrive(self)
    cdef object _notify(self)
    cpdef object push(self, bytes data)
    cpdef object resume(self)
    cpdef object close(self)
    @cython.locals(reply=Reply)
    cpdef object take(self, int shape)
    @cython.locals(data=bytes, buf=bytearray)
    cdef object _take_later(self, int shape)
    @cython.locals(reader=EntryReader, kind=int)
    cdef object _value(self, bytearray buf, Py_ssize_t n, int shape)
    cdef int _shrink(self) except -1


cdef class Starter:
    cdef readonly object _store
    cdef Entrance _entrance
    cdef list _idle                 # of Call or None
    cdef object _lease

    @cython.locals(call=Call)
    cpdef Call _open(self)
    @cython.locals(entrance=Entrance, refused=Entrance, state=ServerState)
    cpdef object _shut(self, refusal)
    @cython.locals(call=Call, entrance=Entrance)
    cpdef Call _new(self)
    @cython.locals(call=Call)
    cpdef Call _written(self, words)
    @cython.locals(call=Call)
    cpdef Call _entry(self, name, fields, entry_id)
    @cython.locals(call=Call)
    cpdef Call _ids(self, bytes command, name, groupname, tuple ids)
    @cython.locals(call=Call, words=Py_ssize_t)
    cpdef Call _group_read(self, groupname, consumername, streams, count, block)
    cpdef object _later(self, Call call)
    @cython.locals(status=int, entrance=Entrance)
    cpdef int _start(self, Call call) except -1
    @cython.locals(entrance=Entrance)
    cpdef object _abandon(self, Call call)
    cpdef object _finish(self, Call call, int shape)
    cpdef object _now(self, Call call, int shape)


cdef class Caller(Starter):
    cpdef object _later(self, Call call)
    cpdef object _run(self, Call call, int shape)
    cpdef object _call(self, words, int shape, parse)


cpdef bytes plain(word)
