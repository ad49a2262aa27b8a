cimport cython

from headwater.lists.elements cimport (
    element_bytes,
    find,
    find_back,
    put_element,
    put_reply,
    size_at,
)
from headwater.lists.limits cimport (
    exceeds,
    has_room,
    is_large,
    node_bytes,
    node_items,
    of_many_nodes,
)
from headwater.lists.node cimport Node, new_stamp
from headwater.lists.run cimport Run
from headwater.raw cimport alloc
from headwater.resp.reply cimport Reply
from headwater.value cimport Value

cdef Py_ssize_t _LIST_OBJECT_BYTES, _HEAD_BYTES, _GAP, _REPLY_OVERHEAD
cdef int _SHIFT


@cython.no_gc
cdef class List(Value):
    cdef readonly Py_ssize_t length
    cdef readonly list nodes                # of Node, before `first` None; or None
    cdef readonly Py_ssize_t first
    cdef readonly Node only                 # or None
    cdef readonly long long stamp           # of the nodes that may be changed
    cdef readonly int fill                  # of a quicklist
    cdef readonly bint quick                # it is one

    cpdef bytes type_name(self)
    cpdef bytes encoding(self)
    @cython.locals(count=Py_ssize_t, size=Py_ssize_t, middle=Py_ssize_t)
    cpdef Py_ssize_t memory_usage(self) except? -1
    @cython.locals(twin=List)
    cpdef Value copy(self)
    cpdef void seal(self) noexcept
    @cython.locals(count=Py_ssize_t, units=Py_ssize_t, i=Py_ssize_t, node=Node)
    cpdef Py_ssize_t free_units(self) except? -1
    cpdef list parts(self)

    cpdef Py_ssize_t node_count(self) noexcept
    @cython.locals(node=Node)
    cpdef Node node(self, Py_ssize_t i)
    @cython.locals(node=Node)
    cdef Node _own(self, Py_ssize_t i)
    @cython.locals(nodes=list, at=Py_ssize_t, gap=Py_ssize_t, room=list)
    cdef object _add_node(self, Py_ssize_t i, Node node)
    @cython.locals(nodes=list, taken=list, at=Py_ssize_t, end=Py_ssize_t, k=Py_ssize_t, left=Py_ssize_t)
    cdef list _take_nodes(self, Py_ssize_t i, Py_ssize_t count)
    @cython.locals(node=Node)
    cdef Node _new_node(self, bytearray source, Py_ssize_t start, Py_ssize_t n, bint plain)
    @cython.locals(node=Node)
    cdef bint _has_room(self, Py_ssize_t i, Py_ssize_t n) except -1

    @cython.locals(node=Node, held=Py_ssize_t)
    cpdef object expect(self, long long fill, Py_ssize_t size, Py_ssize_t items)
    @cython.locals(node=Node, limit="long long", held="long long")
    cpdef object shrink(self, long long fill, bint half)
    cpdef int settle(self, long long fill) except -1
    cpdef int load_node(self, Node node) except -1

    @cython.locals(count=Py_ssize_t, i=Py_ssize_t, node=Node)
    cpdef object push(self, bytearray source, Py_ssize_t start, Py_ssize_t n, bint front)
    @cython.locals(i=Py_ssize_t, node=Node, whole=Py_ssize_t, taken=list)
    cpdef list drop(self, Py_ssize_t count, bint front)
    @cython.locals(node=Node, run=Run)
    cpdef object write_end(self, Reply reply, bint front)

    @cython.locals(i=Py_ssize_t, node=Node, back=Py_ssize_t)
    cpdef (Py_ssize_t, Py_ssize_t) locate(self, Py_ssize_t index) except *
    @cython.locals(first=Py_ssize_t, offset=Py_ssize_t, nodes=list, i=Py_ssize_t, left=Py_ssize_t, node=Node, run=Run)
    cpdef Run run(self, Py_ssize_t index, Py_ssize_t count)
    @cython.locals(i=Py_ssize_t, offset=Py_ssize_t, node=Node, run=Run)
    cpdef object write_item(self, Py_ssize_t index, Reply reply)
    @cython.locals(i=Py_ssize_t, offset=Py_ssize_t, node=Node, large=bint, fresh=Node, at=Py_ssize_t)
    cpdef object set_item(self, Py_ssize_t index, bytearray source, Py_ssize_t start, Py_ssize_t n)
    cpdef object insert(
        self, Py_ssize_t index, bint after, bytearray source, Py_ssize_t start, Py_ssize_t n
    )
    @cython.locals(i=Py_ssize_t, offset=Py_ssize_t, node=Node, at_end=bint, other=Py_ssize_t, fresh=Node)
    cdef object _insert(
        self, Py_ssize_t index, bint after, bytearray source, Py_ssize_t start, Py_ssize_t n
    )
    @cython.locals(node=Node, behind=Node)
    cdef int _split(self, Py_ssize_t i, Py_ssize_t offset) except -1
    cdef int _merge_around(self, Py_ssize_t i) except -1
    @cython.locals(first=Node, second=Node, size=Py_ssize_t)
    cdef bint _merge(self, Py_ssize_t i) except -1

    @cython.locals(found=list, size=Py_ssize_t, wanted=bytearray, nodes=Py_ssize_t, index=Py_ssize_t, left=Py_ssize_t,
                   i=Py_ssize_t, node=Node, look=Py_ssize_t, buf=bytearray, seen=Py_ssize_t, at=Py_ssize_t,
                   skipped=Py_ssize_t)
    cpdef list find_all(
        self,
        bytearray source,
        Py_ssize_t start,
        Py_ssize_t n,
        long long rank,
        long long count,
        long long most,
        bint back,
    )
    @cython.locals(back=bint, most="long long", size=Py_ssize_t, wanted=bytearray, removed=Py_ssize_t, i=Py_ssize_t,
                   limit=Py_ssize_t, gone=Py_ssize_t)
    cpdef Py_ssize_t remove(self, bytearray source, Py_ssize_t start, Py_ssize_t n, long long count) except -1
    @cython.locals(node=Node, left=Py_ssize_t, removed=Py_ssize_t, at=Py_ssize_t, skipped=Py_ssize_t,
                   offset=Py_ssize_t, behind=Py_ssize_t)
    cdef Py_ssize_t _remove_from(
        self, Py_ssize_t i, bytearray wanted, Py_ssize_t size, Py_ssize_t most, bint back
    ) except -1


cdef int _write(Node node, Py_ssize_t pos, Reply reply) except -1
