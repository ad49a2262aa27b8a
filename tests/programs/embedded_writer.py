"""Writes to an embedded store until it is killed; says on standard output what was acknowledged.

Arguments: the directory, the policy, how it writes (client, pipeline, engine, threads, async).
A line is printed once the reply is there: an ID, or of a transaction the number it has made.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from typing import Any

import headwater
import headwater.aio


def say(*ids: bytes) -> None:
    os.write(1, b"".join(b"%b\n" % entry_id for entry_id in ids))


def by_client(client: Any) -> None:
    n = 0
    while True:
        say(client.xadd("s", {"n": n}))
        n += 1


def by_pipeline(client: Any) -> None:
    while True:
        with client.pipeline() as pipe:
            for n in range(20):
                pipe.xadd("s", {"n": n})
            say(*pipe.execute())


def by_engine(client: Any) -> None:
    while True:
        say(client.store.xadd("s", {"n": "x" * 100}))


async def by_async(path: str, config: dict[str, str]) -> None:
    client = headwater.aio.connect(path, config=config)

    async def write() -> None:
        while True:
            say(await client.xadd("s", {"n": 1}))
            await asyncio.sleep(0)

    await asyncio.gather(*(write() for _ in range(4)))


def main() -> None:
    path, policy, how = sys.argv[1:]
    config = {"appendfsync": policy, "auto-aof-rewrite-min-size": "64kb"}
    if how == "async":
        asyncio.run(by_async(path, config))
    client = headwater.connect(path, config=config)
    if how == "threads":
        for _ in range(7):
            threading.Thread(target=by_client, args=(client,), daemon=True).start()
        by_engine(client)
    {"client": by_client, "pipeline": by_pipeline, "engine": by_engine}[how](client)


main()
