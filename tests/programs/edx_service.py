"""A Django service on the Open edX event bus, as its settings say: produces or consumes logins.

    edx_service.py PORT produce NUMBER [NAME]
    edx_service.py PORT consume GROUP CONSUMER [--extra JSON] [--stall USER]

The consumer is the management command that a deployment runs, `consume_events`; it prints a line of
JSON for each login. With --stall the receiver never returns from this user's.
"""

from __future__ import annotations

import argparse
import json
import signal
from typing import Any

import django
from django.conf import settings
from django.core.management import call_command

TOPIC = "user-login"

arguments = argparse.ArgumentParser()
arguments.add_argument("port", type=int)
arguments.add_argument("role", choices=["produce", "consume"])
arguments.add_argument("words", nargs="+")
arguments.add_argument("--extra", default="{}")
arguments.add_argument("--stall", type=int)
options = arguments.parse_args()

settings.configure(
    SECRET_KEY="tests",
    INSTALLED_APPS=["openedx_events"],
    USE_TZ=True,
    DATABASES={},
    LOGGING={
        "version": 1,
        "handlers": {"console": {"class": "logging.StreamHandler"}},
        "root": {"handlers": ["console"], "level": "INFO"},
    },
    EVENT_BUS_PRODUCER="edx_event_bus_redis.create_producer",
    EVENT_BUS_CONSUMER="edx_event_bus_redis.RedisEventConsumer",
    EVENT_BUS_REDIS_CONNECTION_URL=f"redis://127.0.0.1:{options.port}",
    EVENT_BUS_TOPIC_PREFIX="tests",
    EVENT_BUS_REDIS_CONSUMER_POLL_TIMEOUT=1,
    EVENT_BUS_REDIS_STREAM_MAX_LEN=10_000,
)
django.setup()

from openedx_events.data import EventsMetadata  # noqa: E402
from openedx_events.event_bus import get_producer  # noqa: E402
from openedx_events.learning.data import UserData, UserPersonalData  # noqa: E402
from openedx_events.learning.signals import SESSION_LOGIN_COMPLETED  # noqa: E402


def login(number: int, name: str) -> dict[str, UserData]:
    person = UserPersonalData(username=f"user{number}", email="u@example.org", name=name)
    return {"user": UserData(id=number, is_active=True, pii=person)}


def produce(count: int, name: str) -> None:
    for number in range(count):
        get_producer().send(
            signal=SESSION_LOGIN_COMPLETED,
            topic=TOPIC,
            event_key_field="user.pii.username",
            event_data=login(number, name),
            event_metadata=EventsMetadata(
                event_type=SESSION_LOGIN_COMPLETED.event_type, sourcehost="tests"
            ),
        )
    print("produced")


def on_login(user: UserData, metadata: EventsMetadata, **_: Any) -> None:
    heard = {"number": user.id, "user": user.pii.username, "name": user.pii.name}
    print(json.dumps({"kind": "login", **heard, "host": metadata.sourcehost}), flush=True)
    if user.id == options.stall:
        signal.pause()


if options.role == "produce":
    produce(int(options.words[0]), *(options.words[1:] or ["Ann"]))
else:
    SESSION_LOGIN_COMPLETED.connect(on_login)
    group, consumer = options.words
    extra = json.dumps({"consumer_name": consumer, **json.loads(options.extra)})
    call_command("consume_events", topic=[TOPIC], group_id=[group], extra=extra)
