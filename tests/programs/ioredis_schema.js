// ioredis and a stream with a schema: what is refused, how, and what goes through beside it.
// Prints "done" at the end, throws at the first surprise.
'use strict';
const assert = require('assert');
const Redis = require('ioredis');

const SCHEMA = JSON.stringify({
  type: 'object',
  properties: { totalAmount: { type: 'number' }, note: { type: ['string', 'null'] } },
  required: ['totalAmount'],
  additionalProperties: false,
});
const REFUSED = "SCHEMA orders v1: totalAmount: 'abc' is not a number";

async function main() {
  const redis = new Redis({ port: Number(process.argv[2]) });
  assert.strictEqual(await redis.call('XSCHEMA', 'SET', 'orders', SCHEMA), 1);
  await redis.xadd('orders', '*', 'totalAmount', 12.5, 'note', 'null');
  await assert.rejects(redis.xadd('orders', '*', 'totalAmount', 'abc'), { message: REFUSED });
  const replies = await redis.pipeline()
    .xadd('orders', '*', 'totalAmount', 'abc')
    .xadd('orders', '*', 'totalAmount', 7)
    .exec();
  assert.strictEqual(replies[0][0].message, REFUSED);
  assert.strictEqual(replies[1][0], null);
  const done = await redis.multi().xadd('orders', '*', 'note', 'x').incr('n').exec();
  assert.strictEqual(done[0][0].message, 'SCHEMA orders v1: totalAmount: is missing');
  assert.deepStrictEqual(done[1], [null, 1]);
  assert.strictEqual(await redis.xlen('orders'), 2);
  assert.deepStrictEqual(await redis.call('XSCHEMA', 'CHECK', 'orders', '{"type": "string"}'), [
    'type: an entry is an object',
  ]);
  await redis.quit();
  console.log('done');
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
