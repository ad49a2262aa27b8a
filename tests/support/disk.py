"""A disk in memory that loses what was not synced, fails when told to, and gets full.

It has the methods of `headwater.journal.disk.Disk` and is deterministic: what a power failure
takes is decided by the random generator that `crash` is given. It is thread-safe.

What it promises is what POSIX promises and no more: a file's content is there after `sync`, a
name after `sync_directory`. A file whose name was not synced is gone, a rename that was not is
undone, and of unsynced content any part may be there: the beginning, some sectors, only a
length with zeros, or all.
"""

from __future__ import annotations

import contextlib
import errno
import os
import random
import threading
from collections.abc import Callable, Iterator

from headwater.journal.disk import AppendFile, Disk, Lock, ReadFile, failure

SECTOR = 512

MUTATING = frozenset(
    ("create", "make_directory", "open_append", "replace", "remove", "write", "truncate", "reserve")
)


class _Node:
    """A file's content: as processes see it, and as it is after a power failure."""

    __slots__ = ("clean", "data", "durable", "lock", "reserved")

    def __init__(self, data: bytes = b"") -> None:
        self.data = bytearray(data)
        self.durable = bytearray(data)
        self.clean = len(data)  # data[:clean] == durable[:clean]
        self.reserved = 0
        self.lock: _Lock | None = None

    @property
    def used(self) -> int:
        return max(len(self.data), self.reserved)

    def torn(self, rng: random.Random) -> bytearray:
        """Content that a power failure may leave."""
        old, new, clean = self.durable, self.data, self.clean
        if old == new:
            return old
        kind = rng.randrange(5)
        if kind == 0:
            return old
        if kind == 1:
            return new
        if kind == 2:  # torn at a byte
            cut = rng.randint(clean, max(clean, len(new)))
            return new[:cut] + old[cut:]
        result = new[:]
        for begin in range(clean - clean % SECTOR, len(new), SECTOR):
            if kind == 4 or rng.random() < 0.5:  # 4: only the length has changed
                begin = max(begin, clean)
                end = min(begin - begin % SECTOR + SECTOR, len(new))
                result[begin:end] = old[begin:end].ljust(end - begin, b"\0")
        return result


class _Fault:
    __slots__ = ("after", "error", "operation", "path", "times")

    def __init__(
        self, operation: str, error: OSError, after: int, times: int | None, path: str | None
    ) -> None:
        self.operation = operation
        self.error = error
        self.after = after
        self.times = times
        self.path = path


class SimulatedDisk(Disk):
    """See the module. `directories` are there, and durable, from the beginning.

    calls: (operation, path) of every call so far
    read_only: every change fails with EROFS
    short_writes: bytes that one write call takes at most
    generation: grows with each crash or kill; files opened before are dead
    """

    def __init__(self, *directories: str) -> None:
        self.calls: list[tuple[str, str]] = []
        self.read_only = False
        self.short_writes: int | None = None
        self.generation = 0
        self._changed = threading.Condition(threading.RLock())
        self._nodes: dict[str, _Node] = {}
        self._durable: dict[str, _Node] = {}
        self._directories = {os.path.normpath(d) for d in directories}
        self._durable_directories = set(self._directories)
        # Changes of names that are not durable: the directory, and the change to do there.
        self._pending: list[tuple[str, Callable[[dict[str, _Node], set[str]], None]]] = []
        self._faults: list[_Fault] = []
        self._paused: dict[str, int] = {}  # operation: calls that wait
        self._limit: int | None = None

    # --- what tests do with it ---

    def crash(self, rng: random.Random | None = None) -> None:
        """The power fails. Without `rng` only what was synced is left; with it, some of what
        was not: content torn anywhere, changes of names up to some moment."""
        with self._changed:
            if rng is not None:
                for directory in sorted({d for d, _ in self._pending}):
                    pending = [change for d, change in self._pending if d == directory]
                    for change in pending[: rng.randint(0, len(pending))]:
                        change(self._durable, self._durable_directories)
            self._pending = []
            self._directories = set(self._durable_directories)
            self._nodes = {}
            for path, node in sorted(self._durable.items()):
                if os.path.dirname(path) in self._directories:
                    left = bytes(node.durable if rng is None else node.torn(rng))
                    self._nodes[path] = _Node(left)
            self._durable = dict(self._nodes)
            self._kill()

    def kill(self) -> None:
        """The process ends (kill -9): the disk keeps everything, files and locks are closed."""
        with self._changed:
            self._kill()

    def fail(
        self,
        operation: str,
        error: OSError | int,
        after: int = 0,
        times: int | None = 1,
        path: str | None = None,
    ) -> None:
        """Let a call of `operation` fail: the one behind `after` others, and those that follow
        until `times` have failed (None: until `heal`). `path`: only where it ends so.

        Operations: the methods' names, and read, write, sync, truncate, reserve of files.
        """
        if isinstance(error, int):
            error = failure(error, "")
        with self._changed:
            self._faults.append(_Fault(operation, error, after, times, path))

    def heal(self) -> None:
        """Forget every fault that `fail` has set, and `read_only`."""
        with self._changed:
            self._faults = []
            self.read_only = False

    def full_at(self, count: int | None) -> None:
        """Let the disk have room for `count` bytes in all files; None: there is space again."""
        with self._changed:
            self._limit = count

    def pause(self, operation: str) -> None:
        """Let calls of an operation wait until `resume`; what they do is done then."""
        with self._changed:
            self._paused[operation] = 0

    def wait_paused(self, operation: str, timeout_s: float = 30) -> None:
        """Return when a call waits because of `pause`."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._paused.get(operation, 1) > 0, timeout_s):
                raise AssertionError(f"no call of {operation} came")

    def resume(self, operation: str) -> None:
        """Let calls of an operation go on."""
        with self._changed:
            self._paused.pop(operation, None)
            self._changed.notify_all()

    def used(self) -> int:
        """Bytes that all files take, reserved ones included."""
        with self._changed:
            return sum(node.used for node in self._nodes.values())

    def paths(self) -> list[str]:
        """Every file, as processes see it."""
        with self._changed:
            return sorted(self._nodes)

    def data(self, path: str) -> bytes:
        """A file's content as processes see it."""
        with self._changed:
            return bytes(self._find(path).data)

    def durable(self, path: str) -> bytes | None:
        """A file's content after a power failure now; None if it would not be there."""
        with self._changed:
            node = self._durable.get(os.path.normpath(path))
            return None if node is None else bytes(node.durable)

    def put(self, path: str, data: bytes) -> None:
        """Put a file there, durable, whatever was there before."""
        path = os.path.normpath(path)
        with self._changed:
            self._directory_of(path)
            self._nodes[path] = self._durable[path] = _Node(data)

    def count(self, operation: str, path: str = "") -> int:
        """Calls of an operation so far, on files whose path ends so."""
        with self._changed:
            return sum(name == operation and p.endswith(path) for name, p in self.calls)

    # --- the methods of Disk ---

    def create(self, path: str) -> AppendFile:
        path = os.path.normpath(path)
        with self._call("create", path):
            self._directory_of(path)
            if path in self._nodes:
                raise failure(errno.EEXIST, path)
            node = _Node()
            self._change(path, lambda names, _: names.__setitem__(path, node))
            return _File(self, path, node)

    def open_append(self, path: str) -> AppendFile:
        path = os.path.normpath(path)
        with self._call("open_append", path):
            return _File(self, path, self._find(path))

    def open_read(self, path: str) -> ReadFile:
        path = os.path.normpath(path)
        with self._call("open_read", path):
            return _Reader(self, path, self._find(path))

    def replace(self, source: str, target: str) -> None:
        source, target = os.path.normpath(source), os.path.normpath(target)
        with self._call("replace", target):
            self._find(source)
            self._directory_of(target)
            if os.path.dirname(source) != os.path.dirname(target):
                raise failure(errno.EXDEV, target)

            def rename(names: dict[str, _Node], _: set[str]) -> None:
                if source in names:
                    names[target] = names.pop(source)

            self._change(target, rename)

    def remove(self, path: str) -> None:
        path = os.path.normpath(path)
        with self._call("remove", path):
            self._find(path)

            def unlink(names: dict[str, _Node], _: set[str]) -> None:
                names.pop(path, None)

            self._change(path, unlink)

    def exists(self, path: str) -> bool:
        path = os.path.normpath(path)
        with self._call("exists", path):
            return path in self._nodes or path in self._directories

    def size(self, path: str) -> int:
        path = os.path.normpath(path)
        with self._call("size", path):
            return len(self._find(path).data)

    def list(self, directory: str) -> list[str]:
        directory = os.path.normpath(directory)
        with self._call("list", directory):
            if directory not in self._directories:
                raise failure(errno.ENOENT, directory)
            inside = (*self._nodes, *self._directories)
            return sorted(
                os.path.basename(p) for p in inside if os.path.dirname(p) == directory != p
            )

    def make_directory(self, path: str) -> None:
        path = os.path.normpath(path)
        with self._call("make_directory", path):
            if path in self._directories:
                return
            self._directory_of(path)
            if path in self._nodes:
                raise failure(errno.EEXIST, path)
            self._change(path, lambda _, directories: directories.add(path))
        self.sync_directory(os.path.dirname(path))

    def sync_directory(self, path: str) -> None:
        path = os.path.normpath(path)
        with self._call("sync_directory", path):
            if path not in self._directories:
                raise failure(errno.ENOENT, path)
            for directory, change in self._pending:
                if directory == path:
                    change(self._durable, self._durable_directories)
            self._pending = [(d, change) for d, change in self._pending if d != path]

    def lock(self, path: str, content: bytes) -> Lock:
        path = os.path.normpath(path)
        with self._call("lock", path):
            self._directory_of(path)
            if path not in self._nodes:
                node = _Node()
                self._change(path, lambda names, _: names.__setitem__(path, node))
            node = self._nodes[path]
            if node.lock is not None:
                raise failure(errno.EWOULDBLOCK, path)
            node.data = bytearray(content)
            node.clean = 0
            node.lock = _Lock(self, node)
            return node.lock

    # --- inside ---

    @contextlib.contextmanager
    def _call(self, operation: str, path: str, generation: int | None = None) -> Iterator[None]:
        """What every call goes through: it may wait, fail, or find its process dead."""
        with self._changed:
            self._alive(path, generation)
            self.calls.append((operation, path))
            if operation in self._paused:
                self._paused[operation] += 1
                self._changed.notify_all()
                self._changed.wait_for(lambda: operation not in self._paused)
                self._alive(path, generation)
            if self.read_only and operation in MUTATING:
                raise failure(errno.EROFS, path)
            for fault in self._faults:
                if fault.operation == operation and path.endswith(fault.path or ""):
                    if fault.after > 0:
                        fault.after -= 1
                    elif fault.times is None or fault.times > 0:
                        if fault.times is not None:
                            fault.times -= 1
                        raise failure(fault.error.errno or errno.EIO, path)
            yield

    def _alive(self, path: str, generation: int | None) -> None:
        if generation is not None and generation != self.generation:
            raise failure(errno.EIO, path, "the process that opened this file has ended")

    def _kill(self) -> None:
        self.generation += 1
        for node in self._nodes.values():
            node.lock = None
            node.reserved = 0
        self._paused = {}
        self._changed.notify_all()

    def _find(self, path: str) -> _Node:
        node = self._nodes.get(os.path.normpath(path))
        if node is None:
            raise failure(errno.ENOENT, path)
        return node

    def _directory_of(self, path: str) -> None:
        if os.path.dirname(path) not in self._directories:
            raise failure(errno.ENOENT, path)

    def _change(self, path: str, change: Callable[[dict[str, _Node], set[str]], None]) -> None:
        change(self._nodes, self._directories)
        self._pending.append((os.path.dirname(path), change))

    def _room(self, node: _Node, end: int) -> int:
        """Up to which byte a file may grow that wants to grow to `end`."""
        if self._limit is None or end <= node.used:
            return end
        free = self._limit - sum(other.used for other in self._nodes.values())
        return min(end, node.used + max(0, free))


class _File(AppendFile):
    __slots__ = ("_disk", "_generation", "_node")

    def __init__(self, disk: SimulatedDisk, path: str, node: _Node) -> None:
        super().__init__(path, len(node.data))
        self._disk = disk
        self._node = node
        self._generation = disk.generation

    def _write_at(self, view: memoryview, offset: int) -> int:
        disk, node = self._disk, self._node
        with disk._call("write", self.path, self._generation):
            wanted = offset + len(view)
            if disk.short_writes is not None:
                wanted = min(wanted, offset + disk.short_writes)
            end = disk._room(node, wanted)
            if end <= offset:
                raise failure(errno.ENOSPC, self.path)
            node.data[offset:end] = view[: end - offset]
            node.clean = min(node.clean, offset)
            return end - offset

    def _sync(self) -> None:
        disk, node = self._disk, self._node
        with disk._changed:
            reach = len(node.data)  # what is written while this waits is not promised
        with disk._call("sync", self.path, self._generation):
            reach = min(reach, len(node.data))
            if node.clean < reach or len(node.durable) > reach:
                clean = min(node.clean, reach)
                node.durable[clean:] = node.data[clean:reach]
                node.clean = reach

    def _allocate(self, offset: int, count: int) -> bool:
        disk, node = self._disk, self._node
        with disk._call("reserve", self.path, self._generation):
            if disk._room(node, offset + count) < offset + count:
                raise failure(errno.ENOSPC, self.path)
            node.reserved = offset + count
            return True

    def _truncate(self, size: int) -> None:
        disk, node = self._disk, self._node
        with disk._call("truncate", self.path, self._generation):
            if size > len(node.data):
                node.data.extend(bytes(size - len(node.data)))
            else:
                del node.data[size:]
            node.clean = min(node.clean, size)
            node.reserved = 0

    def _length(self) -> int:
        with self._disk._changed:
            return len(self._node.data)

    def _close(self) -> None:
        pass


class _Reader(ReadFile):
    __slots__ = ("_disk", "_generation", "_node", "_offset")

    def __init__(self, disk: SimulatedDisk, path: str, node: _Node) -> None:
        super().__init__(path, len(node.data))
        self._disk = disk
        self._node = node
        self._offset = 0
        self._generation = disk.generation

    def read_into(self, buf: bytearray, pos: int, n: int) -> int:
        with self._disk._call("read", self.path, self._generation):
            part = self._node.data[self._offset : self._offset + n]
            buf[pos : pos + len(part)] = part
            self._offset += len(part)
            return len(part)

    def seek(self, offset: int) -> None:
        self._offset = offset

    def close(self) -> None:
        pass


class _Lock(Lock):
    __slots__ = ("_disk", "_node")

    def __init__(self, disk: SimulatedDisk, node: _Node) -> None:
        self._disk = disk
        self._node = node

    def release(self) -> None:
        with self._disk._changed:
            if self._node.lock is self:
                self._node.lock = None
