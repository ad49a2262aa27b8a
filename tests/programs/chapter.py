"""Run examples/chapter/orders.py, unchanged, against a server on another port than 6379.

    chapter.py PORT [--fail ORDER | --stall ORDER] FUNCTION ARGUMENT...

The program itself says port 6379, so the client library is what is changed: it connects to PORT
instead. Its business logic, `process_order`, is the user's to write: with --fail it raises for this
order, with --stall it never returns from it.
"""

from __future__ import annotations

import importlib.util
import signal
import sys
from pathlib import Path
from typing import Any

import redis

PROGRAM = Path(__file__).parents[2] / "examples" / "chapter" / "orders.py"


def redirect(port: int) -> None:
    original = redis.Redis.__init__

    def connect_elsewhere(self: Any, *args: Any, **options: Any) -> None:
        if options.get("port") == 6379:
            options["port"] = port
        original(self, *args, **options)

    redis.Redis.__init__ = connect_elsewhere  # type: ignore[method-assign]


def load() -> Any:
    spec = importlib.util.spec_from_file_location("orders", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main() -> None:
    words = sys.argv[1:]
    redirect(int(words.pop(0)))
    orders = load()
    original = orders.process_order
    if words[0] in ("--fail", "--stall"):
        behaviour, order = words.pop(0), words.pop(0)

        def process(fields: dict[str, str]) -> None:
            if fields.get("orderId") != order:
                original(fields)
            elif behaviour == "--fail":
                raise ValueError(f"order {order} is poison")
            else:
                print(f"stalled in {order}", flush=True)
                signal.pause()

        orders.process_order = process
    getattr(orders, words[0])(*words[1:])


main()
