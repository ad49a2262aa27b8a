"""XSCHEMA: the schema that the entries of a stream have to fit, and its versions."""

from __future__ import annotations

from headwater import errors
from headwater.commands.help import help_of
from headwater.commands.schema_check import printed, told
from headwater.commands.session import Session
from headwater.commands.streams import stream_to_read, stream_to_write
from headwater.commands.table import command
from headwater.keyspace.notifications import STREAM
from headwater.resp.reply import Reply
from headwater.resp.request import Request
from headwater.schemas.compat import incompatibilities
from headwater.schemas.document import Document, read_document
from headwater.schemas.entries import Checker
from headwater.schemas.faults import named, plain
from headwater.schemas.library import LibraryMissingError, SchemaError
from headwater.schemas.versions import COMPAT_NAMES, NONE, Schemas, SchemaVersion, with_version
from headwater.streams.stream import Stream

_REASON_CHARACTERS = 500

command("XSCHEMA HELP")(help_of("XSCHEMA"))


@command("XSCHEMA SET")
def xschema_set(session: Session, request: Request, reply: Reply) -> None:
    """XSCHEMA SET key json-schema [COMPAT none|backward|forward|full]: the version's number."""
    key, text = request.name(2), request.arg(3)
    given = _compat(request)
    database = session.database
    stream = stream_to_write(database, key)
    schemas = None if stream is None else stream.schema
    compat, number = NONE, 1
    if schemas is not None:
        compat, number = schemas.current.compat, schemas.current.number + 1
    if given is not None:
        compat = given
    checker = None
    if schemas is None or text != schemas.current.text:
        document, checker = _read(key, text, b"SET")
        reasons = _reasons(schemas, compat, document)
        if reasons:
            raise errors.SCHEMA_MISFIT.error(printed(named(key)), number, told(reasons))
    else:
        number -= 1
        if compat == schemas.current.compat:
            reply.integer(number)
            return
    version = SchemaVersion(number, compat, session.state.clock.now_ms, text)
    is_new = stream is None
    if stream is None:
        stream = Stream()
    stream.schema = with_version(schemas, version)
    if checker is not None:
        stream.schema.checker = checker
    session.state.recorder.set_schema(
        database.index, key, number, compat, version.set_ms, text, is_new
    )
    if is_new:
        database.add(key, stream)
    database.signal_modified(key)
    database.notify(STREAM, b"xschema-set", key)
    reply.integer(number)


@command("XSCHEMA CHECK")
def xschema_check(session: Session, request: Request, reply: Reply) -> None:
    """XSCHEMA CHECK key json-schema: why SET would refuse it; empty: it would not."""
    schemas = _schemas(session, request)
    try:
        document = read_document(request.arg(3))
        Checker(document)
        compat = NONE if schemas is None else schemas.current.compat
        reasons = _reasons(schemas, compat, document)
    except LibraryMissingError:
        raise errors.SCHEMA_LIBRARY.error(b"CHECK") from None
    except SchemaError as error:
        reasons = [str(error)]
    reply.array(len(reasons))
    for reason in reasons:
        reply.bulk(printed(plain(reason, _REASON_CHARACTERS)))


@command("XSCHEMA GET")
def xschema_get(session: Session, request: Request, reply: Reply) -> None:
    """XSCHEMA GET key [VERSION n]: its text; nil if there is none."""
    number = None
    if request.argc > 3:
        if request.argc != 5 or not request.text_equals(3, b"VERSION"):
            raise errors.SCHEMA_GET_SYNTAX.error()
        number = request.integer(4)
    schemas = _schemas(session, request)
    version = None
    if schemas is not None:
        version = schemas.current if number is None else schemas.version(number)
    if version is None:
        reply.null()
    else:
        reply.bulk(version.text)


@command("XSCHEMA LIST")
def xschema_list(session: Session, request: Request, reply: Reply) -> None:
    """XSCHEMA LIST key: a map for each version, the oldest first."""
    schemas = _schemas(session, request)
    versions = [] if schemas is None else schemas.versions
    reply.array(len(versions))
    for version in versions:
        reply.map(3)
        reply.bulk(b"version")
        reply.integer(version.number)
        reply.bulk(b"compat")
        reply.bulk(COMPAT_NAMES[version.compat])
        reply.bulk(b"set-at")
        reply.integer(version.set_ms)


@command("XSCHEMA DEL")
def xschema_del(session: Session, request: Request, reply: Reply) -> None:
    """XSCHEMA DEL key: 1, or 0 if there was no schema; all versions go, the entries stay."""
    key = request.arg(2)
    database = session.database
    stream = stream_to_write(database, key)
    if stream is None or stream.schema is None:
        reply.integer(0)
        return
    stream.schema = None
    session.state.recorder.delete_schema(database.index, key)
    database.signal_modified(key)
    database.notify(STREAM, b"xschema-del", key)
    reply.integer(1)


def _compat(request: Request) -> int | None:
    """[COMPAT none|backward|forward|full] of XSCHEMA SET."""
    if request.argc == 4:
        return None
    if request.argc != 6 or not request.text_equals(4, b"COMPAT"):
        raise errors.SCHEMA_SET_SYNTAX.error()
    name = request.arg(5).lower()
    if name not in COMPAT_NAMES:
        raise errors.SCHEMA_COMPAT.error()
    return COMPAT_NAMES.index(name)


def _schemas(session: Session, request: Request) -> Schemas | None:
    stream = stream_to_read(session.database, request.name(2))
    if stream is None:
        return None
    schemas: Schemas | None = stream.schema
    return schemas


def _read(key: bytes, text: bytes, name: bytes) -> tuple[Document, Checker]:
    """A schema and what checks entries against it; raises an error reply."""
    try:
        document = read_document(text)
        return document, Checker(document)
    except LibraryMissingError:
        raise errors.SCHEMA_LIBRARY.error(name) from None
    except SchemaError as error:
        raise errors.SCHEMA_INVALID.error(printed(named(key)), told([str(error)])) from None


def _reasons(schemas: Schemas | None, compat: int, document: Document) -> list[str]:
    """Why a schema can not be the next version."""
    if schemas is None or compat == NONE:
        return []
    current = schemas.current
    try:
        old = read_document(current.text)
    except SchemaError as error:
        return [f"v{current.number} can not be read, so nothing compares with it: {error}"]
    return incompatibilities(compat, old, current.number, document, current.number + 1)
