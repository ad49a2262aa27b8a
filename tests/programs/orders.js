// The consumer of examples/orders.py with ioredis: XREADGROUP, XACK and XNACK, and no other care.
// Order ord-2 fails until it is among the dead letters; then it is repaired and moved back.
'use strict';
const Redis = require('ioredis');

const GROUP = 'order-processors';
const DELIVERY = ['ACKWAIT', 20000, 'BACKOFF', 20, 40, 'MAXDELIVERIES', 3, 'ORDERBY', 'customer'];

async function setup(redis) {
  await redis.xgroup('CREATE', 'orders', GROUP, '0', 'MKSTREAM');
  await redis.call('XGROUP', 'CFGSET', 'orders', GROUP, ...DELIVERY);
}

async function consume(redis, processOrder, isDone) {
  while (!isDone()) {
    const batch = await redis.xreadgroup(
      'GROUP', GROUP, 'worker-1', 'COUNT', 10, 'BLOCK', 100, 'STREAMS', 'orders', '>');
    for (const [id, fields] of batch ? batch[0][1] : []) {
      const order = {};
      for (let i = 0; i < fields.length; i += 2) order[fields[i]] = fields[i + 1];
      try {
        await processOrder(order);
        await redis.xack('orders', GROUP, id);
      } catch (error) {
        await redis.call('XNACK', 'orders', GROUP, 'FAIL', 'IDS', 1, id);
      }
    }
  }
}

async function main() {
  const redis = new Redis(Number(process.argv[2]));
  const other = redis.duplicate();
  let broken = true;
  let done = 0;
  const processOrder = async (order) => {
    if (order.orderId === 'ord-2' && broken) {
      console.log(`${order.orderId} failed`);
      throw new Error('poison');
    }
    done += 1;
    console.log(`${order.orderId} done`);
  };
  await setup(redis);
  const customers = ['ann', 'bob', 'cid'];
  for (let n = 1; n <= 3; n++) {
    await redis.xadd('orders', '*', 'orderId', `ord-${n}`, 'customer', customers[n - 1]);
  }
  const working = consume(redis, processOrder, () => done === 3);
  let dead = [];
  while (dead.length === 0) dead = await other.xrange('orders:dead-letter', '-', '+');
  const letter = dead[0][1];
  const value = (name) => letter[letter.indexOf(name) + 1];
  console.log(`dead ${value('orderId')} after ${value('deliveries')}, ${value('reason')}`);
  broken = false;
  const moved = await other.call('XREDRIVE', 'orders:dead-letter');
  if (moved.length !== 1 || moved[0][0] !== dead[0][0]) throw new Error(`moved ${moved}`);
  await working;
  console.log('done');
  redis.disconnect();
  other.disconnect();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
