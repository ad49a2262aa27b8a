cdef class VM:
    cdef public object host
    cdef public bytes label
    cdef public object lua              # the LuaRuntime; None when it is closed
    cdef public object tools            # what sandbox.lua returns
    cdef object _apply, _compile, _run, _stage, _unstage
    cdef object _collect, _set_limit, _used
    cdef object _names
    cdef bint _full, _limited

    cpdef object run(self, bytes name, bint resp3, Py_ssize_t keys, list words)
    cpdef object apply(self, bytes name, bint resp3, Py_ssize_t keys, list words)
    cdef object _enter(self, function, bytes name, bint resp3, Py_ssize_t keys, list words)
    cpdef bint room_for(self, Py_ssize_t size) except -1
    cpdef object make_room(self, Py_ssize_t size)
