"""The options of SET, GETEX, MSETEX and INCREX: when the key expires, and on what condition.

A word may be given twice, and the last one counts; words that contradict each other are a syntax
error. Which words a command knows, it says.
"""

from __future__ import annotations

from headwater import errors
from headwater.keyspace.strings import String
from headwater.resp.request import Request
from headwater.value import Value
from headwater.xxh3 import xxh3_64

TAKES_GET, TAKES_KEEPTTL, TAKES_PERSIST, TAKES_EXISTENCE, TAKES_VALUE = 1, 2, 4, 8, 16
"""What a command may be given beside EX, PX, EXAT and PXAT; EXISTENCE is NX and XX, VALUE is
IFEQ, IFNE, IFDEQ and IFDNE."""

ALWAYS, IF_MISSING, IF_EXISTS, IF_EQUAL, IF_NOT_EQUAL, IF_DIGEST, IF_NOT_DIGEST = range(7)

_GET, _KEEPTTL, _PERSIST, _EXISTENCE, _VALUE = 1, 2, 4, 8, 16  # the same as C numbers
_ALWAYS, _IF_MISSING, _IF_EXISTS, _IF_EQUAL, _IF_NOT_EQUAL, _IF_DIGEST, _IF_NOT_DIGEST = range(7)
_EX, _PX, _EXAT, _PXAT = 1, 2, 3, 4
_INT64_MAX = 0x7FFF_FFFF_FFFF_FFFF
_DIGEST_DIGITS = 16


class StringOptions:
    """The options of a request; `read` finds them.

    condition: ALWAYS or one of the IF_; operand: the word that it compares with.
    unit: 0, or how the expiry is given, by the word `number`.
    """

    __slots__ = ("condition", "get", "keep_ttl", "number", "operand", "persist", "unit")

    def __init__(self) -> None:
        self.condition = _ALWAYS
        self.operand = 0
        self.get = False
        self.keep_ttl = False
        self.persist = False
        self.unit = 0
        self.number = 0

    def read(self, request: Request, i: int, takes: int) -> None:
        """Read the words from `i` on; `takes`: TAKES_ bits. Raises SYNTAX."""
        argc = request.argc
        while i < argc:
            taken = self._expiry(request, i, takes)
            if taken == 0:
                taken = self._condition(request, i, takes)
            if taken == 0:
                raise errors.SYNTAX.error()
            i += taken

    def _expiry(self, request: Request, i: int, takes: int) -> int:
        """How many words from `i` on are about the expiry, or GET; 0: it is something else."""
        n = request.length(i)
        if n == 3 and takes & _GET and request.text_equals(i, b"GET"):
            self.get = True
            return 1
        if n == 7 and self.unit == 0:
            if takes & _KEEPTTL and request.text_equals(i, b"KEEPTTL"):
                self.keep_ttl = True
                return 1
            if takes & _PERSIST and request.text_equals(i, b"PERSIST"):
                self.persist = True
                return 1
        unit = expiry_unit(request, i)
        if unit == 0 or i + 1 == request.argc or self.keep_ttl or self.persist:
            return 0
        if self.unit != 0 and self.unit != unit:
            return 0
        self.unit = unit
        self.number = i + 1
        return 2

    def _condition(self, request: Request, i: int, takes: int) -> int:
        """How many words from `i` on are a condition, 0 if it is something else."""
        condition = condition_of(request, i)
        if condition == _ALWAYS or (self.condition != _ALWAYS and self.condition != condition):
            return 0
        if condition <= _IF_EXISTS:
            if not takes & _EXISTENCE:
                return 0
            self.condition = condition
            return 1
        if not takes & _VALUE or i + 1 == request.argc:
            return 0
        self.condition = condition
        self.operand = i + 1
        return 2

    def expire_at(self, request: Request, now_ms: int, name: str) -> int:
        """The unix time in ms at which the key shall expire, 0 if there is none.

        Raises NOT_AN_INTEGER, INVALID_EXPIRE_TIME.
        """
        if self.unit == 0:
            return 0
        return expiry_time(request, self.unit, self.number, now_ms, name)

    def holds(self, request: Request, value: Value | None) -> bool:
        """Whether the condition holds for a key's value. Raises WRONG_TYPE, INVALID_DIGEST."""
        if self.condition == _ALWAYS:
            return True
        if self.condition == _IF_MISSING:
            return value is None
        if self.condition == _IF_EXISTS:
            return value is not None
        if value is None:
            return self.condition in (_IF_NOT_EQUAL, _IF_NOT_DIGEST)
        if not isinstance(value, String):
            raise errors.WRONG_TYPE.error()
        return compares(self.condition, value, request.arg(self.operand))


def condition_of(request: Request, i: int) -> int:
    """The condition that word `i` names, ALWAYS if it names none."""
    n = request.length(i)
    if n == 2:
        if request.text_equals(i, b"NX"):
            return _IF_MISSING
        if request.text_equals(i, b"XX"):
            return _IF_EXISTS
    elif n == 4:
        if request.text_equals(i, b"IFEQ"):
            return _IF_EQUAL
        if request.text_equals(i, b"IFNE"):
            return _IF_NOT_EQUAL
    elif n == 5:
        if request.text_equals(i, b"IFDEQ"):
            return _IF_DIGEST
        if request.text_equals(i, b"IFDNE"):
            return _IF_NOT_DIGEST
    return _ALWAYS


def compares(condition: int, value: String, operand: bytes) -> bool:
    """Whether one of the four conditions on a string's bytes holds. Raises INVALID_DIGEST."""
    if condition in (_IF_EQUAL, _IF_NOT_EQUAL):
        same = value.length() == len(operand) and value.content() == operand
        return same == (condition == _IF_EQUAL)
    if len(operand) != _DIGEST_DIGITS:
        raise errors.INVALID_DIGEST.error()
    same = digest(value.content()) == operand.lower()
    return same == (condition == _IF_DIGEST)


def expiry_unit(request: Request, i: int) -> int:
    """Which of EX, PX, EXAT and PXAT word `i` is; 0: none of them."""
    n = request.length(i)
    if n == 2:
        if request.text_equals(i, b"EX"):
            return _EX
        if request.text_equals(i, b"PX"):
            return _PX
    elif n == 4:
        if request.text_equals(i, b"EXAT"):
            return _EXAT
        if request.text_equals(i, b"PXAT"):
            return _PXAT
    return 0


def expiry_time(request: Request, unit: int, i: int, now_ms: int, name: str) -> int:
    """The unix time in ms that word `i` gives, in a unit that `expiry_unit` told; at least 1.

    Raises NOT_AN_INTEGER, INVALID_EXPIRE_TIME for the command `name`.
    """
    number = request.integer(i)
    if number <= 0:
        raise errors.INVALID_EXPIRE_TIME.error(name)
    if unit in (_EX, _EXAT):
        if number > _INT64_MAX // 1000:
            raise errors.INVALID_EXPIRE_TIME.error(name)
        number *= 1000
    if unit in (_EX, _PX):
        if number > _INT64_MAX - now_ms:
            raise errors.INVALID_EXPIRE_TIME.error(name)
        number += now_ms
    return number


def digest(data: bytes) -> bytes:
    """The digest of a string that IFDEQ and IFDNE compare: its XXH3, in hexadecimal."""
    return b"%016x" % xxh3_64(data)
