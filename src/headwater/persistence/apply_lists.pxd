cimport cython

from headwater.lists.elements cimport text_at
from headwater.lists.list cimport List
from headwater.lists.node cimport Node
from headwater.persistence.operands cimport Operands
from headwater.raw cimport get_u32
from headwater.streams.ids cimport u64
from headwater.value cimport Value

cdef int AFTER, AT_FRONT, CUT, INSERT_ITEM, LIST_LIMIT, MOVE_ITEM, POP, PUSH, REMOVE_ITEMS, SET_ITEM
cdef int TO_FRONT
cdef long long _MOST


cdef class ListApplier(Operands):
    cdef long long _list_fill

    cdef bint apply_to_list(self, int op) except -1
    @cython.locals(fill="long long")
    cdef void list_limit(self) except *
    cdef List _a_list(self)
    @cython.locals(n=Py_ssize_t)
    cdef Py_ssize_t _text_bytes(self) except -1
    @cython.locals(index=u64, length=u64)
    cdef Py_ssize_t _index(self, List value) except -1
    @cython.locals(front=bint, n=Py_ssize_t, buf=bytearray, pos=Py_ssize_t, size=Py_ssize_t, _=Py_ssize_t,
                   value=List, length=Py_ssize_t)
    cdef void push(self) except *
    @cython.locals(value=List, front=bint, items=u64, length=u64)
    cdef void pop(self) except *
    @cython.locals(value=List, target=bytes, flags=int, from_front=bint, node=Node, data=bytearray, other=List,
                   found=Value)
    cdef void move_item(self) except *
    @cython.locals(value=List, index=Py_ssize_t, n=Py_ssize_t)
    cdef void set_item(self) except *
    @cython.locals(value=List, after=bint, index=Py_ssize_t, n=Py_ssize_t)
    cdef void insert_item(self) except *
    @cython.locals(value=List, count="long long", n=Py_ssize_t, removed=Py_ssize_t)
    cdef void remove_items(self) except *
    @cython.locals(value=List, front=u64, back=u64, length=u64)
    cdef void cut_list(self) except *
