// node-redis with what stands around streams: channels, scripts, functions, lists, users.
// Prints "done" at the end, throws at the first surprise.
//
//     node node_redis_families.js PORT RESP
'use strict';
const assert = require('assert');
const { createClient, defineScript, WatchError, RESP_TYPES } = require('redis');

const port = Number(process.argv[2]);
const RESP = Number(process.argv[3]);
const BINARY = Buffer.from(Array.from({ length: 256 }, (_, n) => n));
const LIBRARY = `#!lua name=shop
redis.register_function('sell', function(keys, args)
  return redis.call('XADD', keys[1], args[1], 'item', args[2])
end)`;

const moveAll = defineScript({
  NUMBER_OF_KEYS: 2,
  SCRIPT: `local found = redis.call('XRANGE', KEYS[1], '-', '+')
           for _, entry in ipairs(found) do
             redis.call('XADD', KEYS[2], entry[1], unpack(entry[2]))
           end
           redis.call('DEL', KEYS[1])
           return #found`,
  parseCommand(parser, from, to) {
    parser.pushKey(from);
    parser.pushKey(to);
  },
  transformReply: undefined,
});

async function connect(options = {}) {
  const client = createClient({
    socket: { host: '127.0.0.1', port }, RESP, scripts: { moveAll }, ...options,
  });
  client.on('error', () => {});
  return client.connect();
}

// A listener, and a function that waits until it has heard so much.
function listener() {
  const heard = [];
  let waiting = () => {};
  const listen = (...words) => { heard.push(words); waiting(); };
  const takes = async (count) => {
    while (heard.length < count) await new Promise((resolve) => { waiting = resolve; });
    return heard.splice(0);
  };
  return [listen, takes];
}

async function blocked(client) {
  while (!/blocked_clients:1/.test(await client.info('clients')));
}

async function channels(client) {
  const sub = await connect();
  const [news, getsNews] = listener();
  const [weather, getsWeather] = listener();
  await sub.subscribe(['news', 'weather'], news);
  await sub.pSubscribe('w*', weather);
  assert.strictEqual(await client.publish('news', 'first'), 1);
  assert.strictEqual(await client.publish('weather', 'rain'), 2);
  assert.deepStrictEqual(await getsNews(2), [['first', 'news'], ['rain', 'weather']]);
  assert.deepStrictEqual(await getsWeather(1), [['rain', 'weather']]);
  if (RESP === 3) assert.strictEqual(await sub.get('k'), 'v');

  // A subscriber whose connection is lost subscribes again by itself.
  await client.sendCommand(['CLIENT', 'KILL', 'TYPE', 'pubsub']);
  while ((await client.sendCommand(['PUBSUB', 'NUMSUB', 'weather']))[1] !== 1
    || (await client.sendCommand(['PUBSUB', 'NUMPAT'])) !== 1);
  const [bytes, getsBytes] = listener();
  await sub.subscribe('raw', bytes, true);
  await client.publish('raw', BINARY);
  assert.deepStrictEqual((await getsBytes(1))[0][0], BINARY);
  await sub.unsubscribe();
  await sub.pUnsubscribe();
  const [part, getsPart] = listener();
  await sub.sSubscribe('part', part);
  assert.strictEqual(await client.sPublish('part', 'x'), 1);
  assert.deepStrictEqual(await getsPart(1), [['x', 'part']]);
  await sub.sUnsubscribe('part');
  assert.strictEqual(await sub.get('none'), null);
  sub.destroy();
}

async function scripts(client) {
  for (let n = 1; n < 4; n++) await client.xAdd('from', `${n}-0`, { n: String(n) });
  assert.strictEqual(await client.moveAll('from', 'to'), 3);
  await client.scriptFlush();
  assert.strictEqual(await client.moveAll('from', 'to'), 0);
  assert.strictEqual(await client.xLen('to'), 3);
  assert.deepStrictEqual(await client.multi().moveAll('a', 'b').xLen('to').exec(), [0, 3]);
  const script = "return {KEYS[1], ARGV[1], 7.9, cjson.encode({1})}";
  const words = { keys: ['k'], arguments: ['a'] };
  assert.deepStrictEqual(await client.eval(script, words), ['k', 'a', 7, '[1]']);
  const wrong = { keys: [], arguments: [] };
  await assert.rejects(client.eval("return redis.call('LPOP', 'to')", wrong), /WRONGTYPE/);

  await client.functionFlush();
  assert.strictEqual(await client.functionLoad(LIBRARY), 'shop');
  const sale = { keys: ['sales'], arguments: ['1-0', 'tea'] };
  assert.strictEqual(await client.fCall('sell', sale), '1-0');
  assert.strictEqual((await client.functionList())[0].library_name, 'shop');
  await client.functionDelete('shop');
  await assert.rejects(client.fCall('sell', sale), /Function not found/);
}

async function lists(client) {
  const other = await connect();
  assert.strictEqual(await client.rPush('l', ['a', 'b', 'c']), 3);
  assert.deepStrictEqual(await client.lRange('l', 0, -1), ['a', 'b', 'c']);
  assert.strictEqual(await client.lMove('l', 'm', 'LEFT', 'RIGHT'), 'a');
  assert.deepStrictEqual(await client.lPopCount('l', 5), ['b', 'c']);
  const popping = other.blPop(['l', 'n'], 20);
  await blocked(client);
  await client.multi().lPush('n', 'x').lPush('n', 'y').exec();
  assert.deepStrictEqual({ ...(await popping) }, { key: 'n', element: 'y' });
  const moving = other.blMove('l', 'm', 'LEFT', 'LEFT', 20);
  await blocked(client);
  await client.rPush('l', BINARY);
  await moving;
  const raw = client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
  assert.deepStrictEqual(await raw.lIndex('m', 0), BINARY);
  assert.deepStrictEqual(await client.mGet(['k', 'none']), ['v', null]);

  await client.watch('k');
  await other.set('k', 'changed');
  await assert.rejects(client.multi().get('k').exec(), WatchError);
  await client.watch('k');
  assert.deepStrictEqual(await client.multi().incr('n2').get('k').exec(), [1, 'changed']);
  other.destroy();
}

async function users(client) {
  const rules = ['reset', 'on', '>secret', '~ann:*', '&ann:*', '+@all', '-flushall'];
  await client.aclSetUser('ann', rules);
  const ann = await connect({ username: 'ann', password: 'secret' });
  assert.strictEqual(await ann.aclWhoAmI(), 'ann');
  assert.strictEqual(await ann.xAdd('ann:s', '1-0', { f: 'v' }), '1-0');
  await assert.rejects(ann.xAdd('bob:s', '*', { f: 'v' }), /NOPERM/);
  await assert.rejects(ann.flushAll(), /NOPERM/);
  ann.destroy();
  await client.aclDelUser('ann');
}

async function main() {
  const client = await connect();
  await client.set('k', 'v');
  await channels(client);
  await scripts(client);
  await lists(client);
  await users(client);
  await client.close();
  console.log('done');
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
