"""The program that runs the Python blocks of one page, in one namespace, one after the other.

It reads a block as a line of JSON, and writes lines of JSON: what is printed, as it is printed;
the value of each line that has a `# ->` comment; that a server is needed; how the block ended.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import io
import json
import linecache
import os
import signal
import sys
import threading
import tokenize
import traceback
import types
from typing import Any, TextIO

from . import page_ports

MARK = "# ->"


class Told(io.TextIOBase):
    """What stands for sys.stdout."""

    def __init__(self, channel: TextIO) -> None:
        self._channel = channel
        self._lock = threading.Lock()
        self.kept: list[list[str]] = []

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        for kept in self.kept:
            kept.append(text)
        self.say(out=text)
        return len(text)

    def say(self, **words: object) -> None:
        with self._lock:
            self._channel.write(json.dumps(words) + "\n")
            self._channel.flush()


class Printed:
    """Around a print() whose line says what it prints."""

    def __init__(self, told: Told, line: int) -> None:
        self._told, self._line = told, line
        self._texts: list[str] = []

    def __enter__(self) -> None:
        self._told.kept.append(self._texts)

    def __exit__(self, *exc: object) -> None:
        self._told.kept.remove(self._texts)
        self._told.say(line=self._line, value="".join(self._texts).rstrip("\n"))


class Marking(ast.NodeTransformer):
    """Has each statement whose last line is marked tell its value."""

    def __init__(self, lines: set[int]) -> None:
        self._left = set(lines)
        self._lines = lines

    def generic_visit(self, node: ast.AST) -> Any:
        if isinstance(node, ast.Expr | ast.Assign | ast.AnnAssign):
            return self._statement(node)
        return super().generic_visit(node)

    def _statement(self, node: ast.Expr | ast.Assign | ast.AnnAssign) -> Any:
        line = node.end_lineno or 0
        if line not in self._lines:
            return node
        self._left.discard(line)
        if isinstance(node, ast.Expr):
            value = node.value
            if isinstance(value, ast.Call) and ast.unparse(value.func) == "print":
                holder = ast.parse(f"with __printed__({line}):\n    pass").body[0]
                assert isinstance(holder, ast.With)
                holder.body = [node]
                return ast.fix_missing_locations(ast.copy_location(holder, node))
            call = ast.parse(f"__shown__({line}, 0)").body[0]
            assert isinstance(call, ast.Expr)
            assert isinstance(call.value, ast.Call)
            call.value.args[1] = value
            return ast.fix_missing_locations(ast.copy_location(call, node))
        target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
        after = ast.parse(f"__shown__({line}, {ast.unparse(target)})").body[0]
        return [node, ast.fix_missing_locations(ast.copy_location(after, node))]

    def check(self) -> None:
        if self._left:
            raise SyntaxError(f"nothing on line {sorted(self._left)} has a value for `{MARK}`")


def marked_lines(source: str) -> set[int]:
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {
        token.start[0]
        for token in tokens
        if token.type == tokenize.COMMENT and token.string.startswith(MARK)
    }


def main() -> None:
    requests = os.fdopen(os.dup(0), "r", encoding="utf-8")
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what other programs print goes to the log
    told = Told(channel)
    answers = threading.Lock()

    def need_server(port: int) -> None:
        if port == 6379:
            with answers:
                told.say(need="server")
                requests.readline()

    page_ports.redirect(need_server)
    sys.stdout = told  # type: ignore[assignment]
    sys.path.insert(0, os.getcwd())
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    space = module.__dict__
    space["__shown__"] = lambda line, value: told.say(line=line, value=repr(value))
    space["__printed__"] = lambda line: Printed(told, line)
    runner: asyncio.Runner | None = None
    while request := requests.readline():
        block = json.loads(request)
        source = "\n" * (block["line"] - 1) + block["text"] + "\n"
        name = block["page"]
        linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
        ended: dict[str, object] = {"ended": "well"}
        try:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            marking = Marking(marked_lines(source))
            tree = marking.visit(ast.parse(source, name))
            marking.check()
            flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
            code = compile(tree, name, "exec", flags=flags, dont_inherit=True)
            if code.co_flags & inspect.CO_COROUTINE:
                runner = runner or asyncio.Runner()
                runner.run(types.FunctionType(code, space)())
            else:
                exec(code, space)
        except KeyboardInterrupt:
            ended = {"ended": "interrupted"}
        except BaseException as error:
            names = [kind.__name__ for kind in type(error).__mro__]
            ended = {"ended": "raised", "names": names, "trace": traceback.format_exc()}
        told.say(**ended)
    if runner is not None:
        runner.close()


if __name__ == "__main__":
    main()
