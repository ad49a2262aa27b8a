// What an application does with node-redis; prints "done" at the end, throws at the first surprise.
//
//     node node_redis_scenario.js PORT RESP
'use strict';
const assert = require('assert');
const { createClient } = require('redis');

const port = Number(process.argv[2]);
const RESP = Number(process.argv[3]);

async function connect() {
  const client = createClient({ socket: { host: '127.0.0.1', port }, RESP, name: 'tests' });
  client.on('error', (error) => {
    throw error;
  });
  return client.connect();
}

async function blocked(client, count) {
  for (;;) {
    const text = await client.info('clients');
    if (Number(/blocked_clients:(\d+)/.exec(text)[1]) >= count) return;
  }
}

// Objects of this client have no prototype; compare what they hold.
function same(got, want) {
  assert.deepStrictEqual(JSON.parse(JSON.stringify(got)), want);
}

async function main() {
  const client = await connect();
  const other = await connect();
  assert.strictEqual(await client.ping(), 'PONG');
  assert.strictEqual(await client.clientGetName(), 'tests');
  assert.strictEqual(await client.set('k', 'v', { EX: 100 }), 'OK');
  assert.strictEqual(await client.get('k'), 'v');

  assert.strictEqual(await client.xAdd('s', '1-0', { f: 'v' }), '1-0');
  same(await client.xRange('s', '-', '+'), [{ id: '1-0', message: { f: 'v' } }]);
  assert.strictEqual(await client.xGroupCreate('s', 'g', '$'), 'OK');
  await assert.rejects(client.xGroupCreate('s', 'g', '$'), /BUSYGROUP/);
  assert.strictEqual(await client.xReadGroup('g', 'c', { key: 's', id: '>' }), null);

  const reading = other.xReadGroup('g', 'c', { key: 's', id: '>' }, { BLOCK: 20000, COUNT: 1 });
  await blocked(client, 1);
  await client.xAdd('s', '2-0', { n: '1' });
  const read = JSON.stringify(await reading);
  assert.ok(read.includes('"2-0"') && read.includes('"n":"1"'), read);
  const pending = await client.xPending('s', 'g');
  assert.strictEqual(pending.pending, 1);
  same(pending.consumers, [{ name: 'c', deliveriesCounter: 1 }]);
  const rows = await client.xPendingRange('s', 'g', '-', '+', 10);
  assert.strictEqual(rows[0].id, '2-0');
  const claimed = await client.xAutoClaim('s', 'g', 'd', 0, '0-0');
  assert.strictEqual(claimed.messages[0].id, '2-0');
  assert.strictEqual(await client.xAck('s', 'g', '2-0'), 1);

  const added = [];
  for (let n = 3; n < 203; n++) added.push(client.xAdd('s', `${n}-0`, { n: String(n) }));
  assert.strictEqual((await Promise.all(added))[199], '202-0');
  assert.strictEqual(await client.xTrim('s', 'MAXLEN', 100), 102);
  same(await client.multi().set('a', '1').xLen('s').get('a').exec(), ['OK', 100, '1']);

  const info = await client.xInfoStream('s');
  assert.strictEqual(info.length, 100);
  const [group] = await client.xInfoGroups('s');
  assert.strictEqual(group.name, 'g');
  assert.strictEqual((await client.xInfoConsumers('s', 'g')).length, 2);

  const found = [];
  for await (const keys of client.scanIterator({ COUNT: 2 })) found.push(...[].concat(keys));
  same(found.sort(), ['a', 'k', 's']);
  await assert.rejects(client.sendCommand(['CLIENT', 'NO-SUCH-THING']), /unknown subcommand/i);
  await other.select(3);
  assert.strictEqual(await other.dbSize(), 0);
  await Promise.all([client.close(), other.close()]);
  console.log('done');
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
