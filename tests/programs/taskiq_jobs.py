"""A taskiq application: a broker, its tasks, a scheduler.

    JOBS_URL=redis://127.0.0.1:6379 taskiq worker taskiq_jobs:broker
    JOBS_URL=redis://127.0.0.1:6379 taskiq scheduler taskiq_jobs:scheduler

Tasks print a line of JSON when they begin. JOBS_BROKER is stream, list or pubsub; with JOBS_STALL
the task `careful` never returns.
"""

from __future__ import annotations

import asyncio
import json
import os
import warnings
from typing import Annotated, Any

from pydantic import BaseModel
from taskiq import AsyncBroker, Context, SmartRetryMiddleware, TaskiqDepends, TaskiqScheduler
from taskiq.depends.progress_tracker import ProgressTracker, TaskState
from taskiq_redis import (
    ListQueueBroker,
    ListRedisScheduleSource,
    PubSubBroker,
    RedisAsyncResultBackend,
    RedisScheduleSource,
    RedisStreamBroker,
)

URL = os.environ["JOBS_URL"]
LEFT_BEHIND_MS = 60_000


def make_broker(kind: str) -> AsyncBroker:
    if kind == "list":
        return ListQueueBroker(URL, queue_name="jobs")
    if kind == "pubsub":
        return PubSubBroker(URL, queue_name="jobs")
    return RedisStreamBroker(
        URL,
        queue_name="jobs",
        consumer_id="0",
        idle_timeout=LEFT_BEHIND_MS,
        unacknowledged_lock_timeout=10,
        maxlen=10_000,
        additional_streams={"urgent": ">"},
    )


with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    plain_schedules = RedisScheduleSource(URL, prefix="plain")
schedules = ListRedisScheduleSource(URL, prefix="schedules")
broker = (
    make_broker(os.environ.get("JOBS_BROKER", "stream"))
    .with_result_backend(RedisAsyncResultBackend(URL, result_ex_time=1000, prefix_str="result"))
    .with_middlewares(SmartRetryMiddleware(default_delay=0.1, schedule_source=schedules))
)
scheduler = TaskiqScheduler(broker, sources=[schedules, plain_schedules])


class Parcel(BaseModel):
    address: str
    grams: int


def show(kind: str, **fields: Any) -> None:
    print(json.dumps({"kind": kind, **fields}), flush=True)


@broker.task
async def add(a: int, b: int) -> int:
    return a + b


@broker.task
def send(parcel: Parcel) -> Parcel:
    """A task that is no coroutine, with a model for argument and result."""
    show("send", address=parcel.address)
    return Parcel(address=parcel.address.upper(), grams=parcel.grams + 20)


@broker.task
async def fail(word: str) -> None:
    raise ValueError(word)


@broker.task
async def careful(number: int) -> str:
    show("careful", number=number)
    if os.environ.get("JOBS_STALL"):
        await asyncio.Event().wait()
    return f"done {number}"


@broker.task(retry_on_error=True, max_retries=5)
async def fragile(context: Annotated[Context, TaskiqDepends()]) -> int:
    """Succeeds at the third attempt."""
    attempt = int(context.message.labels.get("_retries", 0))
    show("fragile", attempt=attempt)
    if attempt < 2:
        raise ConnectionError(f"attempt {attempt}")
    return attempt


@broker.task
async def long(progress: Annotated[ProgressTracker[str], TaskiqDepends()]) -> str:
    await progress.set_progress(TaskState.STARTED, "half")
    return "whole"


@broker.task
async def tick(name: str) -> None:
    show("tick", name=name)
