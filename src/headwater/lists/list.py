"""The list: its items in nodes, the nodes in order.

A list that fits one node is that node and nothing else (OBJECT ENCODING: listpack); one that
does not has a row of nodes (quicklist). When it becomes the one or the other, and where nodes
end, follows Redis (limits.py). Adding and taking away at either end is O(1); finding an item by
its index goes from node to node, from the nearer end, and then through one node.

Nodes are shared by copies, replies that are being sent and snapshots, see node.py: `seal` lets
all nodes of now be shared from now on, and costs nothing but a copy of each node that is changed
later.
"""

from __future__ import annotations

from typing import Any

from headwater.lists.elements import (
    element_bytes,
    find,
    find_back,
    put_element,
    put_reply,
    size_at,
)
from headwater.lists.limits import (
    exceeds,
    has_room,
    is_large,
    node_bytes,
    node_items,
    of_many_nodes,
)
from headwater.lists.node import HEAD_BYTES, Node, new_stamp
from headwater.lists.run import Run
from headwater.raw import alloc
from headwater.resp.reply import Reply
from headwater.value import UNIT_SHIFT, Value

LIST_OBJECT_BYTES = 112
_LIST_OBJECT_BYTES = LIST_OBJECT_BYTES  # the same as C numbers
_HEAD_BYTES = HEAD_BYTES
_SHIFT = UNIT_SHIFT
_GAP = 8
_REPLY_OVERHEAD = 24  # more than a bulk string has beside its element


class List(Value):
    """A list of texts; never empty while a key holds it.

    length: how many items it has. fill: the limit of its nodes if it is a quicklist.

    The nodes are those of `nodes` from `first` on, or `only` where there is one or none: then
    `nodes` is None. Texts that come in are `n` bytes of a buffer from `start` on.
    """

    __slots__ = ("fill", "first", "length", "nodes", "only", "quick", "stamp")

    def __init__(self) -> None:
        Value.__init__(self)
        self.length = 0
        self.nodes: list[Node | None] | None = None  # before `first`: None
        self.first = 0
        self.only: Node | None = None
        self.quick = False
        self.fill = 0
        self.stamp = new_stamp()

    # --- as a value ---

    def type_name(self) -> bytes:
        return b"list"

    def encoding(self) -> bytes:
        return b"quicklist" if self.quick else b"listpack"

    def memory_usage(self) -> int:
        """All nodes but the last are taken for as big as one from the middle."""
        count = self.node_count()
        size = _LIST_OBJECT_BYTES
        if count == 0:
            return size
        if self.nodes is None:
            return size + self.node(0).memory_usage()
        middle = self.node(count // 2).memory_usage() * (count - 1)
        return size + 8 * len(self.nodes) + middle + self.node(count - 1).memory_usage()

    def copy(self) -> Value:
        """A list with the same items, which shares all nodes with this one."""
        twin = List()
        twin.length = self.length
        if self.nodes is not None:
            twin.nodes = self.nodes[self.first :]
        twin.only = self.only
        twin.quick = self.quick
        twin.fill = self.fill
        self.seal()
        return twin

    def seal(self) -> None:
        """Whoever has a node of this list may keep it: it will not change."""
        self.stamp = new_stamp()

    def free_units(self) -> int:
        count = self.node_count()
        units = 1 + count
        # A few nodes may be huge ones; many are slow to free however small they are.
        if count <= 64:
            for i in range(count):
                units += len(self.node(i).buf) >> _SHIFT
        return units

    def parts(self) -> list[Any]:
        if self.nodes is not None:
            return [self.nodes]
        return [[self.only]]

    # --- nodes ---

    def node_count(self) -> int:
        if self.nodes is not None:
            return len(self.nodes) - self.first
        return 0 if self.only is None else 1

    def node(self, i: int) -> Node:
        """The i-th node, to be looked at."""
        node = self.only if self.nodes is None else self.nodes[self.first + i]
        assert node is not None
        return node

    def _own(self, i: int) -> Node:
        """The i-th node, to be changed."""
        node = self.node(i)
        if node.stamp != self.stamp:
            node = node.clone(self.stamp)
            if self.nodes is None:
                self.only = node
            else:
                self.nodes[self.first + i] = node
        return node

    def _add_node(self, i: int, node: Node) -> None:
        """Let a node be the i-th one."""
        if self.nodes is None:
            if self.only is None:
                self.only = node
                return
            self.nodes = [self.only]
            self.first = 0
            self.only = None
        nodes = self.nodes
        if i > 0:
            at = self.first + i
            if at == len(nodes):
                nodes.append(node)
            else:
                nodes.insert(at, node)
            return
        if self.first == 0:
            gap = len(nodes) // 2 + _GAP
            room: list[Node | None] = [None] * gap
            nodes[0:0] = room
            self.first = gap
        self.first -= 1
        nodes[self.first] = node

    def _take_nodes(self, i: int, count: int) -> list[Node | None]:
        """Take so many nodes out, from the i-th on."""
        if count == 0:
            return []
        nodes = self.nodes
        if nodes is None:
            taken = [self.only]
            self.only = None
            return taken
        at = self.first + i
        end = at + count
        taken = nodes[at:end]
        if i == 0:
            for k in range(at, end):
                nodes[k] = None
            self.first = end
            if 2 * end > len(nodes):
                del nodes[:end]
                self.first = 0
        else:
            del nodes[at:end]
        left = len(nodes) - self.first
        if left <= 1:
            self.only = nodes[self.first] if left == 1 else None
            self.nodes = None
            self.first = 0
        return taken

    def _new_node(self, source: bytearray, start: int, n: int, plain: bool) -> Node:
        node = Node(self.stamp, element_bytes(source, start, n))
        node.push(source, start, n, False)
        node.plain = plain
        return node

    def _has_room(self, i: int, n: int) -> bool:
        """Whether there is an i-th node and it takes a text of so many bytes."""
        if i < 0 or i >= self.node_count():
            return False
        node = self.node(i)
        return not node.plain and has_room(self.fill, node.size(), node.count, n)

    # --- one node or many ---

    def expect(self, fill: int, size: int, items: int) -> None:
        """Texts of so many bytes in all will be added: become a quicklist if that is too much.

        `fill` is `list-max-listpack-size`.
        """
        if self.quick:
            return
        node = self.only
        if node is not None:
            held = node.size()
        else:
            held = _HEAD_BYTES
        if exceeds(fill, held + size, self.length + items):
            self.quick = True
            self.fill = of_many_nodes(fill)
        elif node is None:
            self.only = Node(self.stamp, size + 2 * items)

    def shrink(self, fill: int, half: bool) -> None:
        """Become a listpack again if the list is small enough; `half`: half of what fits."""
        if not self.quick or self.node_count() != 1:
            return
        node = self.node(0)
        if node.plain:
            return
        if fill < 0:
            limit = node_bytes(fill)
            held = node.size()
        else:
            limit = node_items(fill)
            held = self.length
        if half:
            limit //= 2
        if held <= limit:
            self.quick = False
            self.fill = 0

    def settle(self, fill: int) -> None:
        """Take `list-max-listpack-size` for a list that was loaded, as add_node made it."""
        self.quick = True
        self.fill = of_many_nodes(fill)
        self.shrink(fill, False)

    def load_node(self, node: Node) -> None:
        """Add a node with its items behind all others."""
        node.stamp = self.stamp
        self._add_node(self.node_count(), node)
        self.length += node.count
        self.quick = True

    # --- at the ends ---

    def push(self, source: bytearray, start: int, n: int, front: bool) -> None:
        """Add a text at one end; `expect` was told of it. MemoryError leaves the list as it was."""
        count = self.node_count()
        i = 0 if front else count - 1
        if not self.quick:
            self._own(0).push(source, start, n, front)
        elif self._has_room(i, n):
            self._own(i).push(source, start, n, front)
        else:
            node = self._new_node(source, start, n, is_large(self.fill, n))
            self._add_node(0 if front else count, node)
        self.length += 1

    def drop(self, count: int, front: bool) -> list[Node | None] | None:
        """Take so many items away at one end; returns nodes to be freed if those are many."""
        self.length -= count
        i = 0 if front else self.node_count() - 1
        if count == 1:
            node = self.node(i)
            if node.count > 1:
                self._own(i).drop(1, front)
            else:
                self._take_nodes(i, 1)
            return None
        if self.length == 0:
            return self._take_nodes(0, self.node_count())
        whole = 0
        while count >= self.node(i).count:
            count -= self.node(i).count
            whole += 1
            i += 1 if front else -1
        if count:
            self._own(i).drop(count, front)
        taken = self._take_nodes(0 if front else i + 1, whole)
        return taken if whole > 1 else None

    def write_end(self, reply: Reply, front: bool) -> None:
        """Write the item at one end into a reply, as a bulk string."""
        node = self.node(0 if front else self.node_count() - 1)
        if node.plain:
            run = self.run(0 if front else self.length - 1, 1)
            run.write(reply, False)
            return
        _write(node, node.start if front else node.last(), reply)

    # --- by index ---

    def locate(self, index: int) -> tuple[int, int]:
        """In which node an item is, and its index there."""
        if self.nodes is None:
            return 0, index
        i = 0
        if 2 * index < self.length:
            node = self.node(0)
            while index >= node.count:
                index -= node.count
                i += 1
                node = self.node(i)
            return i, index
        back = self.length - index
        i = self.node_count() - 1
        node = self.node(i)
        while back > node.count:
            back -= node.count
            i -= 1
            node = self.node(i)
        return i, node.count - back

    def run(self, index: int, count: int) -> Run:
        """So many items from an index on; at least one, and all there."""
        first, offset = self.locate(index)
        nodes = []
        i = first
        left = count + offset
        while left > 0:
            node = self.node(i)
            nodes.append(node)
            left -= node.count
            i += 1
        run = Run(nodes, offset, count)
        if run.is_big():
            self.seal()
        return run

    def write_item(self, index: int, reply: Reply) -> None:
        """Write an item into a reply, as a bulk string."""
        i, offset = self.locate(index)
        node = self.node(i)
        if node.plain:
            run = self.run(index, 1)
            run.write(reply, False)
        else:
            _write(node, node.position(offset), reply)

    def set_item(self, index: int, source: bytearray, start: int, n: int) -> None:
        """Give an item another text; `expect` was told of it."""
        i, offset = self.locate(index)
        node = self.node(i)
        large = self.quick and is_large(self.fill, n)
        if not node.plain and not large:
            node = self._own(i)
            node.replace(node.position(offset), source, start, n)
            return
        fresh = self._new_node(source, start, n, large)
        if node.plain:
            # The same node with another text, or a small text: its node takes that one's place.
            if not large and self._has_room(i + 1, n):
                self._own(i + 1).push(source, start, n, True)
                self._take_nodes(i, 1)
                return
            self._take_nodes(i, 1)
            self._add_node(i, fresh)
            return
        if node.count == 1:
            self._take_nodes(i, 1)
            self._add_node(i, fresh)
            return
        if offset < node.count - 1:
            self._split(i, offset + 1)
        self._own(i).drop(1, False)
        at = i + 1
        if self.node(i).count == 0:
            self._take_nodes(i, 1)
            at = i
        self._add_node(at, fresh)
        self._merge_around(at)

    def insert(self, index: int, after: bool, source: bytearray, start: int, n: int) -> None:
        """Add a text before or after an item; `expect` was told of it."""
        self._insert(index, after, source, start, n)
        self.length += 1

    def _insert(self, index: int, after: bool, source: bytearray, start: int, n: int) -> None:
        i, offset = self.locate(index)
        node = self.node(i)
        if not self.quick or self._has_room(i, n):
            node = self._own(i)
            node.insert(node.position(offset + 1 if after else offset), source, start, n)
            return
        at_end = offset == node.count - 1 if after else offset == 0
        if at_end:
            other = i + 1 if after else i - 1
            if self._has_room(other, n):
                self._own(other).push(source, start, n, after)
                return
            fresh = self._new_node(source, start, n, is_large(self.fill, n))
            self._add_node(i + 1 if after else i, fresh)
            return
        # The items behind the place go to a node of their own; the text comes between.
        self._split(i, offset + 1 if after else offset)
        if is_large(self.fill, n):
            self._add_node(i + 1, self._new_node(source, start, n, True))
            return
        if after:
            self._own(i + 1).push(source, start, n, True)
            self._merge_around(i)
        else:
            self._own(i).push(source, start, n, False)
            self._merge_around(i + 1)

    def _split(self, i: int, offset: int) -> None:
        """Let the i-th node end before the item of this index; the others become the next one."""
        node = self._own(i)
        behind = node.clone(self.stamp)
        behind.drop(offset, True)
        node.drop(node.count - offset, False)
        self._add_node(i + 1, behind)

    def _merge_around(self, i: int) -> None:
        """Put small nodes together around the i-th, in Redis's order."""
        if self._merge(i - 2):
            i -= 1
        self._merge(i + 1)
        if self._merge(i - 1):
            i -= 1
        self._merge(i)

    def _merge(self, i: int) -> bool:
        """Put the i-th node and the next one together, if both exist and fit into one."""
        if i < 0 or i + 1 >= self.node_count():
            return False
        first = self.node(i)
        second = self.node(i + 1)
        if first.plain or second.plain:
            return False
        size = first.size() + second.size() - _HEAD_BYTES
        if exceeds(self.fill, size, first.count + second.count):
            return False
        self._own(i).take_in(second)
        self._take_nodes(i + 1, 1)
        return True

    # --- by text ---

    def find_all(
        self,
        source: bytearray,
        start: int,
        n: int,
        rank: int,
        count: int,
        most: int,
        back: bool,
    ) -> list[int]:
        """Indexes of items with this text, from the rank-th match on, as they are met.

        At most `count` of them (0: all), among the first `most` items that are compared (0: all);
        `back`: from the last item on.
        """
        found: list[int] = []
        size = element_bytes(source, start, n)
        wanted = alloc(size)
        put_element(wanted, 0, source, start, n)
        nodes = self.node_count()
        index = self.length if back else 0
        left = self.length if most == 0 or most > self.length else most
        i = nodes - 1 if back else 0
        while left > 0:
            node = self.node(i)
            look = node.count if left > node.count else left
            left -= look
            buf = node.buf
            seen = 0
            at = node.end if back else node.start
            while seen < look:
                if back:
                    skipped, at = find_back(buf, at, look - seen, wanted, size)
                else:
                    skipped, at = find(buf, at, look - seen, wanted, size)
                if skipped < 0:
                    break
                seen += skipped + 1
                if not back:
                    at += size
                if rank > 1:
                    rank -= 1
                    continue
                found.append(index - seen if back else index + seen - 1)
                if count > 0 and len(found) == count:
                    return found
            # The count is unsigned in C: it must not be negated.
            if back:
                index -= node.count
                i -= 1
            else:
                index += node.count
                i += 1
        return found

    def remove(self, source: bytearray, start: int, n: int, count: int) -> int:
        """Delete items with this text: the first `count`, the last -`count`, or 0: all.

        Returns how many there were.
        """
        back = count < 0
        most = -count if back else count
        size = element_bytes(source, start, n)
        wanted = alloc(size)
        put_element(wanted, 0, source, start, n)
        removed = 0
        i = self.node_count() - 1 if back else 0
        while 0 <= i < self.node_count():
            limit = most - removed if most else self.length
            gone = self._remove_from(i, wanted, size, limit, back)
            removed += gone
            if gone and self.node(i).count == 0:
                self._take_nodes(i, 1)
                if back:
                    i -= 1
            else:
                i += -1 if back else 1
            if most and removed == most:
                break
        self.length -= removed
        return removed

    def _remove_from(self, i: int, wanted: bytearray, size: int, most: int, back: bool) -> int:
        """Delete up to so many items that are `wanted` from the i-th node; how many those were."""
        node = self.node(i)
        left = node.count
        removed = 0
        at = node.end if back else node.start
        while left > 0 and removed < most:
            if back:
                skipped, at = find_back(node.buf, at, left, wanted, size)
            else:
                skipped, at = find(node.buf, at, left, wanted, size)
            if skipped < 0:
                break
            left -= skipped + 1
            if node.stamp != self.stamp:
                offset = at - node.start
                node = self._own(i)
                at = node.start + offset
            behind = node.end - at - size
            node.delete(at)
            # What is before the place may have moved, or what is behind it.
            at = node.end - behind
            removed += 1
        return removed


def _write(node: Node, pos: int, reply: Reply) -> None:
    reply.reserve(size_at(node.buf, pos) + _REPLY_OVERHEAD)
    reply.pos = put_reply(reply.buf, reply.pos, node.buf, pos)
