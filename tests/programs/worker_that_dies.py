"""A worker of a consumer group, as its author would write it: read, process, acknowledge.

    worker_that_dies.py port stream group consumer [--acknowledge]

Says what it gets. Without --acknowledge it works on its first entries for ever, so that somebody
can end it in the middle.
"""

from __future__ import annotations

import sys
import time

import redis

port, stream, group, consumer = sys.argv[1:5]
client = redis.Redis(port=int(port), decode_responses=True)
print("ready", flush=True)
while True:
    for _, entries in client.xreadgroup(group, consumer, {stream: ">"}, count=10, block=30_000):
        for entry_id, _ in entries:
            print("took", entry_id, flush=True)
        if "--acknowledge" not in sys.argv:
            time.sleep(3600)
        for entry_id, _ in entries:
            client.xack(stream, group, entry_id)
            print("done", entry_id, flush=True)
