"""Orders: read, process, acknowledge. The server does the rest.

The program of examples/chapter, for a server that looks after delivery itself. An order is
processed at least once, the orders of a customer one after the other, in their order. One that
fails is tried again later, and goes to the dead letters after the fifth time; those of a worker
that dies go to the others at once. Any number of workers may run, be killed and be replaced.

    headwater serve
    python orders.py consume order-processors worker-1
    python orders.py publish ord-1 ann 149.99 us-east-1
    python orders.py redrive            # the dead letters, once their reason is repaired
"""

import os
import signal
import sys

import redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

r = redis.Redis.from_url(
    os.environ.get("REDIS_URL", "redis://localhost:6379"),
    decode_responses=True,
    retry=Retry(ExponentialBackoff(cap=1, base=0.05), retries=60),  # while the server restarts
)

DELIVERY = [
    *("LEASE", "connection"),  # what a worker has when it dies goes to the others at once
    *("BACKOFF", 1000, 10_000, 60_000),  # ms from a failure to the next try; the last one repeats
    *("MAXDELIVERIES", 5),  # and then it goes to orders:dead-letter
    *("ORDERBY", "customer"),  # one order of a customer at a time, also across retries
]


def publish_order_event(order_id: str, customer: str, total: str, region: str) -> str:
    """Append an event to the stream; return its ID."""
    order = {"orderId": order_id, "customer": customer, "totalAmount": total, "region": region}
    return r.xadd("orders", {**order, "eventType": "OrderPlaced"})


def process_order(order: dict[str, str]) -> None:
    """Your business logic. An order may come twice (its worker died before it said that it was
    done), so do it in a way that a second time does no harm."""
    print(f"Processing order {order['orderId']}: ${order['totalAmount']} in {order['region']}")


def setup_consumer_group(group: str) -> None:
    """Create the group, if it is new, and say how it wants its entries."""
    try:
        r.xgroup_create("orders", group, id="0", mkstream=True)
    except redis.ResponseError as error:
        if "BUSYGROUP" not in str(error):
            raise
    r.execute_command("XGROUP CFGSET", "orders", group, *DELIVERY)


def consume_orders(group: str, consumer: str) -> None:
    """Work until SIGTERM or SIGINT; what has been read by then is finished."""
    stopping = []
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stopping.append(True))
    while not stopping:
        batch = r.xreadgroup(group, consumer, {"orders": ">"}, count=10, block=1000)
        for entry_id, order in batch[0][1] if batch else ():
            try:
                process_order(order)
            except Exception as error:
                print(f"Order {order['orderId']} failed: {error}")
                r.execute_command("XNACK", "orders", group, "FAIL", "IDS", 1, entry_id)
            else:
                r.xack("orders", group, entry_id)


def main(what: str, *words: str) -> None:
    if what == "publish":
        print(publish_order_event(*words))
    elif what == "consume":
        setup_consumer_group(words[0])
        consume_orders(*words)
    elif what == "redrive":
        for old, new in r.execute_command("XREDRIVE", "orders:dead-letter"):
            print(f"Dead letter {old} is order entry {new} again")


if __name__ == "__main__":
    main(*sys.argv[1:])
