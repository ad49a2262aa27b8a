"""Functions: libraries that are loaded, and which function is whose.

The libraries' code is data (`keyspace/functions.py`), which a journal or a snapshot may change
behind our back: whoever asks for anything here gets what belongs to the code as it is now.
Function names are compared without regard to case, library names are not; as Redis.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from headwater.errors import HeadwaterError
from headwater.keyspace.functions import Libraries
from headwater.raw import monotonic_us
from headwater.scripting.metadata import NAME_RULE, MetadataError, is_name, read_metadata

APPEND, REPLACE, FLUSH = 0, 1, 2
"""What FUNCTION RESTORE does with libraries that are there: keep, or be refused; replace those of
the same names; drop all."""

FLAG_NAMES = (b"no-writes", b"allow-oom", b"allow-stale", b"no-cluster", b"allow-cross-slot-keys")
"""The flags of functions, from the lowest bit on."""

LOAD_MAX_US = 500_000
LIBRARY_BYTES, FUNCTION_BYTES = 400, 300
"""About what a library takes beside its code and names, and a function."""

_ANSWER_BYTES = 256  # what a machine is told when a function is registered
_log = logging.getLogger("headwater")


class FunctionError(HeadwaterError):
    """A library cannot be loaded; `text` tells why, as Redis."""

    def __init__(self, text: bytes) -> None:
        super().__init__(text.decode("utf-8", "replace"))
        self.text = text


class Function:
    """One function. `key`: what the virtual machine knows it by. `flags`: see FLAG_NAMES."""

    __slots__ = ("description", "flags", "key", "library", "name")

    def __init__(
        self, name: bytes, library: bytes, key: bytes, description: bytes | None, flags: int
    ) -> None:
        self.name = name
        self.library = library
        self.key = key
        self.description = description
        self.flags = flags

    def flag_names(self) -> list[bytes]:
        return [name for bit, name in enumerate(FLAG_NAMES) if self.flags >> bit & 1]


class Library:
    """One library: its code, and its functions by name."""

    __slots__ = ("code", "functions", "name")

    def __init__(self, name: bytes, code: bytes) -> None:
        self.name = name
        self.code = code
        self.functions: dict[bytes, Function] = {}


class Functions:
    """All libraries of a server; `make_vm` makes the machine they run in.

    What changes libraries raises FunctionError, and then has changed nothing.
    """

    __slots__ = ("_by_name", "_libraries", "_made", "_make_vm", "_seen", "_store", "_vm")

    def __init__(self, store: Libraries, make_vm: Callable[[], Any]) -> None:
        self._store = store
        self._make_vm = make_vm
        self._vm: Any = None
        self._libraries: dict[bytes, Library] = {}
        self._by_name: dict[bytes, Function] = {}  # in lower case
        self._seen = 0  # the store's changes that are known here
        self._made = 0

    # --- what there is ---

    def find(self, name: bytes) -> Function | None:
        """The function of that name."""
        if self._store.changes != self._seen:
            self._follow()
        return self._by_name.get(name) or self._by_name.get(name.lower())

    def libraries(self) -> list[Library]:
        """All libraries, in the order in which they were loaded."""
        if self._store.changes != self._seen:
            self._follow()
        return list(self._libraries.values())

    def codes(self) -> list[bytes]:
        """The code of all libraries."""
        return list(self._store.codes.values())

    def count(self) -> int:
        """How many functions there are."""
        return sum(len(library.functions) for library in self.libraries())

    def vm(self) -> Any:
        """The machine in which functions run."""
        if self._vm is None:
            self._vm = self._make_vm()
        return self._vm

    def vm_bytes(self) -> int:
        return 0 if self._vm is None else int(self._vm.memory())

    def used_bytes(self) -> int:
        """About what the libraries take outside of the machine."""
        return sum(
            len(library.code) + LIBRARY_BYTES + FUNCTION_BYTES * len(library.functions)
            for library in self.libraries()
        )

    # --- changes ---

    def load(self, code: bytes, replace: bool) -> bytes:
        """Load a library; returns its name."""
        if self._store.changes != self._seen:
            self._follow()
        name = _name_of(code)
        old = self._libraries.get(name)
        if old is not None and not replace:
            raise FunctionError(b"Library '%b' already exists" % name)
        library = self._compile(name, code)
        try:
            self._check_names(library, {name})
        except FunctionError:
            self._forget(library)
            raise
        if old is not None:
            self._drop(old)
        self._add(library)
        self._store.put(name, code)
        self._seen = self._store.changes
        return name

    def delete(self, name: bytes) -> bool:
        """Delete a library; tells whether there was one."""
        if self._store.changes != self._seen:
            self._follow()
        library = self._libraries.get(name)
        if library is None and name not in self._store.codes:
            return False
        if library is not None:
            self._drop(library)
        self._store.remove(name)
        self._seen = self._store.changes
        return True

    def flush(self) -> None:
        """Delete all libraries, and the machine with them."""
        self._libraries = {}
        self._by_name = {}
        if self._vm is not None:
            self._vm.close()
            self._vm = None
        self._store.clear()
        self._seen = self._store.changes

    def restore(self, codes: list[bytes], policy: int) -> list[bytes]:
        """Load all these libraries or none; returns their names. APPEND, REPLACE or FLUSH."""
        if self._store.changes != self._seen:
            self._follow()
        loaded: dict[bytes, Library] = {}
        try:
            for code in codes:
                name = _name_of(code)
                if name in loaded:
                    raise FunctionError(b"Library '%b' already exists" % name)
                library = loaded[name] = self._compile(name, code)
                for other in loaded.values():
                    if other is not library:
                        _check_no_common(library, other)
            if policy != FLUSH:
                for library in loaded.values():
                    if policy == APPEND and library.name in self._libraries:
                        raise FunctionError(b"Library %b already exists" % library.name)
                for library in loaded.values():
                    self._check_names(library, set(loaded))
        except FunctionError:
            for library in loaded.values():
                self._forget(library)
            raise
        if policy == FLUSH:
            for library in list(self._libraries.values()):
                self._drop(library)
            self._store.clear()
        for library in loaded.values():
            old = self._libraries.get(library.name)
            if old is not None:
                self._drop(old)
                self._store.remove(library.name)
            self._add(library)
            self._store.put(library.name, library.code)
        self._seen = self._store.changes
        return list(loaded)

    # --- inside ---

    def _follow(self) -> None:
        """Have functions for the code as it is now: it was changed elsewhere."""
        codes = self._store.codes
        for library in list(self._libraries.values()):
            if codes.get(library.name) is not library.code:
                self._drop(library)
        for name, code in codes.items():
            if name not in self._libraries:
                try:
                    library = self._compile(name, code)
                    self._check_names(library, {name})
                except FunctionError as error:
                    _log.warning("the library %s has no functions: %s", name.decode(), error)
                else:
                    self._add(library)
        self._seen = self._store.changes

    def _compile(self, name: bytes, code: bytes) -> Library:
        from headwater.scripting.vm import ScriptError

        library = Library(name, code)
        deadline_us = monotonic_us() + LOAD_MAX_US

        def late() -> bool:
            return monotonic_us() > deadline_us

        vm = self.vm()

        def register(name: bytes, description: bytes | None, flags: float) -> Any:
            if not vm.room_for(_ANSWER_BYTES):
                return None, b"not enough memory"
            if not is_name(name):
                return None, NAME_RULE
            if name in library.functions:
                return None, b"Function already exists in the library"
            self._made += 1
            key = b"%d" % self._made
            library.functions[name] = Function(name, library.name, key, description, int(flags))
            return key

        # The first line stays, empty, so that lines are counted from the same place.
        body = code[read_metadata(code)[1] :]
        try:
            vm.load_library(body, register, late)
        except ScriptError as error:
            self._forget(library)
            raise FunctionError(error.text) from None
        if not library.functions:
            raise FunctionError(b"No functions registered")
        return library

    def _check_names(self, library: Library, replaced: set[bytes]) -> None:
        """No other library, but for those that are replaced, has a function of the same name."""
        for name in library.functions:
            other = self._by_name.get(name.lower())
            if other is not None and other.library not in replaced:
                raise FunctionError(b"Function %b already exists" % name)

    def _add(self, library: Library) -> None:
        self._libraries[library.name] = library
        for name, function in library.functions.items():
            self._by_name.setdefault(name.lower(), function)

    def _drop(self, library: Library) -> None:
        del self._libraries[library.name]
        for name, function in library.functions.items():
            if self._by_name.get(name.lower()) is function:
                del self._by_name[name.lower()]
        self._forget(library)

    def _forget(self, library: Library) -> None:
        """Let the machine go of a library's functions."""
        for function in library.functions.values():
            self._vm.forget(function.key)


def _name_of(code: bytes) -> bytes:
    try:
        return read_metadata(code)[0]
    except MetadataError as error:
        raise FunctionError(error.text) from None


def _check_no_common(library: Library, other: Library) -> None:
    taken = {name.lower() for name in other.functions}
    for name in library.functions:
        if name.lower() in taken:
            raise FunctionError(b"Function %b already exists" % name)
