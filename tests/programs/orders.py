"""Run examples/orders.py with a business logic that keeps a record of what it did.

    orders.py RECORD FUNCTION ARGUMENT...

A line of the file RECORD for each order that was processed: its customer and its ID. Orders whose
totalAmount is no number are refused, with an error. REDIS_URL says where the server is.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import time
from pathlib import Path
from typing import Any

PROGRAM = Path(__file__).parents[2] / "examples" / "orders.py"
SECONDS_EACH = 0.005


def load() -> Any:
    spec = importlib.util.spec_from_file_location("example", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main(record: str, function: str, *words: str) -> None:
    example = load()
    descriptor = os.open(record, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def process(order: dict[str, str]) -> None:
        float(order["totalAmount"])
        time.sleep(SECONDS_EACH)
        os.write(descriptor, f"{order['customer']} {order['orderId']}\n".encode())

    example.process_order = process
    example.DELIVERY[example.DELIVERY.index("BACKOFF") + 1] = 50
    example.DELIVERY[example.DELIVERY.index(10_000)] = 100
    example.DELIVERY[example.DELIVERY.index(60_000)] = 200
    print("started", flush=True)
    example.main(function, *words)


main(*sys.argv[1:])
