"""How much memory this process has in use, as its two allocators count it.

Small objects come from the interpreter's own allocator, the rest from the C library's. Both keep
what was freed for later, so the pages of the process (`resident_bytes`) hardly shrink when data is
deleted. What is in use does, at once. Asking costs some microseconds for each megabyte of small
objects, so who asks often asks for the pages in between.
"""

from __future__ import annotations

import ctypes
import os
import re
import sys
from collections.abc import Callable

from headwater.commands.process_usage import PAGE_BYTES, resident_bytes

_IN_BLOCKS = re.compile(rb"bytes in allocated blocks *= *([0-9,]+)")


class _MallocInfo(ctypes.Structure):
    """`struct mallinfo2` of the GNU C library."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            "arena",
            "ordblks",
            "smblks",
            "hblks",
            "hblkhd",  # in blocks with a mapping of their own
            "usmblks",
            "fsmblks",
            "uordblks",  # in use of the rest
            "fordblks",
            "keepcost",
        )
    ]


def _find_counters() -> tuple[Callable[[], int], Callable[[], int]] | None:
    """Functions that count bytes of the C library and of the interpreter; None if one cannot."""
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None)
    try:
        malloc_info = library.mallinfo2
        write_statistics = ctypes.pythonapi._PyObject_DebugMallocStats
        open_stream = library.open_memstream
    except AttributeError:
        return None
    malloc_info.restype = _MallocInfo
    open_stream.restype = ctypes.c_void_p
    open_stream.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    write_statistics.argtypes = library.fclose.argtypes = [ctypes.c_void_p]
    library.free.argtypes = [ctypes.c_void_p]

    def of_the_library() -> int:
        info = malloc_info()
        return int(info.uordblks) + int(info.hblkhd)

    def of_the_interpreter() -> int:
        text = ctypes.c_void_p()
        size = ctypes.c_size_t()
        stream = open_stream(ctypes.byref(text), ctypes.byref(size))
        if not stream:
            return 0
        write_statistics(stream)
        library.fclose(stream)
        found = _IN_BLOCKS.search(ctypes.string_at(text.value or 0, size.value))
        library.free(text.value)
        # Nothing is written when the C library serves small objects, too (PYTHONMALLOC=malloc).
        return int(found[1].replace(b",", b"")) if found else 0

    return of_the_library, of_the_interpreter


_counters = _find_counters()


def allocated_bytes() -> int:
    """Memory in use; where the allocators cannot be asked, that of the pages, freed or not."""
    if _counters is None:
        return resident_bytes()
    of_the_library, of_the_interpreter = _counters
    return of_the_library() + of_the_interpreter()


def page_bytes() -> int:
    """The pages of the process that lie in RAM, as `resident_bytes` but faster."""
    if _statm < 0:
        return resident_bytes()
    return int(os.pread(_statm, 64, 0).split()[1]) * PAGE_BYTES


def _open_statm() -> int:
    """The file that tells of the process's pages, which stays open; -1 if there is none."""
    if sys.platform != "linux":
        return -1
    try:
        return os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return -1


_statm = _open_statm()
