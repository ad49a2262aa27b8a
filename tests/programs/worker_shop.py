"""Workers of headwater.worker as tests run them: what they do is written down line by line.

    worker_shop.py sync|async URL STREAM GROUP RECORD [OPTIONS as JSON]

An order's `do` field says how the handler takes it: "ok", "fail" (always), "reject", "hang" (until
the file RECORD.go is there), "sleep" (for ever), or "exit" (the process dies, as by kill -9).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from headwater.worker import AsyncConsumer, Consumer, Reject

KIND, URL, STREAM, GROUP, RECORD, *REST = sys.argv[1:]
OPTIONS: dict[str, Any] = json.loads(REST[0]) if REST else {}
GO = Path(RECORD + ".go")


def note(*words: object) -> None:
    """A line in the record, whole or not at all."""
    line = (" ".join(map(str, words)) + "\n").encode()
    descriptor = os.open(RECORD, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, line)
    os.close(descriptor)
    os.write(1, line)


def begin(order: dict[str, str]) -> str:
    """Take what needs no waiting; returns what is to be waited for."""
    do = order.get("do", "ok")
    note("began", order["number"], do)
    if do == "fail":
        raise ValueError(f"order {order['number']} cannot be done")
    if do == "reject":
        raise Reject("nobody wants this")
    if do == "exit":
        os.kill(os.getpid(), signal.SIGKILL)
    return do


def work(entry: Any) -> None:
    do = begin(entry.data)
    while (do == "hang" and not GO.exists()) or do == "sleep":
        time.sleep(0.01)
    note("done", entry.data["number"])


async def work_async(entry: Any) -> None:
    do = begin(entry.data)
    while (do == "hang" and not GO.exists()) or do == "sleep":
        await asyncio.sleep(0.01)
    note("done", entry.data["number"])


def main() -> None:
    logging.basicConfig(level=logging.INFO, stream=sys.stdout)
    note("started", os.getpid())
    if KIND == "sync":
        Consumer(URL, STREAM, GROUP, **OPTIONS).run(work)
    else:
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(AsyncConsumer(URL, STREAM, GROUP, **OPTIONS).run(work_async))
    note("ended")


if __name__ == "__main__":
    main()
