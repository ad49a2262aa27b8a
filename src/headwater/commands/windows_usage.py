"""Memory of this process and of the machine, as Windows tells it."""

from __future__ import annotations

import ctypes
from typing import Any


class _ProcessMemory(ctypes.Structure):
    """`PROCESS_MEMORY_COUNTERS`."""

    _fields_ = [
        ("cb", ctypes.c_uint32),
        ("PageFaultCount", ctypes.c_uint32),
        *(
            (name, ctypes.c_size_t)
            for name in (
                "PeakWorkingSetSize",
                "WorkingSetSize",
                "QuotaPeakPagedPoolUsage",
                "QuotaPagedPoolUsage",
                "QuotaPeakNonPagedPoolUsage",
                "QuotaNonPagedPoolUsage",
                "PagefileUsage",
                "PeakPagefileUsage",
            )
        ),
    ]


class _MachineMemory(ctypes.Structure):
    """`MEMORYSTATUSEX`."""

    _fields_ = [
        ("dwLength", ctypes.c_uint32),
        ("dwMemoryLoad", ctypes.c_uint32),
        *(
            (name, ctypes.c_uint64)
            for name in (
                "ullTotalPhys",
                "ullAvailPhys",
                "ullTotalPageFile",
                "ullAvailPageFile",
                "ullTotalVirtual",
                "ullAvailVirtual",
                "ullAvailExtendedVirtual",
            )
        ),
    ]


def _kernel() -> Any:
    windows: Any = ctypes
    return windows.WinDLL("kernel32")


def resident_bytes() -> int:
    """Memory of the process that lies in RAM; 0 if it is not told."""
    kernel = _kernel()
    kernel.GetCurrentProcess.restype = ctypes.c_void_p
    kernel.K32GetProcessMemoryInfo.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint32]
    told = _ProcessMemory(cb=ctypes.sizeof(_ProcessMemory))
    if not kernel.K32GetProcessMemoryInfo(kernel.GetCurrentProcess(), ctypes.byref(told), told.cb):
        return 0
    return int(told.WorkingSetSize)


def total_memory_bytes() -> int:
    """RAM of the machine; 0 if it is not told."""
    told = _MachineMemory(dwLength=ctypes.sizeof(_MachineMemory))
    if not _kernel().GlobalMemoryStatusEx(ctypes.byref(told)):
        return 0
    return int(told.ullTotalPhys)
