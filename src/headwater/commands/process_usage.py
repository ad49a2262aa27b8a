"""What this process uses, as the operating system tells: memory, processor time."""

from __future__ import annotations

import contextlib
import os
import resource
import sys

_UNITS = "KMGTP"
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_RUSAGE_UNIT_BYTES = 1 if sys.platform == "darwin" else 1024


def resident_bytes() -> int:
    """Memory of the process that lies in RAM; its peak where the present is not told."""
    with contextlib.suppress(OSError, ValueError, IndexError), open("/proc/self/statm", "rb") as f:
        return int(f.read().split()[1]) * _PAGE_BYTES
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _RUSAGE_UNIT_BYTES


def total_memory_bytes() -> int:
    """RAM of the machine, 0 if that is not known."""
    with contextlib.suppress(OSError, ValueError):
        return os.sysconf("SC_PHYS_PAGES") * _PAGE_BYTES
    return 0


def processor_times() -> list[tuple[str, float]]:
    """Seconds of processor time by the names INFO gives them."""
    own = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    times = [
        ("used_cpu_sys", own.ru_stime),
        ("used_cpu_user", own.ru_utime),
        ("used_cpu_sys_children", children.ru_stime),
        ("used_cpu_user_children", children.ru_utime),
    ]
    which = getattr(resource, "RUSAGE_THREAD", None)
    if which is not None:
        thread = resource.getrusage(which)
        times.append(("used_cpu_sys_main_thread", thread.ru_stime))
        times.append(("used_cpu_user_main_thread", thread.ru_utime))
    return times


def human_bytes(n: int) -> str:
    """A size for people, in 1024s: 512B, 1.52M."""
    if n < 1024:
        return f"{n}B"
    exponent = min((n.bit_length() - 1) // 10, len(_UNITS))
    return f"{n / (1 << 10 * exponent):.2f}{_UNITS[exponent - 1]}"
