"""FUNCTION and FCALL: libraries of functions, which are data, and calling them."""

from __future__ import annotations

from headwater import errors
from headwater.commands.help import help_of
from headwater.commands.script_calls import NO_WRITES
from headwater.commands.scripts import run_script
from headwater.commands.session import Session
from headwater.commands.table import command
from headwater.glob import matches
from headwater.raw import monotonic_us
from headwater.rdb.encoder import dump_libraries
from headwater.rdb.loader import PayloadFooterError, load_libraries
from headwater.rdb.source import RdbError
from headwater.resp.reply import Reply
from headwater.resp.request import Request
from headwater.scripting.functions import APPEND, FLUSH, REPLACE, FunctionError, Functions, Library

ENGINE = b"LUA"


def _functions(session: Session) -> Functions:
    functions: Functions = session.state.scripting.functions
    return functions


# --- calling ---


def _call(session: Session, request: Request, reply: Reply, read_only: bool) -> None:
    functions = _functions(session)
    function = functions.find(request.name(1))
    if function is None:
        raise errors.FUNCTION_NOT_FOUND.error()
    try:
        request.integer(2)
    except errors.CommandError:
        raise errors.FUNCTION_KEYS.error() from None
    flags = function.flags
    if read_only and not flags & NO_WRITES:
        raise errors.SCRIPT_WRITES_IN_RO.error()
    host = session.state.scripting.host
    run_script(
        session, reply, functions.vm(), host, function.name, request, flags, True, function.key
    )


def fcall(session: Session, request: Request, reply: Reply) -> None:
    _call(session, request, reply, False)


def fcall_ro(session: Session, request: Request, reply: Reply) -> None:
    _call(session, request, reply, True)


# --- libraries ---


def function_load(session: Session, request: Request, reply: Reply) -> None:
    last = request.argc - 1
    for i in range(2, last):
        if not request.text_equals(i, b"REPLACE"):
            raise errors.FUNCTION_LOAD_OPTION.error(request.arg(i))
    code = request.arg(last)
    try:
        name = _functions(session).load(code, last > 2)
    except FunctionError as error:
        raise errors.FUNCTION_REFUSED.error(error.text) from None
    session.state.recorder.load_library(name, code)
    session.state.keyspace.dirty += 1
    reply.bulk(name)


def function_delete(session: Session, request: Request, reply: Reply) -> None:
    name = request.arg(2)
    if not _functions(session).delete(name):
        raise errors.LIBRARY_NOT_FOUND.error()
    session.state.recorder.delete_library(name)
    session.state.keyspace.dirty += 1
    reply.ok()


def function_flush(session: Session, request: Request, reply: Reply) -> None:
    if request.argc > 3:
        raise errors.SUBCOMMAND_ARGUMENTS.error(request.arg(1), "FUNCTION")
    if request.argc == 3 and not (
        request.text_equals(2, b"SYNC") or request.text_equals(2, b"ASYNC")
    ):
        raise errors.FUNCTION_FLUSH_MODE.error()
    functions = _functions(session)
    if functions.codes():
        session.state.recorder.flush_libraries()
    functions.flush()
    session.state.keyspace.dirty += 1
    reply.ok()


def function_restore(session: Session, request: Request, reply: Reply) -> None:
    if request.argc > 4:
        raise errors.SUBCOMMAND_ARGUMENTS.error(request.arg(1), "FUNCTION")
    policy = APPEND
    if request.argc == 4:
        if request.text_equals(3, b"FLUSH"):
            policy = FLUSH
        elif request.text_equals(3, b"REPLACE"):
            policy = REPLACE
        elif not request.text_equals(3, b"APPEND"):
            raise errors.FUNCTION_RESTORE_POLICY.error()
    try:
        codes = load_libraries(request.arg(2))
    except PayloadFooterError:
        raise errors.RESTORE_FOOTER.error() from None
    except RdbError as error:
        raise errors.FUNCTION_REFUSED.error(error.text) from None
    functions = _functions(session)
    try:
        names = functions.restore(codes, policy)
    except FunctionError as error:
        raise errors.FUNCTION_REFUSED.error(error.text) from None
    recorder = session.state.recorder
    if policy == FLUSH:
        recorder.flush_libraries()
    for name, code in zip(names, codes, strict=True):
        recorder.load_library(name, code)
    session.state.keyspace.dirty += 1
    reply.ok()


def function_dump(session: Session, request: Request, reply: Reply) -> None:
    codes = _functions(session).codes()
    reply.bulk(dump_libraries(codes, session.state.config.get_bool("rdbcompression")))


# --- what there is ---


def function_list(session: Session, request: Request, reply: Reply) -> None:
    pattern = None
    with_code = False
    i = 2
    while i < request.argc:
        if not with_code and request.text_equals(i, b"WITHCODE"):
            with_code = True
        elif pattern is None and request.text_equals(i, b"LIBRARYNAME"):
            i += 1
            if i == request.argc:
                raise errors.FUNCTION_LIST_NAME.error()
            pattern = request.arg(i)
        else:
            raise errors.FUNCTION_LIST_OPTION.error(request.arg(i))
        i += 1
    libraries = _functions(session).libraries()
    if pattern is not None:
        libraries = [library for library in libraries if matches(pattern, library.name, True)]
    reply.array(len(libraries))
    for library in libraries:
        _describe(library, reply, with_code)


def _describe(library: Library, reply: Reply, with_code: bool) -> None:
    reply.map(4 if with_code else 3)
    reply.bulk(b"library_name")
    reply.bulk(library.name)
    reply.bulk(b"engine")
    reply.bulk(ENGINE)
    reply.bulk(b"functions")
    reply.array(len(library.functions))
    for function in library.functions.values():
        reply.map(3)
        reply.bulk(b"name")
        reply.bulk(function.name)
        reply.bulk(b"description")
        if function.description is None:
            reply.null()
        else:
            reply.bulk(function.description)
        reply.bulk(b"flags")
        names = function.flag_names()
        reply.set(len(names))
        for name in names:
            reply.simple(name)
    if with_code:
        reply.bulk(b"library_code")
        reply.bulk(library.code)


def function_stats(session: Session, request: Request, reply: Reply) -> None:
    scripting = session.state.scripting
    functions = _functions(session)
    host = scripting.host
    running = host.caller is not None
    if running and not host.runs_function:
        raise errors.CommandError(scripting.busy_text())
    reply.map(2)
    reply.bulk(b"running_script")
    if running:
        reply.map(3)
        reply.bulk(b"name")
        reply.bulk(host.name)
        reply.bulk(b"command")
        reply.array(len(host.words))
        for word in host.words:
            reply.bulk(word)
        reply.bulk(b"duration_ms")
        reply.integer((monotonic_us() - host.started_us) // 1000)
    else:
        reply.null()
    reply.bulk(b"engines")
    reply.map(1)
    reply.bulk(ENGINE)
    reply.map(2)
    reply.bulk(b"libraries_count")
    reply.integer(len(functions.libraries()))
    reply.bulk(b"functions_count")
    reply.integer(functions.count())


def function_kill(session: Session, request: Request, reply: Reply) -> None:
    session.state.scripting.kill(True)
    reply.ok()


command("FCALL")(fcall)
command("FCALL_RO")(fcall_ro)
command("FUNCTION DELETE")(function_delete)
command("FUNCTION DUMP")(function_dump)
command("FUNCTION FLUSH")(function_flush)
command("FUNCTION HELP")(help_of("FUNCTION"))
command("FUNCTION KILL")(function_kill)
command("FUNCTION LIST")(function_list)
command("FUNCTION LOAD")(function_load)
command("FUNCTION RESTORE")(function_restore)
command("FUNCTION STATS")(function_stats)
