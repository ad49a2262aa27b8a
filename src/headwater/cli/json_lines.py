"""Entries as JSON lines: what `export` writes, and what `import` and `add` read.

    {"key":"orders","id":"1700000000000-0","fields":{"total":"12.50","note":"fragile"}}

One entry a line, UTF-8, binary-safe: bytes that are not UTF-8 stand as {"base64": "..."}, as a key,
a name or a value. `fields` is an object, or a list of [name, value] pairs where names repeat or are
not UTF-8: the order of the fields is kept either way. Read, a value may also be a number or a
boolean, which become their JSON text, or an object or a list, which become compact JSON.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from headwater.cli.failure import Failure
from headwater.cli.words import json_bytes, json_fields, pairs_of, shown

LINE_BYTES = 512 * 1024 * 1024
"""A longer line is no entry: no server takes so much at once."""

_BASE64 = "base64"
_ID = re.compile(r"\d{1,20}-\d{1,20}")
_ID_MAX = 2**64 - 1
_SHOWN = 80


class LineSource(Protocol):
    """Anything that gives bytes line by line."""

    def readline(self, limit: int = ..., /) -> bytes: ...


class LineError(Exception):
    """A line is no entry; the text says why."""


@dataclass(slots=True)
class Line:
    """One entry that was read. `key` and `entry_id` are None where the line has none.

    fields: names and values in turn, as XADD takes them. end: the byte behind it in the file
    """

    number: int
    key: bytes | None
    entry_id: bytes | None
    fields: list[bytes]
    end: int


# --- writing ---


def entry_line(key: str, entry_id: bytes, flat: list[bytes]) -> str:
    """An entry as a line, its end included; `key` is JSON already, so it is made once a stream."""
    return f'{{"key":{key},"id":"{entry_id.decode()}","fields":{_fields_text(flat)}}}\n'


def _fields_text(flat: list[bytes]) -> str:
    try:
        words = [_quoted(word.decode()) for word in flat]
    except UnicodeDecodeError:
        words = []
    names = words[::2]
    if words and len(set(names)) == len(names):
        return "{" + ",".join([f"{a}:{b}" for a, b in zip(names, words[1::2], strict=True)]) + "}"
    fields = json_fields(pairs_of(flat))
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))


_quoted = json.encoder.encode_basestring


def key_text(key: bytes) -> str:
    """A key as it stands in a line."""
    return json.dumps(json_bytes(key), ensure_ascii=False, separators=(",", ":"))


# --- reading ---


def read_lines(file: LineSource, name: str) -> Iterator[Line]:
    """The entries of a file; empty lines are passed over.

    Raises Failure with the line's number for what is no entry.
    """
    end = 0
    number = 0
    while data := file.readline(LINE_BYTES):
        number += 1
        end += len(data)
        text = data.strip()
        if not text:
            continue
        if len(data) >= LINE_BYTES:
            raise Failure(f"{name}, line {number}: longer than 512 MB, that is no entry")
        try:
            yield read_line(text, number, end)
        except LineError as error:
            raise Failure(
                f"{name}, line {number}: {error}", f"It is: {shown(text, _SHOWN)}"
            ) from None


def read_line(text: bytes, number: int = 0, end: int = 0) -> Line:
    """One line. Raises LineError.

    An object with `fields` (an object or a list), and nothing else but key, id, time and db, is an
    entry as `export` writes it; any other object is the entry's fields.
    """
    try:
        found = _decode(text.decode())
    except UnicodeDecodeError as error:
        raise LineError(f"byte {error.start} is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise LineError(f"no JSON: {error.msg} (column {error.colno})") from None
    except RecursionError:
        raise LineError("objects within objects, too deep") from None
    if not isinstance(found, dict):
        raise LineError("not an object")
    fields = found.get("fields")
    is_entry = isinstance(fields, dict | list) and found.keys() <= _NAMES
    if not is_entry or (_is_bytes(fields) and "id" not in found):
        return Line(number, None, None, _fields(found), end)
    key = found.get("key")
    entry_id = found.get("id")
    if entry_id is not None and not _is_id(entry_id):
        raise LineError(f"{shown(str(entry_id), _SHOWN)} is no entry ID such as 1700000000000-0")
    return Line(
        number,
        None if key is None else _bytes(key, "the key"),
        None if entry_id is None else entry_id.encode(),
        _fields(fields),
        end,
    )


_NAMES = {"key", "id", "fields", "time", "db"}


class _Number(float):
    """A number with the text that it had."""

    text: str

    def __new__(cls, text: str) -> _Number:
        made = super().__new__(cls, text)
        made.text = text
        return made


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise LineError(
            f"{shown(twice, _SHOWN)} stands twice in an object; "
            'fields that repeat are written [["name", "value"], ...]'
        )
    return found


def _refuse(text: str) -> Any:
    raise LineError(f"{text} is no JSON")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=_Number, parse_int=_Number, parse_constant=_refuse
)
_decode = _DECODER.decode


def _fields(found: Any) -> list[bytes]:
    words: list[bytes] = []
    if isinstance(found, dict):
        for name, value in found.items():
            words.append(_encoded(name))
            words.append(_value(value, name))
    else:
        for pair in found:
            if not isinstance(pair, list) or len(pair) != 2:
                raise LineError("a list of fields has pairs: [name, value]")
            words.append(_bytes(pair[0], "a field's name"))
            words.append(_value(pair[1], str(pair[0])))
    if not words:
        raise LineError("it has no fields; an entry has one at least")
    return words


def _value(value: Any, name: str) -> bytes:
    if isinstance(value, str):
        return _encoded(value)
    if value is None:
        raise LineError(f"field {shown(name, _SHOWN)} is null, which no entry can hold")
    if isinstance(value, bool):
        return b"true" if value else b"false"
    if isinstance(value, _Number):
        return value.text.encode()
    if _is_bytes(value):
        return _bytes(value, f"field {shown(name, _SHOWN)}")
    return _encoded(_compact(value))


def _compact(value: Any) -> str:
    """A value within an entry's value as JSON, numbers with the text that they had."""
    if isinstance(value, _Number):
        return value.text
    if isinstance(value, dict):
        inner = ",".join(f"{_compact(name)}:{_compact(item)}" for name, item in value.items())
        return f"{{{inner}}}"
    if isinstance(value, list):
        return f"[{','.join(map(_compact, value))}]"
    return json.dumps(value, ensure_ascii=False)


def _bytes(value: Any, what: str) -> bytes:
    if isinstance(value, str):
        return _encoded(value)
    if not _is_bytes(value):
        raise LineError(f'{what} is neither text nor {{"base64": "..."}}')
    try:
        return base64.b64decode(value[_BASE64].encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise LineError(f"{what} is not in base64") from None


def _is_bytes(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {_BASE64} and isinstance(value[_BASE64], str)


def _encoded(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise LineError("half of a surrogate pair, which is no text; see base64") from None


def _is_id(value: Any) -> bool:
    return (
        isinstance(value, str)
        and bool(_ID.fullmatch(value))
        and all(int(part) <= _ID_MAX for part in value.split("-"))
    )


def id_key(entry_id: bytes) -> tuple[int, int]:
    """An ID as it sorts."""
    ms, _, seq = entry_id.partition(b"-")
    return int(ms), int(seq)
