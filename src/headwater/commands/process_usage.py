"""What this process uses, as the operating system tells: memory, processor time.

Where a system does not tell, memory is one page, for figures are divided by it.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import sys

try:
    import resource
except ImportError:
    resource = None  # type: ignore[assignment]

from headwater.commands import windows_usage

_UNITS = "KMGTP"
PAGE_BYTES = mmap.PAGESIZE
_WINDOWS = os.name == "nt"
_RUSAGE_UNIT_BYTES = 1 if sys.platform == "darwin" else 1024


def resident_bytes() -> int:
    """Memory of the process that lies in RAM; its peak where the present is not told."""
    with contextlib.suppress(OSError, ValueError, IndexError), open("/proc/self/statm", "rb") as f:
        return int(f.read().split()[1]) * PAGE_BYTES
    if resource is not None:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _RUSAGE_UNIT_BYTES
    if _WINDOWS:
        return windows_usage.resident_bytes() or PAGE_BYTES
    return PAGE_BYTES


def total_memory_bytes() -> int:
    """RAM of the machine, 0 if that is not known."""
    if _WINDOWS:
        return windows_usage.total_memory_bytes()
    with contextlib.suppress(AttributeError, OSError, ValueError):
        return os.sysconf("SC_PHYS_PAGES") * PAGE_BYTES
    return 0


def processor_times() -> list[tuple[str, float]]:
    """Seconds of processor time by the names INFO gives them."""
    if resource is None:
        used = os.times()
        return [("used_cpu_sys", used.system), ("used_cpu_user", used.user)]
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
