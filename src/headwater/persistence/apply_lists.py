"""The journal's operations of lists, applied; apply.py has the others and calls these."""

from __future__ import annotations

from headwater.journal.operations import (
    AFTER,
    AT_FRONT,
    CUT,
    INSERT_ITEM,
    LIST_LIMIT,
    MOVE_ITEM,
    POP,
    PUSH,
    REMOVE_ITEMS,
    SET_ITEM,
    TO_FRONT,
)
from headwater.keyspace.database import Keyspace
from headwater.lists.elements import text_at
from headwater.lists.limits import DEFAULT_FILL
from headwater.lists.list import List
from headwater.persistence.operands import Operands
from headwater.raw import get_u32

_MOST = (1 << 63) - 1


class ListApplier(Operands):
    """Applies operations of lists under the limit that was recorded last."""

    __slots__ = ("_list_fill",)

    def __init__(self, keyspace: Keyspace) -> None:
        super().__init__(keyspace)
        self._list_fill = DEFAULT_FILL

    def apply_to_list(self, op: int) -> bool:
        """Apply the operation, whose number is read; False: it is none of lists."""
        if op == PUSH:
            self.push()
        elif op == POP:
            self.pop()
        elif op == SET_ITEM:
            self.set_item()
        elif op == INSERT_ITEM:
            self.insert_item()
        elif op == REMOVE_ITEMS:
            self.remove_items()
        elif op == CUT:
            self.cut_list()
        elif op == MOVE_ITEM:
            self.move_item()
        elif op == LIST_LIMIT:
            self.list_limit()
        else:
            return False
        return True

    def list_limit(self) -> None:
        fill = self._i64()
        if not -(1 << 31) <= fill < 1 << 31:
            self._fail(f"a limit of {fill}")
        self._list_fill = fill

    def _a_list(self) -> List:
        """Read a key that holds a list."""
        value = self._a_value()
        if not isinstance(value, List):
            self._fail("the key is no list")
        assert isinstance(value, List)
        return value

    def _text_bytes(self) -> int:
        """Read the length of a text that follows at `_pos`, and see that it is there."""
        n = self._u32()
        self._need(n)
        return n

    def _index(self, value: List) -> int:
        """Read the index of an item that is there."""
        index = self._u64()
        length = value.length
        if index >= length:
            self._fail(f"an index of {index} in a list of {length} items")
        return index

    def push(self) -> None:
        self._any_key()
        front = bool(self._flags() & AT_FRONT)
        n = self._count(4)
        if n == 0:
            self._fail("no items")
        buf = self._buf
        pos = self._pos
        size = 0
        for _ in range(n):
            length = get_u32(buf, pos) if self._end - pos >= 4 else 0
            if length > self._end - pos - 4:
                self._fail("the record is too short")
            size += length
            pos += 4 + length
        if self._value is None:
            self._value = List()
            self._database.add(self._key, self._value)
        if not isinstance(self._value, List):
            self._fail("the key is no list")
        value = self._value
        assert isinstance(value, List)
        value.expect(self._list_fill, size, n)
        pos = self._pos
        for _ in range(n):
            length = get_u32(buf, pos)
            value.push(buf, pos + 4, length, front)
            pos += 4 + length
        self._pos = pos

    def pop(self) -> None:
        value = self._a_list()
        front = bool(self._flags() & AT_FRONT)
        items = self._u64()
        length = value.length
        if items == 0 or items >= length:
            self._fail(f"{items} items of {length}")
        value.drop(items, front)
        value.shrink(self._list_fill, True)

    def move_item(self) -> None:
        """The same steps in the same order as commands/list_pops.py has them."""
        value = self._a_list()
        target = self._text()
        flags = self._flags()
        from_front = bool(flags & AT_FRONT)
        if value.length == 0:
            self._fail("the list is empty")
        node = value.node(0 if from_front else value.node_count() - 1)
        data = bytearray(text_at(node.buf, node.start if from_front else node.last()))
        other = value
        if target == self._key:
            value.drop(1, from_front)
        else:
            found = self._database.values.get(target)
            if found is None:
                found = List()
                self._database.add(target, found)
            elif not isinstance(found, List):
                self._fail("the other key is no list")
            assert isinstance(found, List)
            other = found
        other.expect(self._list_fill, len(data), 1)
        other.push(data, 0, len(data), bool(flags & TO_FRONT))
        if other is not value:
            value.drop(1, from_front)
        value.shrink(self._list_fill, True)

    def set_item(self) -> None:
        value = self._a_list()
        index = self._index(value)
        n = self._text_bytes()
        value.expect(self._list_fill, n, 1)
        value.set_item(index, self._buf, self._pos, n)
        value.shrink(self._list_fill, True)
        self._pos += n

    def insert_item(self) -> None:
        value = self._a_list()
        after = bool(self._flags() & AFTER)
        index = self._index(value)
        n = self._text_bytes()
        value.expect(self._list_fill, n, 1)
        value.insert(index, after, self._buf, self._pos, n)
        self._pos += n

    def remove_items(self) -> None:
        value = self._a_list()
        count = self._i64()
        if count < -_MOST:
            self._fail(f"a count of {count}")
        n = self._text_bytes()
        removed = value.remove(self._buf, self._pos, n, count)
        self._pos += n
        if removed == 0 or value.length == 0:
            self._fail("it removes no item, or all")
        value.shrink(self._list_fill, True)

    def cut_list(self) -> None:
        value = self._a_list()
        front = self._u64()
        back = self._u64()
        length = value.length
        if front >= length or back >= length - front:
            self._fail(f"{front} and {back} items of {length}")
        if front:
            value.drop(front, True)
        if back:
            value.drop(back, False)
        value.shrink(self._list_fill, True)
