import redis
import json
import time
import signal
import sys
r = redis.Redis(host='localhost', port=6379, decode_responses=True)
# --- Producer ---
def publish_order_event(order_id: str, total: float, region: str):
    """
    Append an event to the orders stream.
    MAXLEN ~ 100000 ensures the stream doesn't grow without bound.
    """
    entry_id = r.xadd(
        'orders',
        {
            'orderId': order_id,
            'totalAmount': str(total), # Redis stores strings
            'region': region,
            'eventType': 'OrderPlaced',
            'timestamp': str(int(time.time() * 1000)),
        },
        maxlen=100000,
        approximate=True,
    )
    print(f"Published order {order_id} as {entry_id}")
    return entry_id
# --- Consumer group setup ---
def setup_consumer_group(stream: str, group: str):
    """Create a consumer group, starting from new entries."""
    try:
        r.xgroup_create(stream, group, id='$', mkstream=True)
        print(f"Created consumer group '{group}' on stream '{stream}'")
    except redis.ResponseError as e:
        if 'BUSYGROUP' in str(e):
            print(f"Consumer group '{group}' already exists")
        else:
            raise
# --- Consumer ---
def consume_orders(group: str, consumer_name: str):
    """
    Consume from a stream using consumer groups.
    Handles new messages, pending recovery, and graceful shutdown.
    """
    stream = 'orders'
    setup_consumer_group(stream, group)
    running = True
    def shutdown(sig, frame):
        nonlocal running
        running = False
    signal.signal(signal.SIGTERM, shutdown)
    signal.signal(signal.SIGINT, shutdown)
    # First, recover any pending entries from a previous crash
    recover_pending(stream, group, consumer_name)
    while running:
        try:
            # Read new entries (> means undelivered entries only)
            entries = r.xreadgroup(
                groupname=group,
                consumername=consumer_name,
                streams={stream: '>'},
                count=10,
                block=5000, # Block for 5 seconds
            )
            if not entries:
                continue
            for stream_name, messages in entries:
                for msg_id, fields in messages:
                    try:
                        process_order(fields)
                        r.xack(stream, group, msg_id)
                    except Exception as e:
                        print(f"Failed to process {msg_id}: {e}")
                        # Don't ack — entry stays in PEL for recovery
        except redis.ConnectionError:
            print("Redis connection lost, reconnecting...")
            time.sleep(1)
    print("Consumer shut down gracefully")
def recover_pending(stream: str, group: str, consumer_name: str):
    """
    Claim and reprocess entries that were pending for too long.
    This handles the case where a previous consumer instance crashed.
    """
    while True:
        # Claim entries idle for more than 30 seconds
        claimed = r.xautoclaim(
            name=stream,
            groupname=group,
            consumername=consumer_name,
            min_idle_time=30000, # 30 seconds
            start_id='0-0',
            count=10,
        )
        # xautoclaim returns (next_start_id, claimed_entries, deleted_ids)
        next_id, entries, deleted = claimed
        for msg_id, fields in entries:
            try:
                process_order(fields)
                r.xack(stream, group, msg_id)
                print(f"Recovered and processed pending entry {msg_id}")
            except Exception as e:
                print(f"Failed to recover {msg_id}: {e}")
                # Check delivery count for dead-letter logic
                pending_info = r.xpending_range(
                    stream, group, min=msg_id, max=msg_id, count=1
                )
                if pending_info and pending_info[0]['times_delivered'] > 5:
                    dead_letter(stream, group, msg_id, fields)
        if next_id == b'0-0' or next_id == '0-0' or not entries:
            break
def dead_letter(stream: str, group: str, msg_id: str, fields: dict):
    """Move a poison message to a dead letter stream."""
    r.xadd(f'{stream}:dead-letter', {
        **fields,
        'original_stream': stream,
        'original_id': msg_id,
        'dead_lettered_at': str(int(time.time() * 1000)),
    })
    r.xack(stream, group, msg_id)
    print(f"Dead-lettered {msg_id}")
def process_order(fields: dict):
    """Your business logic here."""
    print(f"Processing order {fields.get('orderId')}: "
        f"${fields.get('totalAmount')} in {fields.get('region')}")
# --- Monitoring helper ---
def stream_health(stream: str, group: str):
    """Print stream and consumer group health metrics."""
    length = r.xlen(stream)
    info = r.xinfo_groups(stream)
    print(f"\nStream '{stream}': {length} entries")
    for g in info:
        print(f" Group '{g['name']}': "
            f"{g['pending']} pending, "
            f"{g['consumers']} consumers, "
            f"last-delivered: {g['last-delivered-id']}")
        consumers = r.xinfo_consumers(stream, g['name'])
        for c in consumers:
            print(f" Consumer '{c['name']}': "
                f"{c['pending']} pending, "
                f"idle {c['idle']}ms")
