cimport cython

from headwater.raw cimport alloc, copy_bytes, crc32, cut, get_u32, get_u64, put_u32, put_u64

cpdef unsigned int crc_of_id(bytes journal_id)
cpdef void put_batch_header(
    bytearray buf,
    unsigned int id_crc,
    unsigned int size,
    unsigned int records,
    unsigned long long epoch,
    unsigned long long index,
    unsigned long long position,
    unsigned int chain,
    unsigned long long unsynced,
) noexcept
@cython.locals(crc="unsigned int", found="unsigned int")
cpdef bint is_batch_header(bytearray buf, Py_ssize_t pos, unsigned int id_crc) noexcept
@cython.locals(head=Py_ssize_t, crc="unsigned int")
cpdef unsigned int put_record_header(
    bytearray buf, Py_ssize_t pos, unsigned int body, unsigned int chain
) noexcept
@cython.locals(head=Py_ssize_t, records="unsigned int", pos=Py_ssize_t, body=Py_ssize_t, crc="unsigned int")
cpdef (Py_ssize_t, unsigned int, unsigned int) check_records(
    bytearray buf, Py_ssize_t begin, Py_ssize_t end, unsigned int chain
) noexcept
cpdef unsigned int batch_size(bytearray buf, Py_ssize_t pos) noexcept
cpdef unsigned int batch_records(bytearray buf, Py_ssize_t pos) noexcept
cpdef unsigned long long batch_epoch(bytearray buf, Py_ssize_t pos) noexcept
cpdef unsigned long long batch_index(bytearray buf, Py_ssize_t pos) noexcept
cpdef unsigned long long batch_position(bytearray buf, Py_ssize_t pos) noexcept
cpdef unsigned int batch_chain(bytearray buf, Py_ssize_t pos) noexcept
cpdef unsigned int batch_unsynced(bytearray buf, Py_ssize_t pos) noexcept
