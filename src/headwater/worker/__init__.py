"""Producers and consumers for streams of Headwater, Redis 6.2 and later, and Valkey.

The server is asked what it can do, and does it then: redelivery, back-off and dead letters by
Headwater's group settings, elsewhere by this library. See docs/worker.md.

Imports redis-py and the standard library only.
"""

from __future__ import annotations

from headwater.worker.aconsumer import AsyncConsumer
from headwater.worker.base import ConsumerOptions
from headwater.worker.consumer import Consumer
from headwater.worker.entry import AsyncEntry, Entry
from headwater.worker.errors import (
    ConfigurationError,
    PoisonError,
    Reject,
    SendError,
    WorkerError,
)
from headwater.worker.lifespan import lifespan
from headwater.worker.producer import AsyncProducer, Producer

__all__ = [
    "AsyncConsumer",
    "AsyncEntry",
    "AsyncProducer",
    "ConfigurationError",
    "Consumer",
    "ConsumerOptions",
    "Entry",
    "PoisonError",
    "Producer",
    "Reject",
    "SendError",
    "WorkerError",
    "lifespan",
]
