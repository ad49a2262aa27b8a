"""A consumer as the guides have it: read, process, acknowledge; it knows nothing of retries.

`self_managing.py PORT NAME PATH` reads `orders` as NAME in the group `workers`. Processing is a
line in the file PATH: customer, number, entry ID, unix ms. Entries with the field `poison` can not
be processed. It goes on for ever, also while the server is away.
"""

from __future__ import annotations

import os
import sys
import time

import redis

BLOCK_MS = 500


def main(port: int, name: str, path: str) -> None:
    log = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    client = redis.Redis(port=port, decode_responses=True, retry=None)
    print("ready")
    while True:
        try:
            for _, entries in client.xreadgroup(
                "workers", name, {"orders": ">"}, count=5, block=BLOCK_MS
            ):
                for entry_id, fields in entries:
                    work(client, log, entry_id, fields)
        except (redis.ConnectionError, redis.TimeoutError):
            time.sleep(0.02)  # the server is away


def work(client: redis.Redis, log: int, entry_id: str, fields: dict[str, str]) -> None:
    if "poison" in fields:
        client.execute_command("XNACK", "orders", "workers", "FAIL", "IDS", 1, entry_id)
        return
    now_ms = time.time_ns() // 1_000_000
    line = f"{fields['customer']} {fields['n']} {entry_id} {now_ms}\n"
    os.write(log, line.encode())
    client.xack("orders", "workers", entry_id)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3])
