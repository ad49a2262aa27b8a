cimport cython

from headwater.raw cimport alloc, get_u32, put_u32

@cython.locals(
    width=Py_ssize_t, i=Py_ssize_t, j=Py_ssize_t, row=Py_ssize_t, above=Py_ssize_t,
    byte="unsigned char", left="unsigned int", up="unsigned int"
)
cpdef object fill(bytes a, bytes b, bytearray table)
@cython.locals(width=Py_ssize_t, i=Py_ssize_t, j=Py_ssize_t, length=Py_ssize_t)
cpdef list runs(bytes a, bytes b, bytearray table)
