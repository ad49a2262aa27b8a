"""Compile the hot modules; what HEADWATER_EXT=auto|require|skip means is in CONTRIBUTING.md.

Without any (skip) the wheel is py3-none-any. A source distribution holds no C: nothing is compiled
to make one, and who builds from it has the C made anew.
"""

import os
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

COMPILED = (
    "clock", "glob", "raw", "value", "xxh3",
    "acl.patterns", "acl.plans", "acl.selectors",
    "commands.blocking", "commands.channels", "commands.claims", "commands.connection",
    "commands.dispatch", "commands.groups", "commands.list_pops", "commands.lists",
    "commands.memory_limit", "commands.nacks", "commands.permissions", "commands.pubsub",
    "commands.queue", "commands.reading", "commands.redelivering", "commands.retention",
    "commands.script_calls", "commands.scripts", "commands.session", "commands.settling",
    "commands.state", "commands.stream_options", "commands.streams", "commands.strings",
    "commands.strings_lcs", "commands.strings_numbers", "commands.strings_options",
    "commands.table", "commands.transactions",
    "embedded.basics", "embedded.caller", "embedded.packing", "embedded.session",
    "embedded.streams",
    "journal.batches", "journal.format", "journal.managed", "journal.operands",
    "journal.ordered", "journal.reader", "journal.recorder", "journal.schedules",
    "keyspace.cut", "keyspace.database", "keyspace.expiry", "keyspace.order", "keyspace.strings",
    "keyspace.waiters",
    "lists.elements", "lists.limits", "lists.list", "lists.node", "lists.run",
    "persistence.apply", "persistence.apply_libraries", "persistence.apply_lists",
    "persistence.apply_managed", "persistence.apply_ordered", "persistence.apply_schedules",
    "persistence.committer", "persistence.operands", "persistence.snapshot",
    "rdb.crc64", "rdb.encoder", "rdb.list_decoder", "rdb.list_encoder", "rdb.listpack",
    "rdb.loader", "rdb.lzf", "rdb.node_decoder", "rdb.output", "rdb.skipping", "rdb.source",
    "rdb.stream_decoder", "rdb.stream_encoder",
    "resp.decoder", "resp.entries", "resp.parser", "resp.reply", "resp.request",
    "scripting.vm",
    "server.connection", "server.gate", "server.poller", "server.shared", "server.tls",
    "streams.block", "streams.codec", "streams.counts", "streams.delivery", "streams.digests",
    "streams.due", "streams.group", "streams.handles", "streams.held", "streams.idmp",
    "streams.ids", "streams.lag", "streams.lanes", "streams.listpack", "streams.ordering",
    "streams.packing", "streams.pending", "streams.range", "streams.records",
    "streams.redelivery", "streams.references", "streams.retention", "streams.schedule",
    "streams.settings", "streams.sorted_pages", "streams.stream", "streams.trim",
)  # fmt: skip
DIRECTIVES = {
    "language_level": 3,
    "annotation_typing": False,  # hints are for mypy; C types stand in the .pxd
    "boundscheck": False,
    "wraparound": False,
    "cdivision": True,
    "initializedcheck": False,
    "auto_pickle": False,  # nothing is pickled, and the code for it is half of a module
}
SHARED = "headwater._shared"
"""Made by Cython: what it would put into each module that has to do with memoryviews, 80 KB."""
MODE = os.environ.get("HEADWATER_EXT") or "auto"
ONLY = os.environ.get("HEADWATER_ONLY")  # module names, comma separated, for quick experiments
ANNOTATE = bool(os.environ.get("HEADWATER_ANNOTATE"))  # HTML that shows which lines cost Python
CHECKED = bool(os.environ.get("HEADWATER_CHECKED"))  # end at an access outside of a buffer
CPUS = os.cpu_count() or 1
if CHECKED:
    DIRECTIVES["boundscheck"] = True


def give_up(error):
    """Say loudly that nothing is compiled; in require mode, fail."""
    if MODE == "require":
        sys.exit(f"headwater is not installed: {error}")
    line = "!" * 78
    print(f"{line}\nheadwater is installed INTERPRETED: {error}\n{line}", file=sys.stderr)


class Compile(build_ext):
    """All or nothing: compiled modules call each other in C, so some of them are no use."""

    def run(self):
        try:
            super().run()
        except Exception as error:
            give_up(error)
            for suffix in ("*.so", "*.pyd"):
                for path in Path(self.build_lib).rglob(suffix):
                    path.unlink()
            self.extensions = []


def extensions():
    """The Extension of each compiled module, its C source up to date."""
    if os.name == "nt":
        flags = ["/O2"]
    else:
        flags = ["-O2", "-g0", "-Wno-unused-function"]
        flags += ["-Werror=sign-compare"] * (MODE == "require")
    flags += ["-DHEADWATER_CHECKED"] * CHECKED
    listed = []
    for name in ONLY.split(",") if ONLY else COMPILED:
        base = Path("src/headwater", *name.split("."))
        source = base.with_suffix(".pyx" if base.with_suffix(".pyx").exists() else ".py")
        listed.append(Extension(f"headwater.{name}", [str(source)], extra_compile_args=flags))
    listed.append(Extension(SHARED, ["src/headwater/_shared.c"], extra_compile_args=flags))
    folder = Path("build/annotated" if ANNOTATE else "build/cython")
    # What was made with other directives is not up to date.
    older = [c for c in folder.rglob("*.c") if c.stat().st_mtime < os.stat("setup.py").st_mtime]
    try:
        from Cython.Build import cythonize

        return cythonize(
            listed,
            compiler_directives=DIRECTIVES,
            shared_utility_qualified_name=SHARED,
            nthreads=CPUS if sys.platform == "linux" else 0,
            build_dir=str(folder),
            annotate=ANNOTATE,
            force=bool(older),
            quiet=True,
        )
    except Exception as error:
        give_up(error)
        return []


def drop_stale():
    """Take files of modules that are gone out of build/lib*, or they would be installed again."""
    for path in Path("build").glob("lib*/headwater/**/*.*"):
        inside = Path(*path.parts[2:])
        if path.suffix in (".so", ".pyd"):
            name = inside.name.partition(".")[0]
            wanted = ".".join([*inside.parts[1:-1], name]) in (*COMPILED, "_shared")
        else:
            wanted = Path("src", inside).exists()
        if not wanted:
            path.unlink()


if __name__ == "__main__":
    drop_stale()
    setup(
        ext_modules=[] if MODE == "skip" or "sdist" in sys.argv else extensions(),
        cmdclass={"build_ext": Compile},
        options={"build_ext": {"parallel": CPUS}},
    )
