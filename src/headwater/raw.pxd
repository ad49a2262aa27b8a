# The compiled body is raw.pyx; raw.py says what each function does.

cpdef bytearray alloc(Py_ssize_t n)
cpdef void copy(bytearray dst, Py_ssize_t dst_pos, bytearray src, Py_ssize_t src_pos, Py_ssize_t n) noexcept
cpdef Py_ssize_t copy_bytes(bytearray dst, Py_ssize_t dst_pos, bytes src) noexcept
cpdef void move(bytearray buf, Py_ssize_t dst_pos, Py_ssize_t src_pos, Py_ssize_t n) noexcept
cpdef bint equal(bytearray a, Py_ssize_t a_pos, bytearray b, Py_ssize_t b_pos, Py_ssize_t n) noexcept
cpdef bytes cut(bytearray buf, Py_ssize_t pos, Py_ssize_t n)
cpdef unsigned short get_u16(bytearray buf, Py_ssize_t pos) noexcept
cpdef unsigned int get_u32(bytearray buf, Py_ssize_t pos) noexcept
cpdef unsigned long long get_u64(bytearray buf, Py_ssize_t pos) noexcept
cpdef long long get_i64(bytearray buf, Py_ssize_t pos) noexcept
cpdef void put_u16(bytearray buf, Py_ssize_t pos, unsigned short value) noexcept
cpdef void put_u32(bytearray buf, Py_ssize_t pos, unsigned int value) noexcept
cpdef void put_u64(bytearray buf, Py_ssize_t pos, unsigned long long value) noexcept
cpdef void put_i64(bytearray buf, Py_ssize_t pos, long long value) noexcept
cpdef Py_ssize_t find_byte(bytearray buf, unsigned char byte, Py_ssize_t start, Py_ssize_t end) noexcept
cpdef int decimal_length(unsigned long long value) noexcept
cpdef Py_ssize_t put_decimal(bytearray buf, Py_ssize_t pos, unsigned long long value) noexcept
cpdef (bint, long long) parse_int(bytearray buf, Py_ssize_t pos, Py_ssize_t n) noexcept
cpdef (bint, unsigned long long) parse_u64(bytearray buf, Py_ssize_t pos, Py_ssize_t n) noexcept
cpdef unsigned int crc32(bytearray buf, Py_ssize_t pos, Py_ssize_t n, unsigned int start) noexcept
cpdef long long monotonic_us() noexcept
cpdef long long unix_us() noexcept
cpdef Py_ssize_t receive(int descriptor, bytearray buf, Py_ssize_t size) noexcept
cpdef Py_ssize_t transmit(int descriptor, bytearray buf, Py_ssize_t n) noexcept
cpdef Py_ssize_t transmit_bytes(int descriptor, bytes data, Py_ssize_t pos) noexcept
