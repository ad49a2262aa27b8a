"""What an RDB file holds and Headwater does not: read over exactly, named for a report.

Sets, sorted sets, hashes, arrays and values of modules are skipped without being looked
into, byte for byte as the layouts below say. A layout that is not known ends the load: there is
no way to tell where such a value ends.
"""

from __future__ import annotations

from headwater.raw import monotonic_us
from headwater.rdb.source import RdbSource
from headwater.rdb.types import (
    MODULE_OPCODE_DOUBLE,
    MODULE_OPCODE_EOF,
    MODULE_OPCODE_FLOAT,
    MODULE_OPCODE_SINT,
    MODULE_OPCODE_STRING,
    MODULE_OPCODE_UINT,
    TYPE_ARRAY,
    TYPE_GCRA,
    TYPE_HASH,
    TYPE_HASH_LISTPACK,
    TYPE_HASH_LISTPACK_EX,
    TYPE_HASH_LISTPACK_EX_PRE_GA,
    TYPE_HASH_METADATA,
    TYPE_HASH_METADATA_PRE_GA,
    TYPE_HASH_TEMPLATE_ARRAY,
    TYPE_HASH_TEMPLATE_ARRAY_REFERENCE,
    TYPE_HASH_TEMPLATE_LISTPACK,
    TYPE_HASH_TEMPLATE_LISTPACK_REFERENCE,
    TYPE_HASH_ZIPLIST,
    TYPE_HASH_ZIPMAP,
    TYPE_MODULE_2,
    TYPE_MODULE_PRE_GA,
    TYPE_SET,
    TYPE_SET_INTSET,
    TYPE_SET_LISTPACK,
    TYPE_ZSET,
    TYPE_ZSET_2,
    TYPE_ZSET_LISTPACK,
    TYPE_ZSET_ZIPLIST,
)

# The parts of a value: s a string, l a number in the encoding of lengths, 8 eight bytes,
# t a number as text: its length in one byte, from 253 on without any text (nan, inf, -inf).
# Then the same of each element, whose number stands between the two; without elements no number.
_LAYOUTS: dict[int, tuple[str, bytes, bytes]] = {
    TYPE_SET: ("set", b"", b"s"),
    TYPE_SET_INTSET: ("set", b"s", b""),
    TYPE_SET_LISTPACK: ("set", b"s", b""),
    TYPE_ZSET: ("zset", b"", b"st"),
    TYPE_ZSET_2: ("zset", b"", b"s8"),
    TYPE_ZSET_ZIPLIST: ("zset", b"s", b""),
    TYPE_ZSET_LISTPACK: ("zset", b"s", b""),
    TYPE_HASH: ("hash", b"", b"ss"),
    TYPE_HASH_ZIPMAP: ("hash", b"s", b""),
    TYPE_HASH_ZIPLIST: ("hash", b"s", b""),
    TYPE_HASH_LISTPACK: ("hash", b"s", b""),
    # Fields that expire: the time is before the field, the earliest one before them all.
    TYPE_HASH_METADATA_PRE_GA: ("hash", b"", b"lss"),
    TYPE_HASH_LISTPACK_EX_PRE_GA: ("hash", b"s", b""),
    TYPE_HASH_METADATA: ("hash", b"8", b"lss"),
    TYPE_HASH_LISTPACK_EX: ("hash", b"8s", b""),
    TYPE_HASH_TEMPLATE_LISTPACK_REFERENCE: ("hash", b"s", b""),
}

_NAMES = {
    TYPE_MODULE_PRE_GA: "module",
    TYPE_MODULE_2: "module",
    TYPE_ARRAY: "array",
    TYPE_HASH_TEMPLATE_LISTPACK: "hash",
    TYPE_HASH_TEMPLATE_ARRAY: "hash",
    TYPE_HASH_TEMPLATE_ARRAY_REFERENCE: "hash",
    TYPE_GCRA: "gcra",
}

_MODULE_NAME_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_ARRAY_FIXED_TAGS = (1, 2)  # an integer, a float; strings of two kinds are 0 and 3
_ARRAY_LAST_TAG = 3
_ELEMENTS_A_LOOK = 4096  # at the clock

_STRING, _NUMBER, _EIGHT = 115, 108, 56
_SINT, _UINT = MODULE_OPCODE_SINT, MODULE_OPCODE_UINT
_FLOAT, _DOUBLE = MODULE_OPCODE_FLOAT, MODULE_OPCODE_DOUBLE
_MODULE_STRING, _MODULE_END = MODULE_OPCODE_STRING, MODULE_OPCODE_EOF

# What is skipped next.
_ELEMENTS, _MODULE, _ARRAY, _DONE = 0, 1, 2, 3


def type_name(kind: int) -> str | None:
    """What a type of values is called, None if nobody knows it."""
    layout = _LAYOUTS.get(kind)
    return layout[0] if layout is not None else _NAMES.get(kind)


class Skipper:
    """Skips one value, in steps that end when their time is over; `name` is its type's."""

    __slots__ = ("_each", "_left", "_source", "_stage", "name")

    def __init__(self, source: RdbSource, kind: int, templates: dict[int, int]) -> None:
        """Begin; `templates` has the number of fields of each hash template of the file."""
        self._source = source
        self._each = b""
        self._left = 0
        self._stage = _ELEMENTS
        self.name = type_name(kind) or ""
        layout = _LAYOUTS.get(kind)
        if layout is not None:
            self._skip_parts(layout[1])
            self._each = layout[2]
            if self._each:
                self._left = source.number()
        elif kind == TYPE_MODULE_2:
            self.name = f"module {module_name(source.number())}"
            self._stage = _MODULE
        elif kind == TYPE_ARRAY:
            self._left = source.number()
            flag = source.number()
            if flag > 1:
                source.fail("an array has a flag that nobody knows")
            if flag == 1:
                source.number()
            self._stage = _ARRAY
        elif kind == TYPE_HASH_TEMPLATE_ARRAY_REFERENCE:
            template = source.number()
            if template not in templates:
                source.fail(f"a hash follows a template, {template}, that is not in the file")
            self._left = templates[template]
            self._each = b"s"
        else:
            source.fail(f"the layout of values of type {kind} is not known")

    def step(self, until_us: int) -> bool:
        """Skip until the monotonic clock is there, a little at least; True: it is all behind."""
        while self._stage != _DONE:
            if self._stage == _ELEMENTS:
                self._skip_elements()
            elif self._stage == _MODULE:
                self._skip_module()
            else:
                self._skip_array()
            if monotonic_us() >= until_us:
                break
        return self._stage == _DONE

    def _skip_elements(self) -> None:
        count = _ELEMENTS_A_LOOK
        while self._left > 0 and count > 0:
            self._skip_parts(self._each)
            self._left -= 1
            count -= 1
        if self._left == 0:
            self._stage = _DONE

    def _skip_parts(self, parts: bytes) -> None:
        source = self._source
        for i in range(len(parts)):
            part = parts[i]
            if part == _STRING:
                source.skip_string()
            elif part == _NUMBER:
                source.number()
            elif part == _EIGHT:
                source.skip(8)
            else:
                n = source.u8()
                if n < 253:
                    source.skip(n)

    def _skip_module(self) -> None:
        count = _ELEMENTS_A_LOOK
        while count > 0:
            if not skip_module_part(self._source):
                self._stage = _DONE
                return
            count -= 1

    def _skip_array(self) -> None:
        source = self._source
        count = _ELEMENTS_A_LOOK
        while self._left > 0 and count > 0:
            source.number()
            tag = source.number()
            if tag > _ARRAY_LAST_TAG:
                source.fail("an element of an array has a kind that nobody knows")
            if tag in _ARRAY_FIXED_TAGS:
                source.skip(8)
            else:
                source.skip_string()
            self._left -= 1
            count -= 1
        if self._left == 0:
            self._stage = _DONE


def skip_module_part(source: RdbSource) -> bool:
    """Skip one part of what a module saved; False: that was the mark behind the last."""
    opcode = source.number()
    if opcode == _MODULE_END:
        return False
    if opcode in (_SINT, _UINT):
        source.number()
    elif opcode == _FLOAT:
        source.skip(4)
    elif opcode == _DOUBLE:
        source.skip(8)
    elif opcode == _MODULE_STRING:
        source.skip_string()
    else:
        source.fail(f"{opcode} begins no part of a module's value")
    return True


def skip_module_aux(source: RdbSource) -> None:
    """Skip what a module saved beside its keys."""
    source.number()  # which module
    source.number()  # the kind of the number that says when it was saved, and that number
    source.number()
    while skip_module_part(source):
        pass


def skip_key_metadata(source: RdbSource) -> None:
    """Skip what modules have tied to the key that follows."""
    for _ in range(source.bounded(source.number())):
        source.skip(4)  # which class of which module
        while skip_module_part(source):
            pass


def read_template(source: RdbSource, templates: dict[int, int]) -> None:
    """Note a hash template's number of fields, which the hashes that follow it do not repeat."""
    template = source.number()
    fields = source.bounded(source.number())
    for _ in range(fields):
        source.skip_string()
    if template in templates:
        source.fail(f"hash template {template} is in the file twice")
    templates[template] = fields


def module_name(module_id: int) -> str:
    """The nine letters that a module's type is called, from the 54 high bits of its number."""
    letters = ""
    for shift in range(58, 9, -6):
        letters += _MODULE_NAME_LETTERS[(module_id >> shift) & 63]
    return letters
