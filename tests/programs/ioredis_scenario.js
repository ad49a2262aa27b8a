// What an application does with ioredis; prints "done" at the end, throws at the first surprise.
'use strict';
const assert = require('assert');
const Redis = require('ioredis');

async function blocked(redis, count) {
  for (;;) {
    const text = await redis.info('clients');
    if (Number(/blocked_clients:(\d+)/.exec(text)[1]) >= count) return;
  }
}

async function main() {
  const port = Number(process.argv[2]);
  const redis = new Redis({ port, connectionName: 'tests' });
  const other = new Redis({ port, db: 0, enableReadyCheck: true });

  assert.strictEqual(await redis.ping(), 'PONG');
  assert.strictEqual(await redis.client('GETNAME'), 'tests');
  assert.strictEqual(await redis.set('k', 'v', 'EX', 100), 'OK');
  assert.strictEqual(await redis.get('k'), 'v');
  assert.deepStrictEqual(await redis.getBuffer('k'), Buffer.from('v'));

  assert.strictEqual(await redis.xadd('s', '1-0', 'f', 'v'), '1-0');
  assert.deepStrictEqual(await redis.xrange('s', '-', '+'), [['1-0', ['f', 'v']]]);
  assert.strictEqual(await redis.xgroup('CREATE', 's', 'g', '$'), 'OK');
  await assert.rejects(redis.xgroup('CREATE', 's', 'g', '$'), /BUSYGROUP/);
  assert.strictEqual(await redis.xreadgroup('GROUP', 'g', 'c', 'STREAMS', 's', '>'), null);

  const reading = other.xreadgroup('GROUP', 'g', 'c', 'BLOCK', 20000, 'STREAMS', 's', '>');
  await blocked(redis, 1);
  await redis.xadd('s', '2-0', 'n', '1');
  assert.deepStrictEqual(await reading, [['s', [['2-0', ['n', '1']]]]]);
  assert.deepStrictEqual(await redis.xpending('s', 'g'), [1, '2-0', '2-0', [['c', '1']]]);
  assert.strictEqual(await redis.xack('s', 'g', '2-0'), 1);

  const pipeline = redis.pipeline();
  for (let n = 3; n < 203; n++) pipeline.xadd('s', `${n}-0`, 'n', String(n));
  const added = await pipeline.exec();
  assert.deepStrictEqual(added[199], [null, '202-0']);
  assert.deepStrictEqual(
    await redis.multi().set('a', '1').xlen('s').get('a').exec(),
    [[null, 'OK'], [null, 202], [null, '1']]);

  await redis.watch('a');
  await other.set('a', '2');
  assert.strictEqual(await redis.multi().get('a').exec(), null);

  const found = [];
  for await (const keys of redis.scanStream({ match: '*', count: 2 })) found.push(...keys);
  assert.deepStrictEqual(found.sort(), ['a', 'k', 's']);

  assert.strictEqual(await other.select(3), 'OK');
  assert.strictEqual(await other.dbsize(), 0);
  await assert.rejects(redis.client('NO-SUCH-THING'), /unknown subcommand/i);

  // A connection that is lost is made again, in the same database and with the same name.
  const id = await redis.client('ID');
  await other.client('KILL', 'ID', id);
  assert.strictEqual(await redis.ping(), 'PONG');
  assert.notStrictEqual(await redis.client('ID'), id);
  assert.strictEqual(await redis.client('GETNAME'), 'tests');
  await Promise.all([redis.quit(), other.quit()]);
  console.log('done');
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
