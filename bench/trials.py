"""The trials, as data: one row of TRIALS for each; its figures are rows of the report.

To add a trial: write a function that takes the servers and a Plan and returns figures, each with
the goal it has (a ratio to redis-server's, a value, or both), in a module that says what is
measured and how; then add a row.
"""

from __future__ import annotations

from bench import deleting, embedded, memory, reading, recovery, saving, starting
from bench.cases import EMBEDDED, LATENCY, MEMORY
from bench.figures import Trial

TRIALS: tuple[Trial, ...] = (
    Trial("memory of orders", memory.orders, MEMORY, rounds=1),
    Trial("memory of small streams", memory.small_streams, MEMORY, rounds=1),
    Trial("memory while a slow reader reads", reading.slow_reader, MEMORY, rounds=2),
    Trial("start of an empty server", starting.measure, LATENCY),
    Trial("XADD while another reads", reading.range_reader, LATENCY, rounds=3),
    Trial("XADD while a stream is deleted", deleting.measure, LATENCY, rounds=2),
    Trial("recovery", recovery.measure, rounds=3),
    Trial("BGSAVE", saving.measure, LATENCY, rounds=3),
    Trial("in the program's own process", embedded.trial, EMBEDDED),
)
