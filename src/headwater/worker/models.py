"""Entries as dicts, dataclasses, pydantic or msgspec models: fields to values and back.

A model's attributes are the fields of an entry. A value that is text is the field's value as it
stands; everything else is JSON (a number or a flag looks the same in both); None is left out. So
an entry stays readable for programs in other languages, and a field can be used by ORDERBY and
XSCHEMA. pydantic and msgspec are used only when the model is one of theirs, so neither needs to
be installed.

Decoding raises PoisonError for fields that do not fit, and nothing else.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime
import decimal
import enum
import functools
import json
import sys
import types
import typing
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from headwater.worker.errors import ConfigurationError, PoisonError

Fields = dict[bytes, bytes]
Decode = Callable[[Fields], Any]

TEXT = (
    *(str, bytes, int, float, bool, decimal.Decimal, uuid.UUID, enum.Enum),
    *(datetime.datetime, datetime.date, datetime.time, datetime.timedelta),
)
"""What is written without JSON's quotes; timedelta is a number of seconds."""


# --- to fields ---


def encode(value: Any) -> list[bytes]:
    """The fields and values of an entry, one after the other; ConfigurationError if it has none."""
    words: list[bytes] = []
    for name, item in _items(value):
        if item is None:
            continue
        words.append(name if isinstance(name, bytes) else str(name).encode())
        words.append(_encoded(item))
    if not words:
        raise ConfigurationError(f"an entry needs at least one field, {value!r} has none")
    return words


def _items(value: Any) -> typing.Iterable[tuple[Any, Any]]:
    if isinstance(value, Mapping):
        return value.items()
    dump = getattr(value, "model_dump", None)
    if dump is not None:
        return typing.cast("dict[str, Any]", dump(mode="json", by_alias=True)).items()
    if hasattr(value, "__struct_fields__"):
        import msgspec

        return typing.cast("dict[str, Any]", msgspec.to_builtins(value)).items()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return [(field.name, getattr(value, field.name)) for field in fields]
    raise ConfigurationError(
        f"an entry is a mapping, a dataclass, a pydantic or a msgspec model, not {value!r}"
    )


def _encoded(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    plain = _plain(value)
    if isinstance(plain, str):
        return plain.encode("utf-8", "surrogateescape")
    return json.dumps(plain, default=_plain, separators=(",", ":")).encode()


def _plain(value: Any) -> Any:
    """`value` as JSON knows it, the outermost layer only."""
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if isinstance(value, decimal.Decimal | uuid.UUID):
        return str(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, set | frozenset):
        return list(value)
    if (
        hasattr(value, "model_dump")
        or hasattr(value, "__struct_fields__")
        or (dataclasses.is_dataclass(value) and not isinstance(value, type))
    ):
        return {name: item for name, item in _items(value) if item is not None}
    return value


# --- from fields ---


def decoder(model: Any) -> Decode:
    """The function that makes a `model` of an entry's fields.

    `dict` gives dict[str, str], `bytes` the fields as they are (dict[bytes, bytes]).
    """
    if model is dict:
        return _text
    if model is bytes:
        return dict
    if isinstance(model, type):
        if hasattr(model, "model_validate"):
            return _pydantic(model)
        if hasattr(model, "__struct_fields__"):
            return _msgspec(model)
        if dataclasses.is_dataclass(model):
            return functools.partial(_dataclass, model)
    raise ConfigurationError(
        f"model must be dict, bytes, a dataclass, a pydantic or a msgspec model, not {model!r}; "
        "for anything else give decode=function"
    )


def _text(fields: Fields) -> dict[str, str]:
    """Bytes that are no UTF-8 are kept as surrogates, so nothing is lost and nothing is poison."""
    return {
        name.decode("utf-8", "surrogateescape"): value.decode("utf-8", "surrogateescape")
        for name, value in fields.items()
    }


def _strict_text(fields: Fields) -> dict[str, str]:
    try:
        return {name.decode(): value.decode() for name, value in fields.items()}
    except UnicodeDecodeError as error:
        raise PoisonError(f"a field is no UTF-8: {error}") from error


def _pydantic(model: Any) -> Decode:
    import pydantic

    nested: dict[str, bool] = {}
    for name, info in model.model_fields.items():
        alias = info.validation_alias or info.alias
        nested[alias if isinstance(alias, str) else name] = is_json(info.annotation)
        nested.setdefault(name, is_json(info.annotation))

    def decode(fields: Fields) -> Any:
        values = _with_json(_strict_text(fields), nested)
        try:
            return model.model_validate(values)
        except pydantic.ValidationError as error:
            raise PoisonError(str(error)) from error

    return decode


def _msgspec(model: Any) -> Decode:
    import msgspec

    hints = typing.get_type_hints(model)
    nested = {
        field.encode_name: is_json(hints[field.name]) for field in msgspec.structs.fields(model)
    }

    def decode(fields: Fields) -> Any:
        values = _with_json(_strict_text(fields), nested)
        try:
            return msgspec.convert(values, model, strict=False)
        except msgspec.ValidationError as error:
            raise PoisonError(str(error)) from error

    return decode


def _with_json(values: dict[str, str], nested: Mapping[str, bool]) -> dict[str, Any]:
    """`values` with those parsed that hold more than a plain value."""
    return {name: _json(name, text) if nested.get(name) else text for name, text in values.items()}


def _json(name: str, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise PoisonError(f"field {name} is no JSON: {error}") from error


def is_json(annotation: Any) -> bool:
    """Whether values of this type are written as JSON: a list, a mapping, another model."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return is_json(typing.get_args(annotation)[0])
    if origin in (typing.Union, types.UnionType):
        return all(is_json(one) for one in typing.get_args(annotation) if one is not type(None))
    if origin is typing.Literal:
        return False
    kind = origin or annotation
    return isinstance(kind, type) and kind is not object and not issubclass(kind, TEXT)


# --- dataclasses, without a library ---


@functools.cache
def _hints(model: type) -> dict[str, Any]:
    return typing.get_type_hints(model, vars(sys.modules[model.__module__]))


def _dataclass(model: Any, fields: Fields) -> Any:
    hints = _hints(model)
    values: dict[str, Any] = {}
    for field in dataclasses.fields(model):
        raw = fields.get(field.name.encode())
        if raw is None or not field.init:
            continue
        hint = hints[field.name]
        if _only(hint) is bytes:
            values[field.name] = raw
            continue
        try:
            text = raw.decode()
        except UnicodeDecodeError as error:
            raise PoisonError(f"field {field.name} is no UTF-8") from error
        value = _json(field.name, text) if is_json(hint) else text
        values[field.name] = _converted(value, hint, field.name)
    return _made(model, values)


def _made(model: Any, values: dict[str, Any]) -> Any:
    hints = _hints(model)
    for field in dataclasses.fields(model):
        if (
            field.init
            and field.name not in values
            and field.default is dataclasses.MISSING
            and field.default_factory is dataclasses.MISSING
        ):
            if not _is_optional(hints[field.name]):
                raise PoisonError(f"field {field.name} is missing")
            values[field.name] = None
    try:
        return model(**values)
    except (ValueError, TypeError) as error:  # what its __post_init__ says
        raise PoisonError(f"{model.__name__}: {error}") from error


def _is_optional(hint: Any) -> bool:
    return hint is Any or type(None) in typing.get_args(hint)


def _only(hint: Any) -> Any:
    """The type behind Annotated and `| None`."""
    if typing.get_origin(hint) is typing.Annotated:
        return _only(typing.get_args(hint)[0])
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        kinds = [kind for kind in typing.get_args(hint) if kind is not type(None)]
        if len(kinds) == 1:
            return _only(kinds[0])
    return hint


def _converted(value: Any, hint: Any, name: str) -> Any:
    """`value`, text or of JSON, as the type `hint` says."""
    if value is None and _is_optional(hint):
        return None
    kind = _only(hint)
    if kind is Any:
        return value
    try:
        return _as(value, kind, name)
    except PoisonError:
        raise
    except Exception as error:  # a type of the user's may raise anything
        raise PoisonError(f"field {name}: {value!r} is no {_name(kind)}") from error


def _name(kind: Any) -> str:
    return getattr(kind, "__name__", str(kind))


def _as(value: Any, kind: Any, name: str) -> Any:
    origin = typing.get_origin(kind)
    arguments = typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        for one in arguments:
            try:
                return _converted(value, one, name)
            except PoisonError:
                continue
        raise ValueError
    if origin is typing.Literal:
        for one in arguments:
            if one == value or str(one) == value:
                return one
        raise ValueError
    container = origin or kind
    if isinstance(container, type):
        if dataclasses.is_dataclass(container):
            hints = _hints(container)
            known = {k: _converted(v, hints[k], f"{name}.{k}") for k, v in value.items()}
            return _made(container, known)
        if issubclass(container, tuple):
            kinds = arguments or (Any, ...)
            if kinds[-1] is ...:
                kinds = (kinds[0],) * len(value)
            pairs = zip(value, kinds, strict=True)
            return tuple(_converted(one, hint, name) for one, hint in pairs)
        if issubclass(container, list | set | frozenset):
            if not isinstance(value, list):
                raise TypeError
            inner = arguments[0] if arguments else Any
            return container(_converted(one, inner, name) for one in value)
        if issubclass(container, Mapping):
            inner = arguments[1] if arguments else Any
            return {key: _converted(one, inner, name) for key, one in dict(value).items()}
    return _scalar(value, kind)


def _scalar(value: Any, kind: Any) -> Any:
    if kind is str:
        if not isinstance(value, str):
            raise TypeError
        return value
    if kind is bool:
        return {"true": True, "1": True, "false": False, "0": False}[str(value).lower()]
    if kind is int:
        if isinstance(value, bool | float):
            raise TypeError
        return int(value)
    if kind is bytes:
        return base64.b64decode(value, validate=True)
    if kind is datetime.timedelta:
        return datetime.timedelta(seconds=float(value))
    if kind in (datetime.datetime, datetime.date, datetime.time):
        return kind.fromisoformat(value)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        for member in kind:
            if member.value == value or str(member.value) == value:
                return member
        raise ValueError
    return kind(value)
