"""The library that checks values (jsonschema-rs, the extra `schema`): imported when needed.

It takes 20 ms and 10 MB, which a server without schemas need not have.
"""

from __future__ import annotations

from typing import Any, Protocol

from headwater.errors import HeadwaterError
from headwater.schemas.limits import PATTERN_BYTES

INSTALL = "pip install 'headwater[schema]'"

DIALECTS = {
    "https://json-schema.org/draft/2020-12/schema": "Draft202012Validator",
    "https://json-schema.org/draft/2019-09/schema": "Draft201909Validator",
    "http://json-schema.org/draft-07/schema": "Draft7Validator",
}
"""`$schema` without a `#` behind it, and the library's class for it."""

DEFAULT_DIALECT = "https://json-schema.org/draft/2020-12/schema"
DRAFT_07 = "http://json-schema.org/draft-07/schema"


class LibraryMissingError(HeadwaterError):
    """The package is not installed."""


class SchemaError(HeadwaterError):
    """A text is no schema that can be used; the message says where and why."""


class Validator(Protocol):
    """What is used of the library's validators."""

    def is_valid(self, instance: Any) -> bool: ...

    def validate(self, instance: Any) -> None: ...


def load() -> Any:
    """The library's module; raises LibraryMissingError."""
    try:
        import jsonschema_rs
    except ImportError as error:
        raise LibraryMissingError(f"jsonschema-rs is not installed: {INSTALL}") from error
    return jsonschema_rs


def validate_schema(dialect: str, schema: dict[str, Any]) -> None:
    """Check a schema against the schema of schemas; raises SchemaError."""
    library = load()
    try:
        library.meta.validate({**schema, "$schema": dialect})
    except Exception as error:
        raise SchemaError(_said(error)) from None
    except BaseException as error:
        raise _unpanicked(error) from None


def make_validator(dialect: str, schema: Any) -> Validator:
    """A validator of values for a schema without references; raises SchemaError.

    Patterns are matched in time linear to the text, so there are no lookarounds and no
    backreferences. Formats are checked. Nothing is fetched.
    """
    library = load()
    make = getattr(library, DIALECTS[dialect])
    options = library.RegexOptions(size_limit=PATTERN_BYTES, dfa_size_limit=PATTERN_BYTES)
    try:
        validator: Validator = make(
            schema, validate_formats=True, pattern_options=options, offline=True
        )
    except Exception as error:
        text = _said(error)
        if text.endswith('is not a "regex"'):
            text += " (lookarounds and backreferences are not supported, nor very big patterns)"
        raise SchemaError(text) from None
    except BaseException as error:
        raise _unpanicked(error) from None
    return validator


def is_valid(validator: Validator, value: Any) -> bool:
    """Whether a value is valid; what the library can not read (half a surrogate pair) is not."""
    try:
        return validator.is_valid(value)
    except Exception:
        return False
    except BaseException as error:
        _unpanicked(error)
        return False


def first_error(validator: Validator, value: Any) -> tuple[list[str | int], str]:
    """Where in an invalid value something is wrong, and what."""
    try:
        validator.validate(value)
    except Exception as error:
        return list(getattr(error, "instance_path", ())), str(getattr(error, "message", error))
    except BaseException as error:
        return [], str(_unpanicked(error))
    return [], "does not fit the schema"


def _said(error: Exception) -> str:
    path = getattr(error, "instance_path", None)
    text = str(getattr(error, "message", error))
    if path:
        return f"{'.'.join(map(str, path))}: {text}"
    return text


def _unpanicked(error: BaseException) -> SchemaError:
    """A panic of the library is no reason for the server to end; raises everything else again."""
    if type(error).__name__ != "PanicException":
        raise error
    return SchemaError("the library failed on it")
