"""Makes the asyncio methods from the others: `python -m headwater.embedded.twin`.

aio_streams.py and aio_basics.py have every method of streams.py and basics.py as a coroutine.
"""

from __future__ import annotations

import re
from pathlib import Path

FOLDER = Path(__file__).parent
TWINS = {"streams.py": "aio_streams.py", "basics.py": "aio_basics.py"}
_DOCSTRINGS = {
    "streams.py": "The stream commands for asyncio",
    "basics.py": "What is no stream, for asyncio",
}
_IMPORT = "from headwater.embedded import shapes, words\n"


def twin(name: str) -> str:
    """The asyncio text of a file of FOLDER."""
    text = (FOLDER / name).read_text()
    _, _, body = text.split('"""', 2)
    body = re.sub(r"^    def ", "    async def ", body, flags=re.M)
    body = _HOT.sub(_STARTED, body)
    body = re.sub(r"\bself\._(call|run)\(", r"await self._\1(", body)
    body = body.replace("import AS_IS, CLAIMED, ENTRIES, STREAMS, VALUE, Caller", _CALLER_IMPORT)
    body = body.replace("(Caller):", "(AsyncCaller):")
    sync_base = "from headwater.embedded.streams import StreamCommands\n"
    if sync_base in body:
        body = body.replace(sync_base, "").replace(
            _IMPORT, _IMPORT + sync_base.replace("streams import", "aio_streams import")
        )
    body = body.replace("as streams.py says", "as aio_streams.py says")
    if "(AsyncCaller):" in body:
        more = "from headwater.embedded.aio_caller import AsyncCaller\n"
        body = body.replace(_IMPORT, _IMPORT + more)
    about = f"{_DOCSTRINGS[name]}: made from {name} by twin.py, change that one."
    return f'"""{about}"""{body}'


_CALLER_IMPORT = "import AS_IS, CLAIMED, ENTRIES, LATER, STREAMS, VALUE"
# Where calls come most often there is no second coroutine unless the reply has to be awaited.
_HOT = re.compile(r"^( +)(\w+): (\w+) = self\._run\(call, (\w+)\)$", re.M)
_STARTED = r"""\1\2: \3 = self._now(call, \4)
\1if \2 is LATER:
\1    \2 = await self._answer(call, \4)"""


def main() -> None:
    """Write the files."""
    for name, made in TWINS.items():
        (FOLDER / made).write_text(twin(name))


if __name__ == "__main__":
    main()
