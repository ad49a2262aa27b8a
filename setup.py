"""Compile the hot modules. HEADWATER_EXT=auto (default) | require | skip; see CONTRIBUTING.md."""

import os
import sys

from setuptools import Extension, setup

COMPILED = (
    "clock",
    "commands.claims",
    "commands.dispatch",
    "commands.groups",
    "commands.reading",
    "commands.session",
    "commands.state",
    "commands.stream_options",
    "commands.streams",
    "commands.table",
    "keyspace.database",
    "keyspace.expiry",
    "keyspace.order",
    "keyspace.strings",
    "keyspace.waiters",
    "raw",
    "resp.parser",
    "resp.reply",
    "resp.request",
    "server.connection",
    "streams.block",
    "streams.delivery",
    "streams.group",
    "streams.idmp",
    "streams.ids",
    "streams.lag",
    "streams.listpack",
    "streams.pending",
    "streams.range",
    "streams.records",
    "streams.references",
    "streams.stream",
    "streams.trim",
    "value",
)
DIRECTIVES = {
    "language_level": 3,
    "annotation_typing": False,
    "boundscheck": False,
    "wraparound": False,
    "cdivision": True,
    "initializedcheck": False,
}


def extensions(mode):
    if mode == "skip":
        return []
    try:
        from Cython.Build import cythonize
    except ImportError:
        if mode == "require":
            raise
        print("headwater: Cython is missing, nothing is compiled", file=sys.stderr)
        return []
    only = os.environ.get("HEADWATER_ONLY", "")
    names = only.split(",") if only else COMPILED
    return cythonize(
        [
            Extension(
                f"headwater.{name}",
                [f"src/headwater/{name.replace('.', '/')}.{'pyx' if name == 'raw' else 'py'}"],
                optional=mode == "auto",
                extra_compile_args=["-O2", "-Wno-unused-function"],
            )
            for name in names
        ],
        compiler_directives=DIRECTIVES,
        nthreads=os.cpu_count() or 1,
        build_dir="build/cython",
        annotate=bool(os.environ.get("HEADWATER_ANNOTATE")),
    )


if __name__ == "__main__":
    setup(ext_modules=extensions(os.environ.get("HEADWATER_EXT", "auto")))
