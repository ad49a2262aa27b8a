cimport cython

from headwater.journal.managed cimport ManagedRecorder
from headwater.raw cimport copy, copy_bytes, put_i64, put_u32, put_u64
from headwater.resp.request cimport Request
from headwater.streams.block cimport Block
from headwater.streams.group cimport Consumer, Group
from headwater.streams.idmp cimport Idmp
from headwater.streams.ids cimport u64
from headwater.streams.records cimport Records
from headwater.streams.stream cimport Stream

cdef int ACKNOWLEDGE, ACKNOWLEDGE_AND_DELETE, ADD, APPEND, ASSIGN, COPY_KEY, CREATE_CONSUMER, CREATE_GROUP
cdef int DELETE, DELETE_CONSUMER, DELETE_KEY, DELIVER, DELIVER_AGAIN, DESTROY_GROUP, EXPIRE, FLUSH
cdef int FLUSH_ALL, MOVE_KEY, NACK, REMEMBER, RESTORE, SET, SET_ID, SET_POSITION
cdef int SET_WINDOW, SWAP, TRIM, WRITE
cdef int DELETE_LIBRARY, FLUSH_LIBRARIES, LOAD_LIBRARY
cdef int AFTER, AT_FRONT, CUT, INSERT_ITEM, LIST_LIMIT, MOVE_ITEM, POP, PUSH, REMOVE_ITEMS, SET_ITEM, TO_FRONT
cdef int COUNTS_AS_ADDED, DROPS_REFERENCES, LIMITS_GROUPS, MAKES_STREAM, NO_ACK, TRIMMED


@cython.final
cdef class Recorder(ManagedRecorder):
    @cython.locals(block=Block, entry=bytearray, start=Py_ssize_t, n=Py_ssize_t, pos=Py_ssize_t, buf=bytearray)
    cpdef void add_entry(
        self,
        Py_ssize_t db,
        bytes key,
        Stream stream,
        long long node_max_entries,
        long long node_max_bytes,
    ) except *
    @cython.locals(pos=Py_ssize_t)
    cpdef void trim(self, Py_ssize_t db, bytes key, u64 entries, bint drops_references) except *
    @cython.locals(flags=int, kind=int, pos=Py_ssize_t)
    cpdef void delete(
        self, Py_ssize_t db, bytes key, Stream stream, u64 ms, u64 seq, bint trimmed, bint drops_references
    ) except *
    @cython.locals(pos=Py_ssize_t)
    cpdef void set_id(self, Py_ssize_t db, bytes key, Stream stream, bint limits_groups) except *

    @cython.locals(pos=Py_ssize_t, buf=bytearray)
    cpdef void remember(
        self,
        Py_ssize_t db,
        bytes key,
        Idmp idmp,
        bytes pid,
        bytes iid,
        u64 ms,
        u64 seq,
        bint counts_as_added,
    ) except *
    @cython.locals(pos=Py_ssize_t)
    cpdef void set_window(self, Py_ssize_t db, bytes key, Idmp idmp) except *

    @cython.locals(pos=Py_ssize_t)
    cpdef void create_group(self, Py_ssize_t db, bytes key, Group group, bint makes_stream) except *
    @cython.locals(pos=Py_ssize_t)
    cpdef void set_position(self, Py_ssize_t db, bytes key, Group group) except *
    cpdef void destroy_group(self, Py_ssize_t db, bytes key, bytes name) except *
    @cython.locals(pos=Py_ssize_t)
    cpdef void create_consumer(self, Py_ssize_t db, bytes key, Group group, Consumer consumer) except *
    cpdef void delete_consumer(self, Py_ssize_t db, bytes key, Group group, bytes name) except *

    @cython.locals(pos=Py_ssize_t, buf=bytearray)
    cpdef void deliver(
        self,
        Py_ssize_t db,
        bytes key,
        Group group,
        Consumer consumer,
        long long time_ms,
        u64 entries,
        bint no_ack,
    ) except *
    @cython.locals(pos=Py_ssize_t)
    cpdef void deliver_again(
        self,
        Py_ssize_t db,
        bytes key,
        Group group,
        Consumer consumer,
        long long time_ms,
        u64 entries,
        u64 ms,
        u64 seq,
    ) except *
    @cython.locals(
        n=Py_ssize_t, records=Records, pos=Py_ssize_t, buf=bytearray, i=Py_ssize_t, handle="unsigned int"
    )
    cpdef void assign(
        self,
        Py_ssize_t db,
        bytes key,
        Group group,
        Consumer consumer,
        list handles,
        long long delivery_ms,
        long long active_ms,
    ) except *
    @cython.locals(pos=Py_ssize_t)
    cpdef void nack(self, Py_ssize_t db, bytes key, Group group, u64 ms, u64 seq, u64 count) except *
    @cython.locals(pos=Py_ssize_t)
    cpdef void acknowledge(self, Py_ssize_t db, bytes key, Group group, u64 ms, u64 seq) except *
    @cython.locals(flags=int, kind=int, pos=Py_ssize_t)
    cpdef void acknowledge_and_delete(
        self, Py_ssize_t db, bytes key, Group group, u64 ms, u64 seq, bint drops_references
    ) except *

    @cython.locals(pos=Py_ssize_t)
    cpdef void list_limit(self, long long fill) except *
    @cython.locals(n=Py_ssize_t, size=Py_ssize_t, i=Py_ssize_t, pos=Py_ssize_t)
    cpdef void push(
        self, Py_ssize_t db, bytes key, long long fill, Request request, Py_ssize_t first, bint front
    ) except *
    @cython.locals(pos=Py_ssize_t)
    cpdef void pop(self, Py_ssize_t db, bytes key, long long fill, u64 items, bint front) except *
    @cython.locals(n=Py_ssize_t, pos=Py_ssize_t)
    cpdef void set_item(
        self, Py_ssize_t db, bytes key, long long fill, u64 index, Request request, Py_ssize_t word
    ) except *
    @cython.locals(n=Py_ssize_t, pos=Py_ssize_t)
    cpdef void insert_item(
        self,
        Py_ssize_t db,
        bytes key,
        long long fill,
        u64 index,
        bint after,
        Request request,
        Py_ssize_t word,
    ) except *
    @cython.locals(n=Py_ssize_t, pos=Py_ssize_t)
    cpdef void remove_items(
        self, Py_ssize_t db, bytes key, long long fill, long long count, Request request, Py_ssize_t word
    ) except *
    @cython.locals(pos=Py_ssize_t)
    cpdef void cut_list(self, Py_ssize_t db, bytes key, long long fill, u64 front, u64 back) except *
    @cython.locals(pos=Py_ssize_t)
    cpdef void move_item(
        self, Py_ssize_t db, bytes key, long long fill, bytes target, bint from_front, bint to_front
    ) except *
    cdef Py_ssize_t _span(self, Py_ssize_t pos, bytearray buf, Py_ssize_t start, Py_ssize_t n) noexcept

    @cython.locals(pos=Py_ssize_t)
    cpdef void set(self, Py_ssize_t db, bytes key, bytes data, long long expire_at) except *
    cpdef void append(self, Py_ssize_t db, bytes key, bytes data) except *
    @cython.locals(pos=Py_ssize_t)
    cpdef void write(self, Py_ssize_t db, bytes key, unsigned long long offset, bytes data) except *
    @cython.locals(pos=Py_ssize_t)
    cpdef void restore(self, Py_ssize_t db, bytes key, long long expire_at, bytes payload) except *
    cpdef void delete_key(self, Py_ssize_t db, bytes key) except *
    @cython.locals(pos=Py_ssize_t)
    cpdef void expire(self, Py_ssize_t db, bytes key, long long at_ms) except *
    cpdef void move_key(self, Py_ssize_t db, bytes key, Py_ssize_t target, bytes new_key) except *
    cpdef void copy_key(self, Py_ssize_t db, bytes key, Py_ssize_t target, bytes new_key) except *
    @cython.locals(pos=Py_ssize_t)
    cdef void _two_keys(self, int op, Py_ssize_t db, bytes key, Py_ssize_t target, bytes new_key) except *
    @cython.locals(pos=Py_ssize_t)
    cpdef void swap(self, Py_ssize_t first, Py_ssize_t second) except *
    @cython.locals(pos=Py_ssize_t)
    cpdef void flush(self, Py_ssize_t db) except *
    @cython.locals(pos=Py_ssize_t)
    cpdef void flush_all(self) except *
    @cython.locals(pos=Py_ssize_t)
    cpdef void load_library(self, bytes name, bytes code) except *
    @cython.locals(pos=Py_ssize_t)
    cpdef void delete_library(self, bytes name) except *
    @cython.locals(pos=Py_ssize_t)
    cpdef void flush_libraries(self) except *
